"""Tables of integer frequencies: first those of ideal distributions, then fitted to the symbols that really occur."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from aecodec import latents
from aecodec.config import SCALE_COUNT, SCALE_MIN, SCALE_STEP, SharedConfig
from aecodec.entropy import TOTAL_BITS, Indexes, Symbols, quantize
from aecodec.networks import LogisticMixture
from aecodec.transform import Floats, Transform
from aecodec.weights import Arrays

TAIL = 2.0**-TOTAL_BITS  # probability beyond which values are left to the escape
MAX_RADIUS = 400
QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)  # in 0..1; where symbols are counted
GAUSSIAN_WEIGHT = 2000  # symbols that the ideal Gaussian counts for

RawTable = tuple[int, npt.NDArray[np.uint32]]  # minimum and frequencies


def gaussian(index: int) -> RawTable:
    """The zero-mean Gaussian of a scale index, on integers."""
    return _symmetric(_gaussian(index))


def mixture(prior: LogisticMixture) -> list[RawTable]:
    """The tables of the channels of the hyper latents."""
    grid = torch.arange(-MAX_RADIUS, MAX_RADIUS + 1).double()
    channels = prior.weight.shape[0]
    mass = prior.double().probability(grid.repeat(channels, 1)[None])[0].numpy()
    prior.float()
    tables = []
    for row in mass:
        inside = np.flatnonzero(row > TAIL)
        low, high = (int(inside[0]), int(inside[-1])) if len(inside) else (MAX_RADIUS, MAX_RADIUS)
        rest = max(0.0, 1 - row[low : high + 1].sum())
        tables.append((low - MAX_RADIUS, quantize(np.append(row[low : high + 1], rest))))
    return tables


def fitted(config: SharedConfig, arrays: Arrays, pictures: npt.NDArray[np.uint8]) -> list[RawTable]:
    """Tables of the latents as they occur, per scale index, in pictures (N, H, W, C) coded at all qualities.

    ``arrays`` are those of a whole weights file. Rare indexes stay with the ideal Gaussian.
    """
    transform = Transform(config, arrays)
    prior = latents.load_prior(config, arrays)
    counts = np.zeros((SCALE_COUNT, 2 * MAX_RADIUS + 1), np.int64)
    for pixels in pictures:
        y = transform.analyse(pixels[None])
        for q in QUALITIES:
            gain, _ = transform.gains(q)
            counter = _Counter(prior, y, gain, transform.hyper_analyse(y * gain), counts)
            latents.code(prior, counter, *y.shape[:3])
    tables = []
    for index, seen in enumerate(counts):
        ideal = _gaussian(index)
        both_sides = (seen[MAX_RADIUS:] + seen[MAX_RADIUS::-1]) / 2  # the zero, which has one side, counts once
        tables.append(_symmetric((both_sides + GAUSSIAN_WEIGHT * ideal) / (seen.sum() + GAUSSIAN_WEIGHT)))
    return tables


class _Counter(latents.Writer):
    """A writer that also counts symbols by scale index."""

    def __init__(self, prior: latents.Prior, y: Floats, gain: Floats, z: Floats, counts: npt.NDArray[np.int64]) -> None:
        super().__init__(prior, y, gain, z)
        self._counts = counts

    def half(self, tile: latents.Tile, first: bool, mean: Floats, index: Indexes) -> Symbols:
        symbols = super().half(tile, first, mean, index)
        width = self._counts.shape[1]
        cells = index.astype(np.int64) * width + np.clip(symbols, -MAX_RADIUS, MAX_RADIUS) + MAX_RADIUS
        self._counts += np.bincount(cells[index > 0], minlength=self._counts.size).reshape(self._counts.shape)
        return symbols


def _gaussian(index: int) -> npt.NDArray[np.float64]:
    """Probabilities of 0..MAX_RADIUS."""
    scale = SCALE_MIN * math.exp(index * SCALE_STEP)
    beyond = [0.5 * math.erfc((k - 0.5) / (scale * math.sqrt(2))) for k in range(MAX_RADIUS + 2)]
    return -np.diff(beyond)


def _symmetric(probabilities: npt.NDArray[np.float64]) -> RawTable:
    """The table of values whose probabilities at 0, 1, 2 .. are given, and equal at the negative ones."""
    tails = 1 - probabilities[0] - 2 * np.cumsum(probabilities[1:])  # beyond 1, 2, ..
    radius = int(np.argmax(np.append(tails, 0) <= TAIL)) + 1
    inner = probabilities[: min(radius, MAX_RADIUS) + 1]
    rest = max(0.0, 1 - inner[0] - 2 * inner[1:].sum())
    return 1 - len(inner), quantize(np.concatenate([inner[:0:-1], inner, [rest]]))


def join(prefix: str, tables: Sequence[RawTable]) -> Arrays:
    """Tables as the arrays of a weights file."""
    return {
        f"{prefix}.minimum": np.array([minimum for minimum, _ in tables], np.int32),
        f"{prefix}.size": np.array([len(frequencies) for _, frequencies in tables], np.int32),
        f"{prefix}.frequencies": np.concatenate([frequencies for _, frequencies in tables]),
    }
