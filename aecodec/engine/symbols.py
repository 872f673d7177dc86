"""From parameters to symbols and back: loops over every latent, compiled where there was a C compiler.

What they compute is defined at the heads of :mod:`aecodec.entropy.latents` and :mod:`aecodec.networks.gains`.
:class:`Numpy` does the same as :class:`Native`, more slowly; tests hold them equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from aecodec.engine.network import NUMPY, chosen

try:
    from aecodec.engine import _symbols
except ImportError:  # installed where there was no C compiler
    _symbols = None  # type: ignore[assignment]

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Indexes = npt.NDArray[np.uint8]

Number = TypeVar("Number", bound=np.generic)

MEAN_BITS = 6  # fractional bits of means and latents
SCALED_BITS = 10  # of latents before they are quantised
INDEX_SHIFT = 3  # from parameters to scale indices
LAST_INDEX = 63
MAX_VALUE = 2**20  # of a symbol; of the transforms' latents none is half as large


@dataclass(frozen=True)
class Step:
    """Of M latents at every position of a tile, those that are coded now: ``count`` of them, from ``first`` on."""

    all: int
    first: int
    count: int


class Kernels(Protocol):
    """The loops. Arrays are (..., M), (..., 2 M) for parameters, and (..., K) or (..., 2 K) for what a step codes."""

    def expect(self, step: Step, parameters: Int16, correction: Int16 | None) -> tuple[Int32, Indexes]:
        """Means and scale indices."""
        ...

    def known(self, step: Step, parameters: Int16, latents: Int32) -> Int16:
        """What the context network of a step sees: parameters, and the latents of the steps before."""
        ...

    def restore(self, step: Step, symbols: Int32, mean: Int32, latents: Int32) -> None:
        """Set the latents of a step."""
        ...

    def quantise(self, step: Step, scaled: Int32, mean: Int32, index: Indexes, zone: Int32) -> tuple[Int32, float]:
        """Symbols, and the sum of squares of those that are not zero although their scale index is."""
        ...

    def scale(self, y: Int16, factor: Int64, shift: int) -> Int32:
        """Latents times a factor of each channel."""
        ...

    def scale_saturated(self, y: Int16, factor: Int64, shift: int) -> Int16:
        """The same as int16."""
        ...

    def unscale(self, latents: Int32, factor: Int64, shift: int) -> Int16:
        """The same of decoded latents."""
        ...


GUESS_BITS = 9  # of a probability, by which compiled code finds entries of tables
Tables = tuple[Int32, Int32, npt.NDArray[np.uint32], npt.NDArray[np.uint16]]  # see native/symbols/symbols.h
State = npt.NDArray[np.uint64]


def encode(state: State, tables: Tables, first: int, symbols: Int32, index: Indexes) -> tuple[bytes, int]:
    """The words of the range coder that are certain now, and how many symbols are escapes. Only where native."""
    return _symbols.encode(state, tables, first, _whole(symbols), _whole(index))


def decode(
    state: State, words: npt.NDArray[np.uint32], tables: Tables, first: int, index: Indexes
) -> tuple[Int32, int]:
    """Symbols, and how many of them are escapes, or -1 where no encoder wrote the words. Only where native."""
    symbols = np.empty(index.size, np.int32)
    return symbols, _symbols.decode(state, words, tables, first, _whole(index), symbols)


def kernels() -> Kernels:
    """The fastest there are, or NumPy's where AECODEC_KERNELS asks for that."""
    return Native() if native() else Numpy()


def native() -> bool:
    """Whether compiled code is there and wanted."""
    return _symbols is not None and chosen() != NUMPY


