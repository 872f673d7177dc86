"""What .aec files store without loss: it comes back, and nothing else is taken for it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from aecodec.errors import FormatError
from aecodec.pictures.images import Pixels
from aecodec.pictures.lossless import decode_lossless, decode_plane, encode_lossless, encode_plane
from tests.picture_files import ALPHA, COLOUR, GREY, file_of, png


@pytest.mark.parametrize(
    "pixels",
    [
        COLOUR,
        GREY,
        np.zeros((1, 1), np.uint8),
        np.full((3, 500, 3), 255, np.uint8),
        np.random.default_rng(7).integers(0, 256, (40, 30, 3), np.uint8),
        np.zeros((2, 17_000, 3), np.uint8),
    ],
    ids=["colour", "grey", "dot", "flat", "noise", "too wide for WebP"],
)
def test_lossless_pixels_come_back(pixels: Pixels) -> None:
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    data = encode_lossless(pixels)
    assert len(data) <= len(file_of(pixels, optimize=True).getvalue())
    back = decode_lossless(data, width, height, channels)
    assert back.dtype == np.uint8
    assert np.array_equal(back, pixels)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format in ("PNG", "WEBP")


def test_alpha_comes_back() -> None:
    assert np.array_equal(decode_plane(encode_plane(ALPHA), 31, 24), ALPHA)


@pytest.mark.parametrize(
    "data",
    [
        file_of(COLOUR[:-1]).getvalue(),
        file_of(GREY).getvalue(),
        file_of(np.dstack([COLOUR, ALPHA])).getvalue(),
        file_of(COLOUR, "JPEG").getvalue(),
        file_of(COLOUR, "GIF").getvalue(),
        file_of(COLOUR, "WEBP").getvalue(),
        file_of(COLOUR[:, :-1], "WEBP", lossless=True).getvalue(),
        png(31, 24, 16, 2, bytes(24 * (1 + 31 * 6))).getvalue(),
        b"",
        b"RIFF",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["height", "grey", "alpha", "JPEG", "GIF", "lossy WebP", "width", "16 bits", "nothing", "RIFF", "signature"],
)
def test_stored_pictures_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="stored picture"):
        decode_lossless(data, 31, 24, 3)


def test_stored_alpha_is_a_grey_png() -> None:
    for data in (file_of(COLOUR).getvalue(), file_of(GREY[:5]).getvalue(), encode_lossless(GREY)[:50], b""):
        with pytest.raises(FormatError, match="stored"):
            decode_plane(data, 31, 24)
    with pytest.raises(FormatError, match="no PNG"):
        decode_plane(file_of(COLOUR, "WEBP", lossless=True).getvalue(), 31, 24)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_damaged_stored_pictures_raise_format_errors(format: str) -> None:
    data = file_of(COLOUR, format, **({"lossless": True} if format == "WEBP" else {})).getvalue()
    for length in range(0, len(data) - 16, 29):
        with pytest.raises(FormatError, match="stored picture"):
            decode_lossless(data[:length], 31, 24, 3)
    for position in range(0, len(data), 31):
        changed = bytearray(data)
        changed[position] ^= 0x55
        try:
            array = decode_lossless(bytes(changed), 31, 24, 3)
        except FormatError:
            continue
        assert array.shape == (24, 31, 3)


def test_stored_bombs_are_refused_by_their_header() -> None:
    webp = bytearray(file_of(COLOUR, "WEBP", lossless=True).getvalue())
    webp[21:25] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    for data, size in ((png(60_000, 60_000, 8, 2, b"").getvalue(), "60000 x 60000"), (bytes(webp), "16384 x 16384")):
        with pytest.raises(FormatError, match=size):
            decode_lossless(data, 31, 24, 3)
    with pytest.raises(FormatError, match="16384 x 16384 pixels, more than"):  # of the size that it says
        decode_lossless(bytes(webp), 16384, 16384, 3)
