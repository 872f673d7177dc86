"""Integer symbols <-> bytes: a range coder driven by tables of integer frequencies.

The bits are those of a range coder with words of 32 bits, a state of 64 and probabilities of 24, see docs/format.md
and :mod:`aecodec.entropy.coders`. Entry i of a table of n entries begins at floor(F * (2^24 - n) / 2^16) + i, where F
is the sum of the frequencies before it. Within one call of :meth:`SymbolEncoder.encode` the symbols are grouped by
table, tables in ascending order, symbols in their given order within a table.

A table covers the values ``minimum .. minimum + size - 2``; its last entry is the escape. Escaped values are written,
in the order in which they are coded, to a second string of bytes: zigzag (0, -1, 1, -2 .. to 0, 1, 2, 3 ..), then
unsigned LEB128. So every integer of 21 bits can be coded, -2^20 .. 2^20.

Damaged data decode to plausible symbols without complaint: checksums are the container's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from aecodec.engine.symbols import GUESS_BITS, MAX_VALUE, Tables
from aecodec.entropy import coders
from aecodec.errors import FormatError, ModelError

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]

TOTAL_BITS = 16  # the frequencies of a table sum to 2^16
PRECISION = 24  # bits of the probabilities that the coder works with


@dataclass(frozen=True)
class Table:
    """Frequencies (size,) of the values from ``minimum`` up; the last one is the escape."""

    minimum: int
    frequencies: npt.NDArray[np.uint32]

    def __post_init__(self) -> None:
        if len(self.frequencies) < 2 or self.frequencies.min() < 1 or self.frequencies.sum() != 2**TOTAL_BITS:
            raise ModelError("a probability table needs at least 2 positive frequencies with the sum 2^16")

    @property
    def escape(self) -> int:
        """Position of the escape entry."""
        return len(self.frequencies) - 1

    @cached_property
    def left(self) -> npt.NDArray[np.uint32]:
        """Where each entry begins, in 2^24ths: its share of what is left when each has one."""
        size = len(self.frequencies)
        before = np.cumsum(self.frequencies, dtype=np.int64) - self.frequencies
        return np.asarray((before * (2**PRECISION - size) >> TOTAL_BITS) + np.arange(size), np.uint32)


def quantize(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Integer frequencies, each at least 1, summing to 2^16, nearly proportional to ``probabilities`` (size,)."""
    total = 2**TOTAL_BITS
    share = probabilities / probabilities.sum() * (total - len(probabilities))
    frequencies = np.floor(share).astype(np.int64) + 1
    rest = total - int(frequencies.sum())
    frequencies[np.argsort(np.floor(share) - share, kind="stable")[:rest]] += 1
    return np.asarray(frequencies, np.uint32)


@dataclass(frozen=True)
class TableSet(Sequence[Table]):
    """Tables, one of which each symbol is coded with."""

    tables: tuple[Table, ...]

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, index: Any) -> Any:
        return self.tables[index]

    @cached_property
    def minimums(self) -> Symbols:
        """The smallest symbol of each table, int32 (tables,)."""
        return np.array([table.minimum for table in self.tables], np.int32)

    @cached_property
    def escapes(self) -> Symbols:
        """Which position is the escape of each table, int32 (tables,)."""
        return np.array([table.escape for table in self.tables], np.int32)

    @cached_property
    def packed(self) -> Tables:
        """As compiled code takes them."""
        lefts = [np.append(table.left, np.uint32(2**PRECISION)) for table in self.tables]
        starts = np.cumsum([0, *map(len, lefts)], dtype=np.int32)
        edges = np.arange(2**GUESS_BITS, dtype=np.uint32) << np.uint32(PRECISION - GUESS_BITS)
        guess = [np.searchsorted(left, edges, "right") - 1 for left in lefts]
        return starts, self.minimums, np.concatenate(lefts), np.concatenate(guess).astype(np.uint16)


