"""Contact sheets: an array of pictures as one large picture, as which codecs without stacks get it in one file."""

from __future__ import annotations

import math

import numpy as np

from aecodec.evaluation.metrics import Pixels


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