@dataclass(frozen=True)
class Numpy:
    """In NumPy."""

    def expect(self, step: Step, parameters: Int16, correction: Int16 | None) -> tuple[Int32, Indexes]:
        end = step.first + step.count
        mean = parameters[..., step.first : end].astype(np.int32)
        scale = parameters[..., step.all + step.first : step.all + end].astype(np.int32)
        if correction is not None:
            mean += correction[..., : step.count]
            scale += correction[..., step.count :]
        return mean, np.clip((scale + (1 << INDEX_SHIFT >> 1)) >> INDEX_SHIFT, 0, LAST_INDEX).astype(np.uint8)

    def known(self, step: Step, parameters: Int16, latents: Int32) -> Int16:
        return np.concatenate([parameters, _saturated(latents[..., : step.first])], axis=-1)

    def restore(self, step: Step, symbols: Int32, mean: Int32, latents: Int32) -> None:
        latents[..., step.first : step.first + step.count] = (symbols << MEAN_BITS) + mean

    def quantise(self, step: Step, scaled: Int32, mean: Int32, index: Indexes, zone: Int32) -> tuple[Int32, float]:
        deviation = scaled[..., step.first : step.first + step.count] - (mean << (SCALED_BITS - MEAN_BITS))
        symbols: Int32 = np.clip((deviation + (1 << SCALED_BITS >> 1)) >> SCALED_BITS, -MAX_VALUE, MAX_VALUE)
        symbols *= np.abs(deviation) >= zone[index]
        lost = symbols[index == 0].astype(np.float64)
        return symbols, float(lost @ lost)

    def scale(self, y: Int16, factor: Int64, shift: int) -> Int32:
        return np.asarray(y * factor + (1 << shift >> 1) >> shift, np.int32)

    def scale_saturated(self, y: Int16, factor: Int64, shift: int) -> Int16:
        return _saturated(y * factor + (1 << shift >> 1) >> shift)

    def unscale(self, latents: Int32, factor: Int64, shift: int) -> Int16:
        return _saturated(latents * factor + (1 << shift >> 1) >> shift)


@dataclass(frozen=True)
class Native:
    """In C."""

    def expect(self, step: Step, parameters: Int16, correction: Int16 | None) -> tuple[Int32, Indexes]:
        shape = *parameters.shape[:-1], step.count
        mean, index = np.empty(shape, np.int32), np.empty(shape, np.uint8)
        _symbols.expect(
            _of(step, shape), _whole(parameters), None if correction is None else _whole(correction), mean, index
        )
        return mean, index

    def known(self, step: Step, parameters: Int16, latents: Int32) -> Int16:
        result = np.empty((*latents.shape[:-1], 2 * step.all + step.first), np.int16)
        _symbols.known(_of(step, latents.shape), _whole(parameters), _whole(latents), result)
        return result

    def restore(self, step: Step, symbols: Int32, mean: Int32, latents: Int32) -> None:
        _symbols.restore(_of(step, latents.shape), _whole(symbols), _whole(mean), latents)

    def quantise(self, step: Step, scaled: Int32, mean: Int32, index: Indexes, zone: Int32) -> tuple[Int32, float]:
        symbols = np.empty(mean.shape, np.int32)
        zones = np.zeros(256, np.int32)
        zones[: len(zone)] = zone
        lost = _symbols.quantise(_of(step, mean.shape), _whole(scaled), _whole(mean), _whole(index), zones, symbols)
        return symbols, lost

    def scale(self, y: Int16, factor: Int64, shift: int) -> Int32:
        result = np.empty(y.shape, np.int32)
        _symbols.scale(*_rows(y), shift, _whole(y), factor, result)
        return result

    def scale_saturated(self, y: Int16, factor: Int64, shift: int) -> Int16:
        result = np.empty(y.shape, np.int16)
        _symbols.scale_saturated(*_rows(y), shift, _whole(y), factor, result)
        return result

    def unscale(self, latents: Int32, factor: Int64, shift: int) -> Int16:
        result = np.empty(latents.shape, np.int16)
        _symbols.unscale(*_rows(latents), shift, _whole(latents), factor, result)
        return result


def _saturated(x: npt.NDArray[np.integer]) -> Int16:
    return np.asarray(np.clip(x, -(2**15), 2**15 - 1), np.int16)


def _whole(x: npt.NDArray[Number]) -> npt.NDArray[Number]:
    return np.ascontiguousarray(x)


def _rows(x: npt.NDArray[np.generic]) -> tuple[int, int]:
    return x.size // x.shape[-1], x.shape[-1]


def _of(step: Step, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    positions = 1
    for side in shape[:-1]:
        positions *= side
    return positions, step.all, step.first, step.count
