"""The section CHUNKS: what is written is read, and anything else is refused or passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aecodec.errors import FormatError
from aecodec.pictures.chunks import (
    KEPT,
    Chunk,
    chunks_of_png,
    density_of,
    into_png,
    is_complete_png,
    parse_chunks,
    serialise,
    text_of,
    without_descriptions,
)
from tests.picture_files import COLOUR, file_of

PNG = file_of(COLOUR).getvalue()


@given(st.lists(st.builds(Chunk, st.sampled_from(sorted(KEPT)), st.binary(max_size=60)), max_size=5))
def test_chunks_come_back(chunks: list[Chunk]) -> None:
    assert parse_chunks(serialise(chunks)) == tuple(chunks)
    assert parse_chunks(serialise([Chunk(b"nEwX", b"later"), *chunks])) == tuple(chunks)
    png = into_png(PNG, chunks)
    assert list(chunks_of_png(png)) == chunks
    assert is_complete_png(png)
    assert without_descriptions(png) == PNG


@given(st.binary(max_size=80))
def test_any_bytes_are_chunks_or_refused(data: bytes) -> None:
    try:
        chunks = parse_chunks(data)
    except FormatError:
        return
    density_of(chunks)
    for chunk in chunks:
        text_of(chunk, 1000)


def test_cut_chunks_are_refused() -> None:
    data = serialise([Chunk(b"tEXt", b"Author\0Ada")])
    for length in range(1, len(data)):
        with pytest.raises(FormatError):
            parse_chunks(data[:length])


def test_a_png_is_complete_or_not() -> None:
    for length in range(len(PNG)):
        assert not is_complete_png(PNG[:length])
    for position in range(8, len(PNG), 7):
        assert not is_complete_png(PNG[:position] + bytes([PNG[position] ^ 0x20]) + PNG[position + 1 :])
