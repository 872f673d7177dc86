"""Latents to look at: maps of the channels of one picture, and how latents lie around what was predicted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aecodec.codec import Pixels
from aecodec.networks.config import standard_deviation
from aecodec.uses.meter import Floats, Measured

BINS = 41  # of the histogram
DEVIATIONS = 5.0  # standard deviations, at which it ends on both sides


def dearest(measured: Measured, picture: int, count: int) -> npt.NDArray[np.intp]:
    """The channels in which a picture has most bits, most first."""
    return np.argsort(-measured.bits[picture].sum((0, 1)), kind="stable")[:count]


def maps(measured: Measured, picture: int, count: int) -> Floats:
    """Latents (count, h, w) of these channels, in quantisation steps."""
    return np.moveaxis(measured.latents[picture][..., dearest(measured, picture, count)], -1, 0)


def strip(measured: Measured, picture: int, count: int, side: int) -> Pixels:
    """The same as a picture (side, count * side), grey where a latent is zero; of fewer channels, the rest is grey."""
    found = maps(measured, picture, count)
    whole = np.full((side, count * side), 128, np.uint8)
    rows, columns = (np.arange(side) * length // side for length in found.shape[1:])
    for i, each in enumerate(found):
        scaled = 128 + 127 * each / max(1.0, float(np.abs(each).max()))
        whole[:, i * side : (i + 1) * side] = np.clip(np.rint(scaled), 0, 255)[rows][:, columns]
    return whole


def deviations(measured: Measured) -> npt.NDArray[np.int64]:
    """How many coded latents are how far from their means: a histogram (BINS,) in predicted standard deviations."""
    coded = measured.indexes > 0
    scales = np.array([standard_deviation(i) for i in range(int(measured.indexes.max()) + 1)])
    apart = measured.symbols[coded] / scales[measured.indexes[coded]]
    return np.asarray(np.histogram(apart, BINS, (-DEVIATIONS, DEVIATIONS))[0], np.int64)


def activity(measured: Measured) -> npt.NDArray[np.float64]:
    """The mean absolute symbol of each channel."""
    return np.asarray(np.abs(measured.symbols).mean((0, 1, 2)), np.float64)
