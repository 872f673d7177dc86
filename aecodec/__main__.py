"""``python -m aecodec``."""

from aecodec.cli.main import main

main()
