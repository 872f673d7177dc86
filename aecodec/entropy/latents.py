"""Latents <-> bytes: which symbol is coded when, and with which probabilities.

Encoder and decoder run the same function, :func:`code`; what differs is only the side they pass in, which either
writes given symbols or reads them. So the two cannot drift apart. All numbers are integers.

Order of the symbols:

1. the hyper latents (pictures, rows, columns, channels), each with the table of its channel; a file of one picture has
   a batch of one;
2. the latents in tiles of 64 x 64 positions, left to right and top to bottom; a tile knows nothing of the others.
   From the tile's hyper latents, clipped to -512 .. 512, the hyper synthesis computes means and scale parameters. A
   tile is coded in two or three steps; before each but the first, a context network sees the parameters and the latents
   known so far, saturated to 16 bits, and what it says is added to the parameters.
   :mod:`aecodec.networks.coding_order` has the channels that a step codes where row and column (within the tile) are
   even or odd.
   Order within a step: pictures, rows, columns, channels. The scale index is (parameter + 4) >> 3, clipped to 0 .. 63;
   where it is 0 the symbol is zero and is not coded, but for exceptions, which pictures unlike all that training saw
   need. After each step their number is coded with a table of the frequencies 2^16 - 1 of 0 and 1 of the escape. If
   there are any, two integers of each follow in ESCAPES: how many symbols of scale index 0 come between it and the one
   before it, and its value.

The checksum is the CRC-32 of all symbols, 32 bits little endian each, in the order above: the hyper latents, then for
each step those with a table, then the exceptions.

A latent is (symbol << 6) + mean: latents and means have six fractional bits.

Tables depend on the quality: a model has B sets of them, and the one used is number position * (B - 1), rounded, where
the position of a quality is that of :mod:`aecodec.networks.gains`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from aecodec.engine.symbols import SCALED_BITS, Step, kernels
from aecodec.entropy.prior import Prior, Tables
from aecodec.entropy.range_coder import (
    TOTAL_BITS,
    Indexes,
    SymbolDecoder,
    SymbolEncoder,
    Symbols,
    Table,
    TableSet,
)
from aecodec.errors import FormatError
from aecodec.networks.coding_order import PHASES, Order
from aecodec.networks.dead_zone import DEAD_ZONE
from aecodec.networks.fixed_point import Int16, Int32
from aecodec.networks.gains import Gain
from aecodec.progress import UNWATCHED, Stage

TILE = 64  # latents
HYPER_LIMIT = 2**9  # of hyper latents, as the hyper synthesis sees them

LOSS = 1e-3  # squared steps of quantisation a latent by symbols that are not coded; rounding loses 1/12
EXCEPTIONS = TableSet((Table(0, np.array([2**TOTAL_BITS - 1, 1], np.uint32)),))

Number = TypeVar("Number", bound=np.generic)

ZONE = np.rint(DEAD_ZONE * 2**SCALED_BITS).astype(np.int32)


class Side(Protocol):
    """The encoder's or the decoder's half of the conversation."""

    def hyper(self, count: int, height: int, width: int) -> Int16:
        """Hyper latents (count, height, width, Z)."""
        ...

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        """Symbols (n, h, w, K) of one step of a tile."""
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
        """The rows of the latent grid that the tile covers."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """The columns of the latent grid that the tile covers."""
        return slice(self.left, self.left + self.width)

    def of_hyper(self, grid: npt.NDArray[Number], stride: int) -> npt.NDArray[Number]:
        """The hyper latents of this window, of all of them (n, rows, columns, channels), as a view."""
        rows, columns = (slice(side.start // stride, -(-side.stop // stride)) for side in (self.rows, self.columns))
        return grid[:, rows, columns]

    def of(self, grid: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """This window of grids (n, rows, columns, channels), as a view."""
        return grid[:, self.rows, self.columns]


@dataclass(frozen=True)
class Part:
    """What one step codes of a tile: K of the M channels at each position, which ones depends on its phase."""

    tile: Tile
    order: Order
    step: int

    def put(self, part: npt.NDArray[Number], x: npt.NDArray[Number]) -> None:
        """Set this part of the tile's ``x`` (n, h, w, M)."""
        for phase, (row, column) in enumerate(PHASES):
            of_phase = np.s_[:, row::2, column::2]
            x[*of_phase, self.order.channels(self.step, phase, x.shape[-1])] = part[of_phase]


