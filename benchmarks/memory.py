"""Peak memory of the command line on a picture of 100 megapixels, there and back.

    python benchmarks/memory.py [--megapixels 100] [--model photo]

The picture is made of scikit-image's photographs, none of its parts like another. A process's peak is what the
operating system reports when it has ended.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

GIB = 2**30


def large_picture(side: int) -> npt.NDArray[np.uint8]:
    """Pixels (side, side, 3): a mosaic of photographs with a slow change of brightness over the whole."""
    photographs = [skimage.data.astronaut(), skimage.data.coffee()[:400, :512], skimage.data.rocket()[:400, :512]]
    column = np.concatenate(photographs)
    times = -(-side // column.shape[0]), -(-side // column.shape[1])
    pixels = np.tile(column, (*times, 1))[:side, :side]
    for row in range(side):
        pixels[row] = pixels[row] * (0.6 + 0.4 * math.sin(row / 997))
    return pixels


def peak_bytes(arguments: Sequence[str]) -> int:
    """Run ``python -m aecodec`` with these arguments; its peak resident memory in bytes."""
    process = Popen([sys.executable, "-m", "aecodec", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"memory.py: aecodec {arguments[0]} failed")
    return usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory on a large picture.")
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--model", default="photo")
    options = parser.parse_args()
    side = round(math.sqrt(options.megapixels * 1e6))
    with tempfile.TemporaryDirectory() as folder:
        source, coded, restored = (str(Path(folder, name)) for name in ("large.png", "large.aec", "restored.png"))
        Image.fromarray(large_picture(side)).save(source, compress_level=1)
        compress = peak_bytes(["compress", source, "--model", options.model])
        decompress = peak_bytes(["decompress", coded, "-o", restored])
    print(f"{side} x {side} pixels: compress {compress / GIB:.2f} GiB, decompress {decompress / GIB:.2f} GiB")


if __name__ == "__main__":
    main()
