"""Latents <-> bytes: which symbol is coded when, and with which probabilities.

Encoder and decoder run the same function, :func:`code`; what differs is only the side they pass in, which either
writes given symbols or reads them. So the two cannot drift apart.

Order of the symbols:

1. the hyper latents (pictures, rows, columns, channels), each with the table of its channel; a file of one picture has
   a batch of one;
2. the latents in tiles of 64 x 64 positions, left to right and top to bottom; a tile knows nothing of the others.
   From the tile's hyper latents the hyper synthesis computes means and scale indices. A tile is coded in two or three
   steps; before each but the first, a context network corrects the probabilities by the latents known so far.
   :mod:`aecodec.networks.coding_order` has the channels that a step codes where row and column (within the tile) are
   even or odd.
   Order within a step: pictures, rows, columns, channels. Scale index 0 means that the symbol is zero and is not coded.

A latent is symbol + mean; means are multiples of 2^-6.

Tables depend on the quality: a model has B sets of them, and the one used is number (quality - 1) / 99 * (B - 1),
rounded.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aecodec.entropy import exact
from aecodec.entropy.context import Context, cells, split
from aecodec.entropy.exact import FRACTION_BITS
from aecodec.entropy.range_coder import MAX_VALUE, Indexes, SymbolDecoder, SymbolEncoder, Symbols, Table
from aecodec.errors import ModelError
from aecodec.networks.coding_order import Order, order_of
from aecodec.networks.config import INDEX_UNIT, SCALE_COUNT, SharedConfig, context_names
from aecodec.networks.dead_zone import DEAD_ZONE
from aecodec.weights import Arrays

Floats = npt.NDArray[np.float32]

TILE = 64  # latents
HYPER_LIMIT = 2**9  # of hyper latents, as the hyper synthesis sees them
LATENT_LIMIT = 2**11  # of latents, as the context network sees them
CONTEXT_LIMIT = LATENT_LIMIT << FRACTION_BITS

_ONE = 2**FRACTION_BITS
_INDEX_SHIFT = FRACTION_BITS - (INDEX_UNIT.bit_length() - 1)  # from parameters (index / 8) to scale indices


@dataclass(frozen=True)
class Tables:
    """The probabilities of all symbols at some quality."""

    of_latents: tuple[Table, ...]  # by scale index
    of_hyper: tuple[Table, ...]  # by channel

    def covered(self, z: Floats) -> Floats:
        """The nearest hyper latents (..., Z) that have entries in the tables, which are those that training saw."""
        low, high = zip(*((t.minimum, t.minimum + t.escape - 1) for t in self.of_hyper), strict=True)
        return np.clip(z, np.array(low, np.float32), np.array(high, np.float32))


@dataclass(frozen=True)
class Prior:
    """Everything that decides probabilities: integer networks and tables."""

    channels: int  # of the latents
    hyper_stride: int  # latents per hyper latent
    hyper_synthesis: tuple[exact.Layer, ...]
    order: Order
    contexts: tuple[Context, ...]  # of all steps but the first
    tables: tuple[Tables, ...]  # for qualities evenly spaced from the lowest to the highest

    def tables_at(self, q: float) -> Tables:
        """Those for a quality in 0..1."""
        return self.tables[math.floor(q * (len(self.tables) - 1) + 0.5)]


def load_prior(config: SharedConfig, arrays: Arrays) -> Prior:
    """The prior of a weights file. Raises ModelError where its tensors do not fit together."""
    try:
        limit = int(arrays[f"hyper_synthesis.{len(config.HYPER_SYNTHESIS) - 1}.scale"][1])
        if limit > CONTEXT_LIMIT:
            raise ModelError(f"parameters up to {limit} are too large for the context network")
        order = order_of(config.coding_steps)
        return Prior(
            config.latent_channels,
            config.hyper_stride,
            exact.build(config.HYPER_SYNTHESIS, arrays, "hyper_synthesis", HYPER_LIMIT),
            order,
            tuple(
                split(exact.build(config.CONTEXT, arrays, name, CONTEXT_LIMIT), order, step, config.latent_channels)
                for step, name in enumerate(context_names(config), start=1)
            ),
            _tables(arrays, config.hyper_channels),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(f"weights do not fit their configuration ({error})") from error


def _tables(arrays: Arrays, hyper_channels: int) -> tuple[Tables, ...]:
    of_latents = _sets(arrays, "latent_tables", SCALE_COUNT)
    of_hyper = _sets(arrays, "hyper_tables", hyper_channels)
    return tuple(Tables(*pair) for pair in zip(of_latents, of_hyper, strict=True))


def _sets(arrays: Arrays, prefix: str, size: int) -> list[tuple[Table, ...]]:
    """Sets of ``size`` tables."""
    frequencies = arrays[f"{prefix}.frequencies"].astype(np.uint32)
    ends = np.cumsum(arrays[f"{prefix}.size"].astype(np.int64))
    if not len(ends) or len(ends) % size or ends[-1] != len(frequencies):
        raise ModelError(f"{prefix}: {len(ends)} tables, {size} needed for each quality")
    parts = np.split(frequencies, ends[:-1])
    tables = [Table(int(m), p) for m, p in zip(arrays[f"{prefix}.minimum"], parts, strict=True)]
    return [tuple(tables[i : i + size]) for i in range(0, len(tables), size)]


class Side(Protocol):
    """The encoder's or the decoder's half of the conversation."""

    def hyper(self, count: int, height: int, width: int) -> Symbols:
        """Hyper latents (count, height, width, Z)."""
        ...

    def step(self, part: Part, mean: Floats, index: Indexes) -> Symbols:
        """Symbols (n, h, w, K) of one step of a tile, zero where ``index`` is zero."""
        ...


@dataclass(frozen=True)
class Tile:
    """A window of the latent grid."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Of the grid."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Of the grid."""
        return slice(self.left, self.left + self.width)

    def of_hyper(self, grid: Floats, stride: int) -> Floats:
        """The hyper latents of this window, of all of them (n, rows, columns, channels), as a view."""
        rows, columns = (slice(side.start // stride, -(-side.stop // stride)) for side in (self.rows, self.columns))
        return grid[:, rows, columns]

    def of(self, grid: Floats) -> Floats:
        """This window of grids (n, rows, columns, channels), as a view."""
        return grid[:, self.rows, self.columns]


@dataclass(frozen=True)
class Part:
    """What one step codes of a tile: K of the M channels at each position."""

    tile: Tile
    order: Order
    step: int

    def pick(self, x: exact.Array) -> exact.Array:
        """This part (n, h, w, K) of ``x`` (n, h, w, M)."""
        channels = x.shape[-1]
        result = np.empty((*x.shape[:-1], self.order.coded_count(self.step, channels)), x.dtype)
        for phase, where in cells():
            result[:, *where] = x[:, *where, self.order.coded(self.step, phase, channels)]
        return result

    def put(self, part: exact.Array, x: exact.Array) -> None:
        """The inverse of :meth:`pick`: set this part of ``x``."""
        for phase, where in cells():
            x[:, *where, self.order.coded(self.step, phase, x.shape[-1])] = part[:, *where]


def tiles(height: int, width: int) -> Iterator[Tile]:
    """The tiles of a latent grid."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield Tile(top, left, min(TILE, height - top), min(TILE, width - left))