@dataclass(frozen=True)
class _Groups:
    """Symbols (n,) grouped by table: the order that does it, and how many there are of each table."""

    order: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]

    def repeated(self, of_tables: Symbols) -> Symbols:
        """What belongs to each symbol, in the order, of what belongs to each table."""
        return np.repeat(of_tables[: len(self.counts)], self.counts)


def _grouped(indexes: Indexes) -> _Groups:
    return _Groups(np.argsort(indexes, kind="stable"), np.bincount(indexes))


class SymbolEncoder:
    """Collects symbols; :meth:`finish` gives the bytes."""

    def __init__(self) -> None:
        self._coder = coders.encoder()
        self._escapes = bytearray()

    def encode(self, symbols: Symbols, indexes: Indexes, tables: TableSet, first: int = 0) -> None:
        """Append ``symbols`` (n,), each coded with ``tables[index]`` of ``indexes`` (n,).

        Those of tables below ``first`` are left out.
        """
        if self._coder.encode(symbols, indexes, tables, first):
            coded = indexes >= first
            symbols, indexes = symbols[coded], indexes[coded]
            groups = _grouped(indexes)
            values, escapes = symbols[groups.order], groups.repeated(tables.escapes)
            positions = values - groups.repeated(tables.minimums)
            self.escape(values[(positions < 0) | (positions >= escapes)])

    def escape(self, values: Symbols) -> None:
        """Append integers to the escapes alone."""
        self._escapes += b"".join(_write_integer(value) for value in values.tolist())

    def finish(self) -> tuple[bytes, bytes]:
        """Bytes of the range coder, and those of the integers that no table holds."""
        return self._coder.finish(), bytes(self._escapes)


class SymbolDecoder:
    """Takes the symbols out again, in calls of the same order as those of the encoder.

    Raises FormatError where the bytes cannot have come from the encoder.
    """

    def __init__(self, payload: bytes, escapes: bytes) -> None:
        if len(payload) % 4:
            raise FormatError(f"payload of {len(payload)} bytes, not a multiple of 4")
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        self._coder = coders.decoder(words)
        self._escapes = _read_integers(escapes)

    def decode(self, indexes: Indexes, tables: TableSet, first: int = 0) -> Symbols:
        """The next symbols (n,) for the tables ``indexes`` (n,); 0 where these are below ``first``."""
        symbols, escapes = self._coder.decode(indexes, tables, first)
        if escapes < 0:
            raise FormatError("payload does not decode")
        if escapes:
            coded = np.flatnonzero(indexes >= first)
            groups = _grouped(indexes[coded])
            places = coded[groups.order]
            outside = symbols[places] == groups.repeated(tables.minimums + tables.escapes)
            symbols[places[outside]] = self.escaped(int(outside.sum()))
        return symbols

    def escaped(self, count: int) -> Symbols:
        """The next integers of the escapes."""
        values = list(islice(self._escapes, count))
        if len(values) < count:
            raise FormatError("fewer escaped values than the payload asks for")
        return np.array(values, np.int32)

    def finish(self) -> None:
        """Check that everything was consumed."""
        if not self._coder.exhausted() or next(self._escapes, None) is not None:
            raise FormatError("payload goes on after the last symbol")


def _write_integer(value: int) -> bytes:
    code = 2 * value if value >= 0 else -2 * value - 1
    result = bytearray()
    while code > 127:
        result.append(code & 127 | 128)
        code >>= 7
    result.append(code)
    return bytes(result)


def _read_integers(data: bytes) -> Iterator[int]:
    code = shift = 0
    for byte in data:
        code |= (byte & 127) << shift
        shift += 7
        if code > 2 * MAX_VALUE:
            raise FormatError("escaped value out of range")
        if byte < 128:
            yield code // 2 if code % 2 == 0 else -(code // 2) - 1
            code = shift = 0
    if shift:
        raise FormatError("escaped values end in the middle of one")
