"""Symbols come back from bytes, whatever they are and whatever the tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aecodec.engine.symbols import MAX_VALUE
from aecodec.entropy.range_coder import TOTAL_BITS, SymbolDecoder, SymbolEncoder, Table, TableSet, quantize
from aecodec.errors import FormatError, ModelError

FLAT = Table(-2, quantize(np.ones(6)))
STEEP = Table(0, quantize(np.array([1.0, 1e-3, 1e-9])))
TABLES = TableSet((FLAT, STEEP))
PAYLOAD = "cf70a26b8fa03bfb", "d00fdfc508"  # and escapes


def coded(symbols: list[int], indexes: list[int]) -> tuple[bytes, bytes]:
    encoder = SymbolEncoder()
    encoder.encode(np.array(symbols, np.int32), np.array(indexes, np.uint8), TABLES)
    return encoder.finish()


@given(st.lists(st.tuples(st.integers(-MAX_VALUE, MAX_VALUE) | st.integers(-4, 4), st.integers(0, 1)), max_size=60))
def test_any_integers_come_back(pairs: list[tuple[int, int]]) -> None:
    symbols, indexes = [s for s, _ in pairs], [i for _, i in pairs]
    decoder = SymbolDecoder(*coded(symbols, indexes))
    assert decoder.decode(np.array(indexes, np.uint8), TABLES).tolist() == symbols
    decoder.finish()


def test_these_symbols_are_these_bytes() -> None:
    symbols = [0, 1, -2, 2, 1000, -1, 0, 0, -70000, 1]
    payload, escapes = coded(symbols, [0, 0, 0, 0, 0, 0, 1, 1, 1, 0])
    assert (payload.hex(), escapes.hex()) == PAYLOAD


def test_size_is_the_entropy() -> None:
    rng = np.random.default_rng(0)
    table = Table(0, quantize(np.array([0.7, 0.2, 0.09, 0.01])))
    symbols = rng.choice(3, 20_000, p=np.array([0.7, 0.2, 0.1])).astype(np.int32)
    encoder = SymbolEncoder()
    encoder.encode(symbols, np.zeros(len(symbols), np.uint8), TableSet((table,)))
    payload, escapes = encoder.finish()
    ideal = -np.log2(table.frequencies[symbols] / 2**TOTAL_BITS).sum() / 8
    assert not escapes
    assert ideal <= len(payload) <= ideal + 8


def test_likely_symbols_take_no_room() -> None:
    payload, escapes = coded([0] * 1000, [1] * 1000)
    assert len(payload) <= 8
    assert not escapes


@given(st.lists(st.floats(0, 1), min_size=2, max_size=300).filter(lambda p: sum(p) > 0))
def test_frequencies_are_positive_and_sum_up(probabilities: list[float]) -> None:
    frequencies = quantize(np.array(probabilities))
    assert frequencies.min() >= 1
    assert frequencies.sum() == 2**TOTAL_BITS


@given(st.binary(max_size=64), st.binary(max_size=8))
def test_random_bytes_give_symbols_or_a_format_error(payload: bytes, escapes: bytes) -> None:
    try:
        decoder = SymbolDecoder(payload, escapes)
        assert decoder.decode(np.array([0, 1] * 20, np.uint8), TABLES).shape == (40,)
        decoder.finish()
    except FormatError:
        pass


def test_missing_escapes_are_noticed() -> None:
    payload, escapes = coded([1000, 2000], [0, 0])
    decoder = SymbolDecoder(payload, escapes[:2])
    with pytest.raises(FormatError, match="escaped"):
        decoder.decode(np.zeros(2, np.uint8), TABLES)


def test_surplus_bytes_are_noticed() -> None:
    payload, _ = coded([1, 0, 1], [0, 0, 0])
    decoder = SymbolDecoder(payload + bytes(8), b"")
    decoder.decode(np.zeros(3, np.uint8), TABLES)
    with pytest.raises(FormatError, match="last symbol"):
        decoder.finish()


@pytest.mark.parametrize("frequencies", [[2**TOTAL_BITS], [0, 2**TOTAL_BITS], [1, 1]])
def test_bad_tables_are_refused(frequencies: list[int]) -> None:
    with pytest.raises(ModelError):
        Table(0, np.array(frequencies, np.uint32))
