"""Restored pictures in the formats of others: written without loss where these can, and never without alpha."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from aecodec.errors import ImageError, OutputError
from aecodec.pictures import images
from aecodec.pictures.images import Picture, Pixels
from tests.picture_files import ALPHA, COLOUR, GREY


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp", ".ppm", ".tga", ".jp2", ".qoi", ".pcx"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_formats_without_loss_restore_the_pixels(suffix: str, pixels: Pixels) -> None:
    stream = io.BytesIO()
    images.write(Picture(pixels), stream, images.format_of(suffix))
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(Image.fromarray(pixels).convert("RGB")))


@pytest.mark.parametrize("suffix", [".jpg", ".avif"])
def test_formats_with_loss_lose_little(suffix: str) -> None:
    stream = io.BytesIO()
    images.write(Picture(COLOUR), stream, images.format_of(suffix))
    back = images.read(io.BytesIO(stream.getvalue())).pixels
    assert np.mean((back.astype(float) - COLOUR) ** 2) < 8


@pytest.mark.parametrize("suffix", [".jpg", ".ppm", ".pcx", ".bmp"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_alpha_is_never_dropped(suffix: str, pixels: Pixels) -> None:
    stream = io.BytesIO()
    try:
        images.write(Picture(pixels, ALPHA), stream, images.format_of(suffix))
    except ImageError as error:
        assert "PNG and WebP hold an alpha channel" in str(error)
        assert stream.getvalue() == b""
    else:
        assert suffix == ".bmp"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(stream.getvalue())))[:, :, -1], ALPHA)


@pytest.mark.parametrize("format", ["GIF", "ICO", "XBM"])
def test_formats_that_would_change_the_picture_are_refused(format: str) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (300, 280, 3), np.uint8)
    with pytest.raises(ImageError, match=f"cannot be written as {format}"):
        images.write(Picture(noise), io.BytesIO(), format)


def test_a_format_that_is_only_written_is_written() -> None:
    stream = io.BytesIO()
    images.write(Picture(COLOUR), stream, images.format_of(".PDF"))
    assert stream.getvalue().startswith(b"%PDF")


@pytest.mark.parametrize("suffix", ["", ".xyz", ".psd"])
def test_suffixes_of_no_writable_format(suffix: str) -> None:
    with pytest.raises(ImageError, match="that can be written"):
        images.format_of(suffix)


def test_suffixes_are_those_of_pictures() -> None:
    found = images.suffixes()
    assert {".png", ".jpg", ".jpeg", ".mpo", ".tif", ".webp", ".avif", ".gif", ".bmp"} <= found
    assert not {".eps", ".mpg", ".h5", ".pdf", ".txt", ".aec"} & found


def test_a_full_disk_is_an_output_error() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OutputError, match="No space left"):
        images.write(Picture(COLOUR), full, "PNG")
