"""Pictures of one size beside each other."""

from __future__ import annotations

import numpy as np

from aecodec.codec import Pixels

GAP = 2  # pixels between them


def sheet(pictures: Pixels, columns: int) -> Pixels:
    """One picture with those (N, H, W[, 3]) in rows of ``columns``, white between them."""
    count, height, width = pictures.shape[:3]
    rows = -(-count // columns)
    size = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP
    whole = np.full((*size, *pictures.shape[3:]), 255, np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        whole[top : top + height, left : left + width] = picture
    return whole
