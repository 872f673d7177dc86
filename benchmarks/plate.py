"""Every model on the same pictures at the same bytes: docs/plate.png.

    python benchmarks/plate.py --cells cells/test/BloodImage_00331.png --digits t10k-images-idx3-ubyte.gz

Rows: a landscape (scikit-learn's), blood cells, handwritten digits. Columns: the original, then the models ``photo``,
``cells`` and ``digits``. The last one codes pieces of 28 x 28 in grey, as in data_specific.py. The budget of a row is
what the model of its own kind needs at quality 40; files are not larger, unless even quality 1 needs more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from data_specific import convert, load_model
from PIL import Image
from sklearn.datasets import load_sample_image

from aecodec.bisection import last_that_fits
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.sheet import to_sheet
from aecodec.pictures.arrays import read_array

QUALITY = 40  # of the model at home
SIDE = 224  # pixels shown; eight pieces


@dataclass(frozen=True)
class PlateRow:
    """A picture and the model that was trained on its kind."""

    title: str
    pixels: Pixels
    home: Aecodec


def largest_within(model: Aecodec, pixels: Pixels, size: int) -> bytes:
    """The file of highest quality with at most ``size`` bytes; that of quality 1 where there is none."""
    return last_that_fits(
        *model.quality_range, lambda quality: model.encode(pixels, quality), lambda data: len(data) <= size
    )


def square(pixels: Pixels) -> Pixels:
    """The middle."""
    top, left = (pixels.shape[0] - SIDE) // 2, (pixels.shape[1] - SIDE) // 2
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def draw(rows: Sequence[PlateRow], models: Sequence[Aecodec], output: Path) -> None:
    figure, grid = plt.subplots(len(rows), len(models) + 1, figsize=(11, 9), layout="constrained", squeeze=False)
    for row, axes in zip(rows, grid, strict=True):
        size = len(row.home.encode(row.pixels, QUALITY))
        axes[0].imshow(row.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes[0].set_title(row.title, fontsize=10)
        for model, ax in zip(models, axes[1:], strict=True):
            pixels = convert(row.pixels, model.piece)
            data = largest_within(model, pixels, size)
            restored = model.decode(data)
            ax.imshow(restored, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set_title(f"{model.name}: {len(data)} bytes, {psnr(pixels, restored):.1f} dB", fontsize=10)
        for ax in axes:
            ax.set_axis_off()
    figure.savefig(output, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description="Every model on the same pictures at the same bytes.")
    parser.add_argument("--cells", type=Path, required=True, help="a picture of blood cells")
    parser.add_argument("--digits", type=Path, required=True, help="an array of digits")
    parser.add_argument("--models", nargs=3, default=["photo", "cells", "digits@28"], metavar="MODEL")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent.parent / "docs" / "plate.png")
    options = parser.parse_args()
    models = [load_model(text) for text in options.models]
    landscape = np.asarray(Image.fromarray(load_sample_image("china.jpg")).resize((336, SIDE)))
    cells = np.asarray(Image.open(options.cells).convert("RGB"))
    pictures = [square(landscape), square(cells), square(to_sheet(read_array(options.digits)[:64]))]
    titles = ("landscape", "blood cells", "digits")
    draw([PlateRow(*each) for each in zip(titles, pictures, models, strict=True)], models, options.output)


if __name__ == "__main__":
    main()
