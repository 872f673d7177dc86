"""A folder of JPEG pictures made fit to be the truth of a measurement: halved, in two parts.

    python benchmarks/halve.py FOLDER OUT

Averaging two by two pixels hides the blocks and the missing chroma that JPEG left. The last fifth by file name goes to
OUT/test, the rest to OUT/train, as PNG.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description="Halve pictures; the last fifth is for testing.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    paths = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if len(paths) < 5:
        raise SystemExit(f"halve.py: {options.folder}: {len(paths)} JPEG pictures; at least 5 are needed")
    first_of_test = len(paths) - len(paths) // 5
    for i, path in enumerate(paths):
        part = options.output / ("train" if i < first_of_test else "test")
        part.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").reduce(2).save(part / f"{path.stem}.png")


if __name__ == "__main__":
    main()