def code(prior: Prior, side: Side, count: int, height: int, width: int) -> Floats:
    """Write or read the latents of ``count`` grids; what the decoder knows of them, (count, height, width, M)."""
    z = side.hyper(count, -(-height // prior.hyper_stride), -(-width // prior.hyper_stride))
    seen = np.clip(z, -HYPER_LIMIT, HYPER_LIMIT).astype(np.float32)
    result = np.empty((count, height, width, prior.channels), np.float32)
    for tile in tiles(height, width):
        tile.of(result)[:] = _code_tile(prior, side, seen, tile)
    return result


def _code_tile(prior: Prior, side: Side, z: Floats, tile: Tile) -> Floats:
    parameters = exact.run(prior.hyper_synthesis, tile.of_hyper(z, prior.hyper_stride))
    parameters = parameters[:, : tile.height, : tile.width]
    latents = np.zeros((*parameters.shape[:-1], prior.channels), np.float32)
    for step in range(prior.order.steps):
        part = Part(tile, prior.order, step)
        of_part = np.concatenate([part.pick(x) for x in np.split(parameters, 2, axis=-1)], axis=-1)
        if step:
            known = np.clip(latents * np.float32(_ONE), -CONTEXT_LIMIT, CONTEXT_LIMIT)
            of_part += prior.contexts[step - 1](parameters, known)
        part.put(_code_step(side, part, of_part), latents)
    return latents


def _code_step(side: Side, part: Part, parameters: exact.Array) -> Floats:
    mean, scale = np.split(parameters, 2, axis=-1)
    index = np.clip(np.floor((scale + 2 ** (_INDEX_SHIFT - 1)) * 2.0**-_INDEX_SHIFT), 0, SCALE_COUNT - 1)
    mean = mean * np.float32(1 / _ONE)
    symbols = side.step(part, mean, index.astype(np.uint8))
    return np.asarray(mean + symbols, np.float32)


def _channels(positions: int, channels: int) -> Indexes:
    return np.tile(np.arange(channels, dtype=np.uint8), positions)


class Quantiser:
    """Rounds the latents (n, h, w, M), times a gain (M,), and hyper latents: what the encoder does before it codes."""

    def __init__(self, y: Floats, gain: Floats, z: Floats) -> None:
        self._y, self._gain, self._z = y, gain, z
        self.lost = 0.0  # sum of the squares of symbols that are not coded, for their scale index is 0, but not zero

    def hyper(self, count: int, height: int, width: int) -> Symbols:
        return _round(self._z)

    def step(self, part: Part, mean: Floats, index: Indexes) -> Symbols:
        coded = index > 0
        deviation = part.pick(part.tile.of(self._y) * self._gain) - mean
        symbols = _round(deviation)
        symbols *= np.abs(deviation) >= DEAD_ZONE[index]
        self.lost += float(np.square(symbols[~coded], dtype=np.float64).sum())
        symbols *= coded
        return symbols


class Writer:
    """The encoder's side: rounds latents and hyper latents as :class:`Quantiser`, and encodes them."""

    def __init__(self, tables: Tables, y: Floats, gain: Floats, z: Floats) -> None:
        self._tables, self._quantiser = tables, Quantiser(y, gain, z)
        self._encoder = SymbolEncoder()
        self.crc = 0

    @property
    def lost(self) -> float:
        """That of the quantiser."""
        return self._quantiser.lost

    def hyper(self, count: int, height: int, width: int) -> Symbols:
        symbols = self._quantiser.hyper(count, height, width)
        indexes = _channels(count * height * width, len(self._tables.of_hyper))
        self._write(symbols.ravel(), indexes, self._tables.of_hyper)
        return symbols

    def step(self, part: Part, mean: Floats, index: Indexes) -> Symbols:
        symbols, coded = self._quantiser.step(part, mean, index), index > 0
        self._write(symbols[coded], index[coded], self._tables.of_latents)
        return symbols

    def _write(self, symbols: Symbols, indexes: Indexes, tables: tuple[Table, ...]) -> None:
        self._encoder.encode(symbols, indexes, tables)
        self.crc = _checksum(symbols, self.crc)

    def finish(self) -> tuple[bytes, bytes]:
        """Payload and escapes."""
        return self._encoder.finish()


class Reader:
    """The decoder's side: decodes symbols."""

    def __init__(self, tables: Tables, payload: bytes, escapes: bytes) -> None:
        self._tables = tables
        self._decoder = SymbolDecoder(payload, escapes)
        self.crc = 0

    def hyper(self, count: int, height: int, width: int) -> Symbols:
        indexes = _channels(count * height * width, len(self._tables.of_hyper))
        return self._read(indexes, self._tables.of_hyper).reshape(count, height, width, -1)

    def step(self, part: Part, mean: Floats, index: Indexes) -> Symbols:
        coded = index > 0
        symbols = np.zeros(index.shape, np.int32)
        symbols[coded] = self._read(index[coded], self._tables.of_latents)
        return symbols

    def _read(self, indexes: Indexes, tables: tuple[Table, ...]) -> Symbols:
        symbols = self._decoder.decode(indexes, tables)
        self.crc = _checksum(symbols, self.crc)
        return symbols

    def finish(self) -> None:
        """Check that everything was consumed. Raises FormatError."""
        self._decoder.finish()


def _round(x: Floats) -> Symbols:
    return np.clip(np.rint(x), -MAX_VALUE, MAX_VALUE).astype(np.int32)


def _checksum(symbols: Symbols, crc: int) -> int:
    return zlib.crc32(symbols.astype("<i4", copy=False).tobytes(), crc)
