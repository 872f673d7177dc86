"""Per-channel factors on the latents, in integers, and what a quality means to the networks.

A quality of users, 1..100, is a position 0..1 between the lowest and the highest rate that a model knows. The map is
part of the model: its positions at the qualities 1, 2 .. 100 are stored with POSITION_BITS fractional bits, and linear
in between. The logarithms (base 2) of the factors are stored at a few evenly spaced positions, and linear in between
(Cui et al., CVPR 2021).

All of it is exact. With L a logarithm of LOG_BITS = 16 fractional bits, i = (L mod 2^16) >> 10, f = L mod 2^10 and
T[i] = floor(2^(30 + i / 64)),

    factor = (T[i] * (1024 - f) + T[i + 1] * f) >> (10 + 30 - GAIN_BITS - floor(L / 2^16))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from aecodec.engine.symbols import SCALED_BITS, kernels
from aecodec.errors import ModelError
from aecodec.networks.config import SharedConfig
from aecodec.networks.fixed_point import PRIOR_BITS, Int16, Int32, fractions
from aecodec.weights import Arrays

QUALITIES = 100
POSITION_BITS = 16
LOG_BITS = 16
GAIN_BITS = 20  # fractional bits of the factors
LARGEST_LOG = 8  # of absolute logarithms
HIGHEST = 100 * QUALITIES  # quality in hundredths
LOWEST = 100

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """The factors of a model at one quality, (M,), with GAIN_BITS fractional bits."""

    before: Integers  # quantisation
    after: Integers
    bits_before: int  # fractional bits of the analysis' latents
    bits_after: int  # of those that the synthesis takes

    def apply(self, y: Int16, bits: int = SCALED_BITS) -> Int32:
        """Latents (..., M) of the analysis, scaled, with so many fractional bits."""
        return kernels().scale(y, self.before, self.bits_before + GAIN_BITS - bits)

    def apply_saturated(self, y: Int16, bits: int) -> Int16:
        """The same, saturated to 16 bits."""
        return kernels().scale_saturated(y, self.before, self.bits_before + GAIN_BITS - bits)

    def undo(self, latents: Int32) -> Int16:
        """Latents (..., M) for the synthesis, of scaled ones with PRIOR_BITS fractional bits."""
        return kernels().unscale(latents, self.after, PRIOR_BITS + GAIN_BITS - self.bits_after)


@dataclass(frozen=True)
class Gains:
    """The factors of a model at all qualities."""

    positions: Integers  # (QUALITIES,), rising from 0 to 2^POSITION_BITS
    encode: Integers  # (knots, M), logarithms
    decode: Integers
    bits_before: int
    bits_after: int

    def position(self, hundredths: int) -> int:
        """Of a quality in hundredths, 100..10000."""
        below, rest = divmod(hundredths - LOWEST, 100)
        above = min(below + 1, QUALITIES - 1)
        return int(self.positions[below] * (100 - rest) + self.positions[above] * rest) // 100

    def at(self, hundredths: int) -> Gain:
        """The factors at a quality in hundredths."""
        return self.at_position(self.position(hundredths))

    def at_position(self, position: int) -> Gain:
        """The factors at a position."""
        before, after = (_power(_between(side, position)) for side in (self.encode, self.decode))
        return Gain(before, after, self.bits_before, self.bits_after)


def load_gains(config: SharedConfig, arrays: Arrays) -> Gains:
    """The gains of a weights file. Raises ModelError where they do not fit."""
    try:
        stored = [arrays[f"gains.{part}"] for part in ("positions", "encode", "decode")]
    except KeyError as error:
        raise ModelError(f"weights do not fit their configuration ({error} is missing)") from error
    if any(array.dtype != np.int32 for array in stored):
        raise ModelError("gains that are not int32")
    positions, encode, decode = (array.astype(np.int64) for array in stored)
    if positions.shape != (QUALITIES,) or (np.diff(positions) < 0).any() or tuple(positions[[0, -1]]) != _ENDS:
        raise ModelError("the positions of the qualities do not rise from 0 to 1")
    for side in (encode, decode):
        if side.ndim != 2 or len(side) < 2 or side.shape[1] != config.latent_channels:
            raise ModelError(f"gains of the shape {side.shape}, for {config.latent_channels} latents")
        if np.abs(side).max() > LARGEST_LOG << LOG_BITS:
            raise ModelError("gains out of range")
    bits = fractions(arrays)
    return Gains(positions, encode, decode, bits["analysis"], bits["synthesis"])


def logarithms(natural: Floats) -> npt.NDArray[np.int32]:
    """Natural logarithms as they are stored."""
    limit = LARGEST_LOG << LOG_BITS
    return np.asarray(np.clip(np.rint(natural / math.log(2) * 2**LOG_BITS), -limit, limit), np.int32)


def natural_logarithms(stored: npt.NDArray[np.generic]) -> Floats:
    """The inverse of :func:`logarithms`."""
    logs: Floats = stored.astype(np.float64) * (math.log(2) / 2**LOG_BITS)
    return logs


def quality_map(knots: Sequence[tuple[float, float]] = ((1, 0), (100, 1))) -> npt.NDArray[np.int32]:
    """Positions as they are stored, of pairs (quality, position), between which they are linear.

    Raises ValueError where the pairs do not rise from (1, 0) to (100, 1).
    """
    qualities, positions = (np.array(side, np.float64) for side in zip(*knots, strict=True))
    if (np.diff(qualities) <= 0).any() or (np.diff(positions) < 0).any():
        raise ValueError("the map from qualities to positions does not rise")
    if (qualities[0], positions[0], qualities[-1], positions[-1]) != (1, 0, QUALITIES, 1):
        raise ValueError("the map from qualities to positions does not go from 1, 0 to 100, 1")
    at = np.interp(np.arange(1, QUALITIES + 1), qualities, positions)
    return np.asarray(np.rint(at * 2**POSITION_BITS), np.int32)


_ENDS = (0, 2**POSITION_BITS)


def _between(knots: Integers, position: int) -> Integers:
    """Linear between the knots, evenly spaced over the positions."""
    below, rest = divmod(position * (len(knots) - 1), 2**POSITION_BITS)
    above = min(below + 1, len(knots) - 1)
    return np.asarray(knots[below] * (2**POSITION_BITS - rest) + knots[above] * rest >> POSITION_BITS)


@cache
def _powers() -> Integers:
    """floor(2^(30 + i / 64)) for i = 0 .. 64."""

    def root(square: int) -> int:
        for _ in range(6):  # the square root of the square root .. of 2^(64 * 30 + i)
            square = math.isqrt(square)
        return square

    return np.array([root(1 << (64 * 30 + i)) for i in range(65)], np.int64)


def _power(logarithm: Integers) -> Integers:
    table = _powers()
    whole, part = logarithm >> LOG_BITS, logarithm & (2**LOG_BITS - 1)
    index, rest = part >> 10, part & 1023
    return np.asarray(table[index] * (1024 - rest) + table[index + 1] * rest >> 10 + 30 - GAIN_BITS - whole)
