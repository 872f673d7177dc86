"""Everything that decides probabilities: fixed-point networks, and tables of integer frequencies.

Inside a tile the channels of latents and parameters are kept in the order in which they are coded at their position
(:mod:`aecodec.networks.coding_order`): what a step codes, and what the steps before it have coded, are then the same
slices of the channels everywhere. The networks do that by themselves, with the rows of their first and last layers
permuted for each phase of the positions. What is not known yet, which a context network sees as zeros, and what it says
of latents of other steps are not computed at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aecodec.engine import Dense, Layer, Network, Phased
from aecodec.engine.layers import shapes
from aecodec.engine.symbols import MAX_VALUE
from aecodec.entropy.range_coder import TOTAL_BITS, Table, TableSet
from aecodec.errors import ModelError
from aecodec.networks import fixed_point
from aecodec.networks.coding_order import PHASES, Order, order_of
from aecodec.networks.config import SCALE_COUNT, SharedConfig, context_names
from aecodec.networks.fixed_point import Int16, Int32, Make
from aecodec.networks.gains import POSITION_BITS
from aecodec.threads import spans, spread
from aecodec.weights import Arrays

LARGEST_TABLE = 2**12  # entries
LEAST_ROWS = 4  # of parameters, that a thread computes


@dataclass(frozen=True)
class Tables:
    """The probabilities of all symbols at some quality."""

    of_latents: TableSet  # by scale index
    of_hyper: TableSet  # by channel

    def covered(self, z: Int16) -> Int16:
        """The nearest hyper latents (..., Z) that have entries in the tables, which are those that training saw."""
        low, high = self.of_hyper.minimums, self.of_hyper.minimums + self.of_hyper.escapes - 1
        return np.asarray(np.clip(z, low, high), np.int16)


@dataclass(frozen=True)
class PriorNetwork:
    """A network that gives parameters (n, scale * h, scale * w, ...) for (n, h, w, ...)."""

    network: Network
    scale: int = 1

    def __call__(self, x: Int16) -> Int16:
        """Computed side by side: many pictures in parts of the batch, one in strips of rows."""
        x = np.ascontiguousarray(x)
        if len(x) > 1:
            parts = spans(len(x), len(x))
            results = spread(lambda part: self.network(x[part]), parts)
            return np.asarray(results[0] if len(parts) == 1 else np.concatenate(results), np.int16)
        rows = spans(x.shape[1], x.shape[1], -(-LEAST_ROWS // self.scale))
        strips = spread(lambda part: self.network(x, scaled(part, self.scale)), rows)
        return np.asarray(strips[0] if len(rows) == 1 else np.concatenate(strips, axis=1), np.int16)


def scaled(part: slice, factor: int) -> slice:
    """A range of hyper latents as one of latents, ``factor`` of them to each."""
    return slice(part.start * factor, part.stop * factor)


@dataclass(frozen=True)
class Prior:
    """The prior of a model."""

    channels: int  # of the latents
    hyper_stride: int  # latents per hyper latent
    order: Order
    hyper_synthesis: PriorNetwork
    contexts: tuple[PriorNetwork, ...]  # of all steps but the first
    tables: Sequence[Tables]  # for positions evenly spaced from the lowest to the highest quality

    def tables_at(self, position: int) -> Tables:
        """Those for a position with POSITION_BITS fractional bits."""
        return self.tables[(position * (len(self.tables) - 1) + (1 << POSITION_BITS >> 1)) >> POSITION_BITS]

    def ordered(self, x: Int32) -> Int32:
        """Latents (n, h, w, M) of a tile in the order of coding."""
        result = np.empty_like(x)
        for phase, (row, column) in enumerate(PHASES):
            of_phase = np.s_[:, row::2, column::2]
            for step in range(self.order.steps):
                part = self.order.part(step, self.channels)
                result[*of_phase, part] = x[*of_phase, self.order.channels(step, phase, self.channels)]
        return result

    def restored(self, x: Int32) -> Int32:
        """The inverse of :meth:`ordered`."""
        result = np.empty_like(x)
        for phase, (row, column) in enumerate(PHASES):
            of_phase = np.s_[:, row::2, column::2]
            for step in range(self.order.steps):
                part = self.order.part(step, self.channels)
                result[*of_phase, self.order.channels(step, phase, self.channels)] = x[*of_phase, part]
        return result


def load_prior(config: SharedConfig, arrays: Arrays) -> Prior:
    """The prior of a weights file. Raises ModelError where its tensors do not fit together."""
    make = fixed_point.stored(arrays)
    order, m = order_of(config.coding_steps), config.latent_channels
    try:
        return Prior(
            m,
            config.hyper_stride,
            order,
            _hyper_synthesis(config, make, order),
            tuple(
                _context(config, name, make, order, step) for step, name in enumerate(context_names(config), start=1)
            ),
            _Tables(arrays, config.hyper_channels),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(f"weights do not fit their configuration ({error})") from error


def _hyper_synthesis(config: SharedConfig, make: Make, order: Order) -> PriorNetwork:
    *first, last = fixed_point.hyper_synthesis(config, make)
    _check([*first, last], config.hyper_channels, 2 * config.latent_channels)
    permuted = [_both(order.permutation(phase, config.latent_channels), config) for phase in range(len(PHASES))]
    network = Network((*first, _phased(last, outputs=permuted)))
    return PriorNetwork(network, config.hyper_stride)


def _context(config: SharedConfig, name: str, make: Make, order: Order, step: int) -> PriorNetwork:
    m = config.latent_channels
    first, *middle, last = fixed_point.context(config, name, make)
    _check([first, *middle, last], 3 * m, 2 * m)
    orders = [order.permutation(phase, m) for phase in range(len(PHASES))]
    part = order.part(step, m)
    takes = [np.concatenate([_both(channels, config), 2 * m + channels[: part.start]]) for channels in orders]
    gives = [_both(channels[part], config) for channels in orders]
    network = Network((_phased(first, inputs=takes), *middle, _phased(last, outputs=gives)))
    return PriorNetwork(network)


def _both(channels: npt.NDArray[np.intp], config: SharedConfig) -> npt.NDArray[np.intp]:
    """Where means and then scale indices of these latents are among the parameters."""
    return np.concatenate([channels, config.latent_channels + channels])


def _phased(
    layer: Layer,
    inputs: Iterable[npt.NDArray[np.intp]] | None = None,
    outputs: Iterable[npt.NDArray[np.intp]] | None = None,
) -> Phased:
    """A dense layer with some of its inputs, the others being zero, or of its outputs, depending on the phase."""
    assert isinstance(layer, Dense)
    weight, bias, shift, slope = layer.weight, layer.bias, layer.shift, layer.slope
    if inputs is not None:
        phases = [Dense(np.ascontiguousarray(weight[of]), bias, shift, slope) for of in inputs]
    else:
        assert outputs is not None
        phases = [Dense(np.ascontiguousarray(weight[:, of]), bias[of], shift[of], slope) for of in outputs]
    first, second, third, fourth = phases
    return Phased((first, second, third, fourth))


def _check(layers: Iterable[Layer], inputs: int, outputs: int) -> None:
    """Raise ValueError for layers that do not fit together, or have not so many channels at their ends."""
    *_, last = shapes(tuple(layers), (2, 2, inputs))
    if last[2] != outputs:
        raise ValueError(f"{last[2]} channels where {outputs} are needed")


class _Tables(Sequence[Tables]):
    """The tables of all qualities, made when they are asked for: a file needs those of one."""

    def __init__(self, arrays: Arrays, hyper_channels: int) -> None:
        self._of_latents = _Sets(arrays, "latent_tables", SCALE_COUNT)
        self._of_hyper = _Sets(arrays, "hyper_tables", hyper_channels)
        if len(self._of_latents) != len(self._of_hyper):
            raise ModelError(f"tables of {len(self._of_latents)} and of {len(self._of_hyper)} qualities")
        self._made: dict[int, Tables] = {}

    def __len__(self) -> int:
        return len(self._of_latents)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        if at not in self._made:
            self._made[at] = Tables(self._of_latents[at], self._of_hyper[at])
        return self._made[at]


class _Sets:
    """Sets of ``size`` tables. Raises ModelError for numbers that are out of range or do not fit together."""

    def __init__(self, arrays: Arrays, prefix: str, size: int) -> None:
        self._minimums = _integers(arrays, f"{prefix}.minimum", -MAX_VALUE, MAX_VALUE)
        sizes = _integers(arrays, f"{prefix}.size", 2, LARGEST_TABLE)
        self._frequencies = _integers(arrays, f"{prefix}.frequencies", 1, 2**TOTAL_BITS).astype(np.uint32)
        self._ends, self._size = np.cumsum(sizes), size
        count, ends = len(sizes), self._ends
        if not count or count % size or ends[-1] != len(self._frequencies) or len(self._minimums) != count:
            raise ModelError(f"{prefix}: {count} tables, {size} needed for each quality")
        if (np.add.reduceat(self._frequencies, ends - sizes, dtype=np.int64) != 2**TOTAL_BITS).any():
            raise ModelError(f"{prefix}: frequencies of a table whose sum is not 2^{TOTAL_BITS}")

    def __len__(self) -> int:
        return len(self._ends) // self._size

    def __getitem__(self, index: int) -> TableSet:
        of = slice(index * self._size, (index + 1) * self._size)
        start = int(self._ends[of.start - 1]) if of.start else 0
        ends = self._ends[of] - start
        parts = np.split(self._frequencies[start : start + ends[-1]], ends[:-1])
        return TableSet(tuple(Table(int(m), p) for m, p in zip(self._minimums[of], parts, strict=True)))


def _integers(arrays: Arrays, name: str, low: int, high: int) -> npt.NDArray[np.int64]:
    array = arrays[name]
    if (
        array.ndim != 1
        or array.dtype.kind not in "iu"
        or (array.size and not low <= array.min() <= array.max() <= high)
    ):
        raise ModelError(f"{name}: not a row of integers within {low}..{high}")
    return array.astype(np.int64)
