"""Crops of pictures restored from aecodec files, and from JPEG files of at least their size: docs/crops.png.

    python benchmarks/crops.py [--bpp 0.35] [--model photo] [-o docs/crops.png]

The pictures are scikit-image's, which no model of the package was trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import skimage.data

from aecodec import Picture, load_codec
from aecodec.evaluation.crops import at_least
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.evaluation.rivals import JPEG

SIDE = 176


@dataclass(frozen=True)
class Example:
    """A picture, and the corner of the part that is shown."""

    pixels: Pixels
    top: int
    left: int

    def crop(self, pixels: Pixels) -> Pixels:
        return pixels[self.top : self.top + SIDE, self.left : self.left + SIDE]


def examples() -> list[Example]:
    return [
        Example(skimage.data.astronaut(), 40, 130),
        Example(skimage.data.coffee(), 60, 250),
        Example(skimage.data.chelsea(), 60, 90),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Crops at equal bytes.")
    parser.add_argument("--bpp", type=float, default=0.35, help="of the aecodec files, at most")
    parser.add_argument("--model", default="photo")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent.parent / "docs" / "crops.png")
    options = parser.parse_args()
    codec = load_codec(options.model)
    figure, rows = plt.subplots(3, 3, figsize=(9, 9.6), layout="constrained", squeeze=False)
    for example, axes in zip(examples(), rows, strict=True):
        pixels = example.pixels
        size = int(options.bpp * pixels.shape[0] * pixels.shape[1] / 8)
        ours = codec.encode_picture(Picture(pixels), target_size=size)
        _, jpeg = at_least(JPEG, pixels, len(ours))
        shown = (
            ("original", pixels, None),
            ("JPEG", JPEG.decode(jpeg), jpeg),
            ("aecodec", codec.decode(ours), ours),
        )
        for ax, (name, restored, data) in zip(axes, shown, strict=True):
            ax.imshow(example.crop(restored), interpolation="nearest")
            title = name if data is None else f"{name}: {len(data)} bytes, {psnr(pixels, restored):.1f} dB"
            ax.set_title(title, fontsize=10)
            ax.set_axis_off()
    figure.savefig(options.output, dpi=100)


if __name__ == "__main__":
    main()