def tiles(height: int, width: int) -> Iterator[Tile]:
    """The tiles of a latent grid."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield Tile(top, left, min(TILE, height - top), min(TILE, width - left))


def code(prior: Prior, side: Side, gain: Gain, count: int, height: int, width: int, stage: Stage = UNWATCHED) -> Int16:
    """Write or read the latents of ``count`` grids; what the decoder makes of them, (count, height, width, M)."""
    z = side.hyper(count, -(-height // prior.hyper_stride), -(-width // prior.hyper_stride))
    seen = np.clip(z, -HYPER_LIMIT, HYPER_LIMIT)
    result = np.empty((count, height, width, prior.channels), np.int16)
    parts = list(tiles(height, width))
    done = stage.counter(len(parts))
    for tile in parts:
        tile.of(result)[:] = gain.undo(_code_tile(prior, side, seen, tile))
        done()
    return result


def _code_tile(prior: Prior, side: Side, z: Int16, tile: Tile) -> Int32:
    """Latents (n, h, w, M) of a tile, scaled."""
    m, loops = prior.channels, kernels()
    parameters = prior.hyper_synthesis(tile.of_hyper(z, prior.hyper_stride))[:, : tile.height, : tile.width]
    latents = np.empty((*parameters.shape[:3], m), np.int32)
    for step in range(prior.order.steps):
        now = _step(prior.order, step, m)
        correction = prior.contexts[step - 1](loops.known(now, parameters, latents)) if step else None
        mean, index = loops.expect(now, parameters, correction)
        symbols = side.step(Part(tile, prior.order, step), mean, index)
        loops.restore(now, symbols, mean, latents)
    return prior.restored(latents)


def _step(order: Order, step: int, channels: int) -> Step:
    part = order.part(step, channels)
    return Step(channels, part.start, part.stop - part.start)


def _channels(positions: int, channels: int) -> Indexes:
    return np.tile(np.arange(channels, dtype=np.uint8), positions)


class Quantiser:
    """Rounds the latents (n, h, w, M), times a gain (M,), and hyper latents: what the encoder does before it codes."""

    def __init__(self, prior: Prior, y: Int16, gain: Gain, z: Int16) -> None:
        self._prior, self._y, self._gain, self._z = prior, y, gain, z
        self._scaled: Int32 = np.empty(0, np.int32)  # latents of the tile
        self.exceptions = 0  # symbols that are not zero although their scale index is

    def hyper(self, count: int, height: int, width: int) -> Int16:
        return self._z

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        if part.step == 0:
            self._scaled = self._prior.ordered(self._gain.apply(part.tile.of(self._y)))
        now = _step(part.order, part.step, self._prior.channels)
        symbols, lost = kernels().quantise(now, self._scaled, mean, index, ZONE)
        if lost:
            unexpected = (index == 0) & (symbols != 0)
            if lost > LOSS * symbols.size:
                self.exceptions += int(unexpected.sum())
            else:
                symbols[unexpected] = 0
        return symbols


class Writer:
    """The encoder's side: rounds latents and hyper latents as :class:`Quantiser`, and encodes them."""

    def __init__(self, prior: Prior, tables: Tables, y: Int16, gain: Gain, z: Int16) -> None:
        self._tables, self._quantiser = tables, Quantiser(prior, y, gain, z)
        self._encoder = SymbolEncoder()
        self.crc = 0

    @property
    def exceptions(self) -> int:
        """How many exceptions there are, see :class:`Quantiser`."""
        return self._quantiser.exceptions

    def hyper(self, count: int, height: int, width: int) -> Int16:
        symbols = self._quantiser.hyper(count, height, width)
        indexes = _channels(count * height * width, len(self._tables.of_hyper))
        self._write(symbols.ravel().astype(np.int32), indexes, self._tables.of_hyper)
        return symbols

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        symbols = self._quantiser.step(part, mean, index)
        self._write(symbols.ravel(), index.ravel(), self._tables.of_latents, first=1)
        self._write_exceptions(symbols[index == 0] if self.exceptions else np.zeros(0, np.int32))
        return symbols

    def _write_exceptions(self, symbols: Symbols) -> None:
        """Of the symbols of scale index 0."""
        places = np.flatnonzero(symbols)
        values = symbols[places]
        self._encoder.encode(np.array([len(places)], np.int32), np.zeros(1, np.uint8), EXCEPTIONS)
        gaps = np.diff(places, prepend=-1) - 1
        self._encoder.escape(np.stack([gaps.astype(np.int32), values], axis=-1).ravel())
        self.crc = _checksum(values, self.crc)

    def _write(self, symbols: Symbols, indexes: Indexes, tables: TableSet, first: int = 0) -> None:
        self._encoder.encode(symbols, indexes, tables, first)
        self.crc = _checksum(symbols[indexes >= first] if first else symbols, self.crc)

    def finish(self) -> tuple[bytes, bytes]:
        """The bytes of the two sections PAYLOAD and ESCAPES."""
        return self._encoder.finish()


class Reader:
    """The decoder's side: decodes symbols."""

    def __init__(self, tables: Tables, payload: bytes, escapes: bytes) -> None:
        self._tables = tables
        self._decoder = SymbolDecoder(payload, escapes)
        self.crc = 0

    def hyper(self, count: int, height: int, width: int) -> Int16:
        indexes = _channels(count * height * width, len(self._tables.of_hyper))
        symbols = self._read(indexes, self._tables.of_hyper).reshape(count, height, width, -1)
        return np.clip(symbols, -(2**15), 2**15 - 1).astype(np.int16)

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        symbols = self._read(index.ravel(), self._tables.of_latents, first=1)
        self._read_exceptions(symbols, index.ravel())
        return symbols.reshape(index.shape)

    def _read_exceptions(self, symbols: Symbols, index: Indexes) -> None:
        count = int(self._decoder.decode(np.zeros(1, np.uint8), EXCEPTIONS)[0])
        if not count:
            return
        certain = np.flatnonzero(index == 0)
        if not 0 < count <= len(certain):
            raise FormatError(f"{count} exceptions among {len(certain)} symbols")
        gaps, values = self._decoder.escaped(2 * count).reshape(-1, 2).T
        places = np.cumsum(gaps.astype(np.int64) + 1) - 1
        if gaps.min() < 0 or places[-1] >= len(certain):
            raise FormatError("exceptions beyond the symbols")
        symbols[certain[places]] = values
        self.crc = _checksum(values, self.crc)

    def _read(self, indexes: Indexes, tables: TableSet, first: int = 0) -> Symbols:
        symbols = self._decoder.decode(indexes, tables, first)
        self.crc = _checksum(symbols[indexes >= first] if first else symbols, self.crc)
        return symbols

    def finish(self) -> None:
        """Check that everything was consumed. Raises FormatError."""
        self._decoder.finish()


def _checksum(symbols: Symbols, crc: int) -> int:
    return zlib.crc32(symbols.astype("<i4", copy=False).tobytes(), crc)
