"""Tables of integer frequencies: first those of ideal distributions, then fitted to the symbols that really occur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from aecodec.entropy import latents
from aecodec.entropy.prior import load_prior
from aecodec.entropy.range_coder import TOTAL_BITS, Indexes, Symbols, quantize
from aecodec.networks.config import SCALE_COUNT, SharedConfig, standard_deviation
from aecodec.networks.fixed_point import Int16, Int32
from aecodec.networks.gains import POSITION_BITS
from aecodec.networks.model import LogisticMixture
from aecodec.transform import Transform
from aecodec.weights import Arrays

TAIL = 2.0**-TOTAL_BITS  # probability beyond which values are left to the escape
MAX_RADIUS = 400
QUALITIES = tuple(k / 8 for k in range(9))  # in 0..1; each has its set of tables
PRIOR_WEIGHT = 2000  # symbols that a table counts for where it is the prior of another one
HYPER_WEIGHT = 1000  # the same of the learned densities of the hyper latents

RawTable = tuple[int, npt.NDArray[np.uint32]]  # minimum and frequencies
Probabilities = npt.NDArray[np.float64]


def ideal(prior: LogisticMixture) -> Arrays:
    """Tables of Gaussians for the latents, and of the learned densities for the hyper latents."""
    gaussians = [_symmetric(_gaussian(index)) for index in range(SCALE_COUNT)]
    densities = [_table(row) for row in _densities(prior).reshape(-1, 2 * MAX_RADIUS + 1)]
    return _join("latent_tables", gaussians * len(QUALITIES)) | _join("hyper_tables", densities)


def fitted(config: SharedConfig, arrays: Arrays, prior: LogisticMixture, pictures: npt.NDArray[np.uint8]) -> Arrays:
    """Tables of the symbols as they occur in pictures (N, H, W, C), per quality.

    ``arrays`` are those of a whole weights file with the ideal tables. Where symbols are rare, those of a scale index
    stay with what they are over all qualities, these with the Gaussian, and hyper latents with their density.
    """
    counts = _count(config, arrays, pictures)
    pooled = [_both_sides(seen, _gaussian(index)) for index, seen in enumerate(counts.latents.sum(0))]
    of_latents = [
        _symmetric(_both_sides(seen, pooled[index]))
        for by_index in counts.latents
        for index, seen in enumerate(by_index)
    ]
    mixed = counts.hyper + HYPER_WEIGHT * _densities(prior)
    of_hyper = [_table(row / row.sum()) for row in mixed.reshape(-1, 2 * MAX_RADIUS + 1)]
    return _join("latent_tables", of_latents) | _join("hyper_tables", of_hyper)


@dataclass(frozen=True)
class _Counts:
    """How often symbols -MAX_RADIUS..MAX_RADIUS occur, at each of QUALITIES."""

    latents: npt.NDArray[np.int64]  # (qualities, scale indices, values)
    hyper: npt.NDArray[np.int64]  # (qualities, channels, values)


def _count(config: SharedConfig, arrays: Arrays, pictures: npt.NDArray[np.uint8]) -> _Counts:
    transform = Transform(config, arrays, crop=pictures.shape[1])
    prior = load_prior(config, arrays)
    values = 2 * MAX_RADIUS + 1
    counts = _Counts(
        np.zeros((len(QUALITIES), SCALE_COUNT, values), np.int64),
        np.zeros((len(QUALITIES), config.hyper_channels, values), np.int64),
    )
    for pixels in pictures:
        y = transform.analyse(pixels[None])
        for q, of_latents, of_hyper in zip(QUALITIES, counts.latents, counts.hyper, strict=True):
            gain = transform.gains.at_position(round(q * 2**POSITION_BITS))
            side = latents.Quantiser(prior, y, gain, transform.hyper_analyse(y, gain))
            latents.code(prior, _Counter(side, of_latents, of_hyper), gain, *y.shape[:3])
    return counts


def _add(counts: npt.NDArray[np.int64], symbols: npt.NDArray[np.integer], rows: npt.NDArray[np.integer]) -> None:
    """Count ``symbols``, each in its row of ``counts`` (rows, values)."""
    values = counts.shape[1]
    cells = rows.astype(np.int64) * values + np.clip(symbols, -MAX_RADIUS, MAX_RADIUS) + MAX_RADIUS
    counts += np.bincount(cells.ravel(), minlength=counts.size).reshape(counts.shape)


@dataclass(frozen=True)
class _Counter:
    """A side that counts the symbols of another one: those of latents by scale index, of hyper latents by channel."""

    side: latents.Side
    of_latents: npt.NDArray[np.int64]
    of_hyper: npt.NDArray[np.int64]

    def hyper(self, count: int, height: int, width: int) -> Int16:
        symbols = self.side.hyper(count, height, width)
        _add(self.of_hyper, symbols, np.arange(symbols.shape[-1]))
        return symbols

    def step(self, part: latents.Part, mean: Int32, index: Indexes) -> Symbols:
        symbols = self.side.step(part, mean, index)
        coded = index > 0
        _add(self.of_latents, symbols[coded], index[coded])
        return symbols


def _densities(prior: LogisticMixture) -> Probabilities:
    """Probabilities (qualities, channels, values) of -MAX_RADIUS..MAX_RADIUS."""
    q = torch.tensor(QUALITIES).double()
    grid = torch.arange(-MAX_RADIUS, MAX_RADIUS + 1).double()
    with torch.no_grad():
        return deepcopy(prior).double().probability(grid.expand(len(q), prior.mean.shape[1], -1), q).numpy()


def _both_sides(seen: npt.NDArray[np.int64], prior: Probabilities) -> Probabilities:
    """Probabilities of 0..MAX_RADIUS from how often -MAX_RADIUS..MAX_RADIUS were seen, and a prior of 0..MAX_RADIUS."""
    mean = (seen[MAX_RADIUS:] + seen[MAX_RADIUS::-1]) / 2  # the zero, which has one side, counts once
    return np.asarray((mean + PRIOR_WEIGHT * prior) / (seen.sum() + PRIOR_WEIGHT))


def _table(probabilities: Probabilities) -> RawTable:
    """The table of values whose probabilities from -MAX_RADIUS up are given."""
    inside = np.flatnonzero(probabilities > TAIL)
    low, high = (int(inside[0]), int(inside[-1])) if len(inside) else (MAX_RADIUS, MAX_RADIUS)
    rest = max(0.0, 1 - probabilities[low : high + 1].sum())
    return low - MAX_RADIUS, quantize(np.append(probabilities[low : high + 1], rest))


def _gaussian(index: int) -> npt.NDArray[np.float64]:
    """Probabilities that a Gaussian of this scale index rounds to 0, 1 .. MAX_RADIUS."""
    scale = standard_deviation(index)
    beyond = [0.5 * math.erfc((k - 0.5) / (scale * math.sqrt(2))) for k in range(MAX_RADIUS + 2)]
    return -np.diff(beyond)


def _symmetric(probabilities: npt.NDArray[np.float64]) -> RawTable:
    """The table of values whose probabilities at 0, 1, 2 .. are given, and equal at the negative ones."""
    tails = 1 - probabilities[0] - 2 * np.cumsum(probabilities[1:])  # beyond 1, 2, ..
    radius = int(np.argmax(np.append(tails, 0) <= TAIL)) + 1
    inner = probabilities[: min(radius, MAX_RADIUS) + 1]
    rest = max(0.0, 1 - inner[0] - 2 * inner[1:].sum())
    return 1 - len(inner), quantize(np.concatenate([inner[:0:-1], inner, [rest]]))


def _join(prefix: str, tables: Sequence[RawTable]) -> Arrays:
    """Tables as the arrays of a weights file."""
    return {
        f"{prefix}.minimum": np.array([minimum for minimum, _ in tables], np.int32),
        f"{prefix}.size": np.array([len(frequencies) for _, frequencies in tables], np.int32),
        f"{prefix}.frequencies": np.concatenate([frequencies for _, frequencies in tables]).astype(np.uint16),
    }
