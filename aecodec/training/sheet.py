"""Arrays of pictures, measured as they would be stored: in one file. Ours is a stack, the others' a contact sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aecodec.evaluation.extra import version
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import PERCENT
from aecodec.stack import decode_stack, encode_stack


def to_sheet(pictures: Pixels) -> Pixels:
    """A square of pictures (N, H, W[, 3]) as one, (k H, k W[, 3]); those beyond the last full square are left out."""
    k = math.isqrt(len(pictures))
    height, width, *colours = pictures.shape[1:]
    square = pictures[: k * k].reshape(k, k, height, width, *colours)
    return np.ascontiguousarray(square.swapaxes(1, 2).reshape(k * height, k * width, *colours))


def from_sheet(sheet: Pixels, height: int, width: int) -> Pixels:
    """The inverse of :func:`to_sheet`: pictures (k k, height, width[, 3])."""
    rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
    square = sheet.reshape(rows, height, columns, width, *sheet.shape[2:])
    return np.ascontiguousarray(square.swapaxes(1, 2).reshape(rows * columns, height, width, *sheet.shape[2:]))


@dataclass(frozen=True)
class Stacked:
    """A model of aecodec that codes the pictures of a sheet as a stack, as one of the codecs to measure."""

    weights: Path
    height: int  # of a picture
    width: int
    qualities: tuple[int, ...]
    name: str = "aecodec"
    settings: str = "a stack"
    quality_range: tuple[int, int] = PERCENT

    @property
    def versions(self) -> dict[str, str]:
        """Of aecodec."""
        return {"aecodec": version("aecodec")}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a stack."""
        return encode_stack(from_sheet(pixels, self.height, self.width), quality, self.weights)

    def decode(self, data: bytes) -> Pixels:
        """The sheet of a stack's pictures."""
        return to_sheet(decode_stack(data, models=[self.weights]))
