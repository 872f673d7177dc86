"""Integer symbols <-> bytes: a range coder driven by tables of integer frequencies.

The bits. Symbols are coded with constriction's range coder (``stream.queue.RangeEncoder``: 32-bit words, 64-bit state,
24-bit probabilities), whose words are stored little endian. The probabilities of a table are its integer frequencies,
given to ``Categorical(perfect=False)`` as float64 in table order: only additions, one multiplication and a floor
happen to them, the same on any IEEE-754 machine. Within one call of :meth:`SymbolEncoder.encode` the symbols are
grouped by table, tables in ascending order, symbols in their given order within a table.

A table covers the values ``minimum .. minimum + size - 2``; its last entry is the escape. Escaped values are written,
in the order in which they are coded, to a second string of bytes: zigzag (0, -1, 1, -2 .. to 0, 1, 2, 3 ..), then
unsigned LEB128. So every integer of 21 bits can be coded, -2^20 .. 2^20.

This is the only module that knows constriction. It decodes damaged data to plausible symbols without complaint:
checksums are the container's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from aecodec.errors import FormatError, ModelError

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]

TOTAL_BITS = 16  # the frequencies of a table sum to 2^16
MAX_VALUE = 2**20  # of a symbol; of the transforms' latents none is half as large


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
    def model(self) -> Any:
        """The table as constriction wants it."""
        probabilities = self.frequencies.astype(np.float64)
        return constriction.stream.model.Categorical(probabilities, perfect=False)


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


@dataclass(frozen=True)
class _Groups:
    """Symbols (n,) grouped by table: the order that does it, and how many there are of each table."""

    order: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]

    def each(self) -> Iterator[tuple[int, slice]]:
        """The tables in use, and where their symbols are in the order."""
        stop = 0
        for table, count in enumerate(self.counts.tolist()):
            start, stop = stop, stop + count
            if count:
                yield table, slice(start, stop)

    def repeated(self, of_tables: Symbols) -> Symbols:
        """What belongs to each symbol, in the order, of what belongs to each table."""
        return np.repeat(of_tables[: len(self.counts)], self.counts)


def _grouped(indexes: Indexes) -> _Groups:
    return _Groups(np.argsort(indexes, kind="stable"), np.bincount(indexes))


class SymbolEncoder:
    """Collects symbols; :meth:`finish` gives the bytes."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._escapes = bytearray()

    def encode(self, symbols: Symbols, indexes: Indexes, tables: TableSet) -> None:
        """Append ``symbols`` (n,), each coded with ``tables[index]`` of ``indexes`` (n,)."""
        groups = _grouped(indexes)
        values, escapes = symbols[groups.order], groups.repeated(tables.escapes)
        positions = values - groups.repeated(tables.minimums)
        outside = positions.view(np.uint32) >= escapes.view(np.uint32)  # also below the minimum
        if outside.any():
            self.escape(values[outside])
            positions[outside] = escapes[outside]
        for table, where in groups.each():
            self._coder.encode(positions[where], tables[table].model)

    def escape(self, values: Symbols) -> None:
        """Append integers to the escapes alone."""
        self._escapes += b"".join(_write_integer(value) for value in values.tolist())

    def finish(self) -> tuple[bytes, bytes]:
        """Bytes of the range coder, and those of the integers that no table holds."""
        return self._coder.get_compressed().astype("<u4").tobytes(), bytes(self._escapes)


class SymbolDecoder:
    """Takes the symbols out again, in calls of the same order as those of the encoder.

    Raises FormatError where the bytes cannot have come from the encoder.
    """

    def __init__(self, payload: bytes, escapes: bytes) -> None:
        if len(payload) % 4:
            raise FormatError(f"payload of {len(payload)} bytes, not a multiple of 4")
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        self._escapes = _read_integers(escapes)

    def decode(self, indexes: Indexes, tables: TableSet) -> Symbols:
        """The next symbols (n,) for the tables ``indexes`` (n,)."""
        groups = _grouped(indexes)
        positions = np.empty(len(indexes), np.int32)
        for table, where in groups.each():
            try:
                positions[where] = self._coder.decode(tables[table].model, where.stop - where.start)
            except (AssertionError, ValueError) as error:
                raise FormatError("payload does not decode") from error
        outside = positions == groups.repeated(tables.escapes)
        positions += groups.repeated(tables.minimums)
        if outside.any():
            positions[outside] = self.escaped(int(outside.sum()))
        symbols = np.empty_like(positions)
        symbols[groups.order] = positions
        return symbols

    def escaped(self, count: int) -> Symbols:
        """The next integers of the escapes."""
        values = list(islice(self._escapes, count))
        if len(values) < count:
            raise FormatError("fewer escaped values than the payload asks for")
        return np.array(values, np.int32)

    def finish(self) -> None:
        """Check that everything was consumed."""
        if not self._coder.maybe_exhausted() or next(self._escapes, None) is not None:
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
