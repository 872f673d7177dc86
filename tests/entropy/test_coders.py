"""The compiled range coder writes and reads what constriction's does."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.engine import symbols as compiled
from aecodec.entropy import coders
from aecodec.entropy.coders import INVALID, CompiledDecoder, CompiledEncoder, ConstrictionDecoder, ConstrictionEncoder
from aecodec.entropy.range_coder import SymbolDecoder, SymbolEncoder, Symbols, Table, TableSet, quantize

if not compiled.native():
    pytest.skip("built without a C compiler", allow_module_level=True)

Indexes = coders.Indexes


def tables(rng: np.random.Generator, count: int) -> TableSet:
    """Some flat, some with nearly all in one entry, of 2 to 300 entries."""
    made = []
    for _ in range(count):
        size = int(rng.integers(2, 300))
        made.append(
            Table(int(rng.integers(-200, 20)), quantize(rng.random(size) ** rng.choice([0, 1, 20, 300]) + 1e-12))
        )
    return TableSet(tuple(made))


def drawn(rng: np.random.Generator, count: int, of: TableSet) -> tuple[Symbols, Indexes]:
    """Symbols as the tables expect them, or as they do not, and some that they do not have."""
    index = rng.integers(0, len(of), count).astype(np.uint8)
    if rng.random() < 0.5:
        symbols = [of[i].minimum + rng.choice(of[i].escape + 1, p=of[i].frequencies / 2**16) for i in index]
    else:
        symbols = [of[i].minimum + rng.integers(-2, of[i].escape + 3) for i in index]
    return np.array(symbols, np.int32), index


@pytest.mark.parametrize("seed", range(30))
def test_the_same_bytes_and_symbols(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of, first = tables(rng, int(rng.integers(1, 9))), seed % 2
    one, other = CompiledEncoder(), ConstrictionEncoder()
    written = [drawn(rng, int(rng.integers(0, 400)), of) for _ in range(4)]
    for symbols, index in written:
        assert one.encode(symbols, index, of, first) == other.encode(symbols, index, of, first)
    payload = one.finish()
    assert payload == other.finish()
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    readers = CompiledDecoder(words), ConstrictionDecoder(words)
    for _, index in written:
        (a, escapes), (b, expected) = (reader.decode(index, of, first) for reader in readers)
        assert escapes == expected
        assert np.array_equal(a, b)
    assert readers[0].exhausted() and readers[1].exhausted()


def test_carries_wait_as_long_as_they_must() -> None:
    """Intervals around the middle: only the last symbol decides whether a 0111 .. or a 1000 .. was written."""
    third = TableSet((Table(0, np.array([21845, 21846, 21845], np.uint32)),))
    for last in (0, 1):
        for count in (20, 500):
            symbols = np.array([1] * count + [last] * 3, np.int32)
            index = np.zeros(len(symbols), np.uint8)
            one, other = CompiledEncoder(), ConstrictionEncoder()
            for part in (slice(0, 7), slice(7, None)):
                one.encode(symbols[part], index[part], third, 0)
                other.encode(symbols[part], index[part], third, 0)
            assert one.finish() == other.finish()


@pytest.mark.parametrize("seed", range(30))
def test_damaged_words_give_the_same_symbols_or_the_same_refusal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = tables(rng, 4)
    words = rng.choice(np.array([0, 1, 2**32 - 1, *rng.integers(0, 2**32, 5)], np.uint32), int(rng.integers(0, 9)))
    index = rng.integers(0, 4, 60).astype(np.uint8)
    one, other = CompiledDecoder(words), ConstrictionDecoder(words)
    (a, escapes), (b, expected) = one.decode(index, of, 0), other.decode(index, of, 0)
    assert escapes == expected or (escapes < 0 and expected == INVALID)
    if escapes >= 0:
        assert np.array_equal(a, b)
        assert one.exhausted() == other.exhausted()


def test_each_reads_what_the_other_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    of = tables(rng, 5)
    symbols, index = drawn(rng, 300, of)
    found = []
    for writer, reader in (("", "numpy"), ("numpy", "")):
        monkeypatch.setenv("AECODEC_KERNELS", writer)
        encoder = SymbolEncoder()
        encoder.encode(symbols, index, of, 1)
        found.append(encoder.finish())
        monkeypatch.setenv("AECODEC_KERNELS", reader)
        decoder = SymbolDecoder(*found[-1])
        assert np.array_equal(decoder.decode(index, of, 1), np.where(index, symbols, 0))
        decoder.finish()
    assert found[0] == found[1]
