"""``python -m aecodec``."""

from aecodec.cli import main

main()
