"""Colours that nobody sees, below full transparency, continued smoothly from those that are seen.

Whatever stands there costs bytes, and bleeds into the visible edge where coding loses. The fill is pull-push (Gortler
et al., The Lumigraph, 1996): means of what is seen over ever larger blocks, then back down, each level filling what
the finer one does not know.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def fill_smoothly(pixels: npt.NDArray[Any], seen: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Pixels (H, W) or (H, W, 3) that are as they were where ``seen`` (H, W) says so, and smooth elsewhere."""
    planes = pixels.reshape(*seen.shape, -1)
    filled = np.empty_like(planes)
    weight = seen.astype(np.float32)
    for channel in range(planes.shape[2]):  # one by one, for the memory
        plane = planes[:, :, channel]
        smooth = np.rint(_fill(plane.astype(np.float32), weight)).astype(pixels.dtype)
        filled[:, :, channel] = np.where(seen, plane, smooth)
    return filled.reshape(pixels.shape)


def _fill(plane: Floats, weight: Floats) -> Floats:
    """The plane where ``weight`` is 1; where it is less, more and more of what larger blocks have."""
    if min(plane.shape) == max(plane.shape) == 1 or weight.all():
        return plane
    mean = _halved(plane * weight)
    share = _halved(weight)
    coarse = _fill(np.divide(mean, share, where=share > 0, out=mean), np.minimum(4 * share, np.float32(1)))
    above = _doubled(coarse)[: plane.shape[0], : plane.shape[1]]
    return np.asarray(plane * weight + above * (1 - weight), np.float32)


def _halved(plane: Floats) -> Floats:
    """Means of 2 x 2; an odd last row or column counts with nothing beside it."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)))
    rows = even[::2] + even[1::2]
    return np.asarray((rows[:, ::2] + rows[:, 1::2]) / 4, np.float32)


def _doubled(plane: Floats) -> Floats:
    """Interpolated linearly to twice the size."""
    for axis in (0, 1):
        plane = plane.swapaxes(0, axis)
        padded = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
        between = np.empty((2 * len(plane), plane.shape[1]), np.float32)
        between[::2] = 0.75 * plane + 0.25 * padded[:-2]
        between[1::2] = 0.75 * plane + 0.25 * padded[2:]
        plane = between.swapaxes(0, axis)
    return plane
