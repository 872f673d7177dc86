"""How far two pictures are apart."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

PEAK = 255


def mse(a: Pixels, b: Pixels) -> float:
    """Mean squared difference in squared grey levels, over all pixels and channels of two uint8 arrays (H, W, C)."""
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes: {a.shape} and {b.shape}")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"pictures must be uint8, not {a.dtype} and {b.dtype}")
    if a.size == 0:
        raise ValueError("an empty picture has no error")
    difference = a.astype(np.int32) - b
    return float(np.mean(np.square(difference)))


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays (H, W, C); inf where they are identical.

    One mean squared error over all pixels and channels of the picture (RGB, not luma), then decibels. The PSNR of a
    set of pictures is the mean of these decibels, which is not the PSNR of the mean error.

    >>> psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8))
    0.0
    """
    error = mse(a, b)
    return 10 * math.log10(PEAK**2 / error) if error else math.inf
