"""The range coder, twice: compiled, and constriction's, which serves where there was no C compiler.

Both write the same bytes; tests hold them equal. What they compute is specified in docs/format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from aecodec.engine import symbols as compiled

if TYPE_CHECKING:
    from aecodec.entropy.range_coder import TableSet

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]

FULL = 2**64 - 1  # the range at the beginning
WORD = 2**32
INVALID = -1  # in place of a number of escapes


class Encoder(Protocol):
    """Symbols (n,), each with the table of its index (n,), grouped by table; those below ``first`` are left out."""

    def encode(self, symbols: Symbols, indexes: Indexes, tables: TableSet, first: int) -> int:
        """How many of them are escapes."""
        ...

    def finish(self) -> bytes:
        """All words, little endian."""
        ...


class Decoder(Protocol):
    """The inverse."""

    def decode(self, indexes: Indexes, tables: TableSet, first: int) -> tuple[Symbols, int]:
        """Symbols, 0 for what was left out; how many of them are escapes, or INVALID."""
        ...

    def exhausted(self) -> bool:
        """Whether nothing is left but what finishing wrote."""
        ...


def encoder() -> Encoder:
    """The fastest there is, or constriction's where AECODEC_KERNELS asks for NumPy."""
    return CompiledEncoder() if compiled.native() else ConstrictionEncoder()


def decoder(words: Words) -> Decoder:
    """The same for decoding."""
    return CompiledDecoder(words) if compiled.native() else ConstrictionDecoder(words)


class CompiledEncoder:
    """State: lower end of the interval, its length, and the words that wait for a carry: how many, and the first."""

    def __init__(self) -> None:
        self._state = np.array([0, FULL, 0, 0], np.uint64)
        self._words: list[bytes] = []

    def encode(self, symbols: Symbols, indexes: Indexes, tables: TableSet, first: int) -> int:
        words, escapes = compiled.encode(self._state, tables.packed, first, symbols, indexes)
        self._words.append(words)
        return escapes

    def finish(self) -> bytes:
        lower, size, waiting, earliest = self._state.tolist()
        if size == FULL:
            return b""
        point = lower + WORD - 1
        end = []
        if waiting:
            carried = point >> 64
            end = [earliest + carried, *[0 if carried else WORD - 1] * (waiting - 1)]
        end.append(point >> 32)
        if (lower + size) >> 32 & WORD - 1 == point >> 32 & WORD - 1:
            end.append(0)
        return b"".join(self._words) + np.array([word & WORD - 1 for word in end], "<u4").tobytes()


class CompiledDecoder:
    """State: lower end of the interval, its length, the point in it that the words name, the next word."""

    def __init__(self, words: Words) -> None:
        self._words = words
        first, second = (int(words[i]) if i < len(words) else 0 for i in range(2))
        self._state = np.array([0, FULL, first << 32 | second, min(2, len(words))], np.uint64)

    def decode(self, indexes: Indexes, tables: TableSet, first: int) -> tuple[Symbols, int]:
        return compiled.decode(self._state, self._words, tables.packed, first, indexes)

    def exhausted(self) -> bool:
        lower, size, point, following = self._state.tolist()
        return bool(following >= len(self._words) and (size == FULL or (point - lower) % 2**64 < 2 * WORD - 1))


def _models(tables: TableSet) -> list[Any]:
    """The tables as constriction wants them: float64, as other types give other bytes."""
    import constriction

    categorical = constriction.stream.model.Categorical
    return [categorical(table.frequencies.astype(np.float64), perfect=False) for table in tables.tables]


def _groups(indexes: Indexes, first: int) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """The tables in use, and the places of their symbols."""
    order, counts = np.argsort(indexes, kind="stable"), np.bincount(indexes)
    ends = np.cumsum(counts)
    for table in np.flatnonzero(counts).tolist():
        if table >= first:
            yield table, order[ends[table] - counts[table] : ends[table]]


class ConstrictionEncoder:
    """By the package constriction."""

    def __init__(self) -> None:
        import constriction

        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Symbols, indexes: Indexes, tables: TableSet, first: int) -> int:
        models, escapes = _models(tables), 0
        for table, places in _groups(indexes, first):
            last = tables[table].escape
            positions = symbols[places] - tables[table].minimum
            outside = (positions < 0) | (positions >= last)
            escapes += int(outside.sum())
            self._coder.encode(np.where(outside, last, positions).astype(np.int32), models[table])
        return escapes

    def finish(self) -> bytes:
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())


class ConstrictionDecoder:
    """By the package constriction, which decodes damaged data to plausible symbols without complaint."""

    def __init__(self, words: Words) -> None:
        import constriction

        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, indexes: Indexes, tables: TableSet, first: int) -> tuple[Symbols, int]:
        models, escapes = _models(tables), 0
        symbols = np.zeros(len(indexes), np.int32)
        for table, places in _groups(indexes, first):
            try:
                positions = self._coder.decode(models[table], len(places))
            except (AssertionError, ValueError):
                return symbols, INVALID
            escapes += int((positions == tables[table].escape).sum())
            symbols[places] = positions + tables[table].minimum
        return symbols, escapes

    def exhausted(self) -> bool:
        return bool(self._coder.maybe_exhausted())
