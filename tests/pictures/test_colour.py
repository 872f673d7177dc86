"""How colours are meant: profiles, and what PNG, JPEG 2000 and AVIF say in other ways, come along or are converted."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from aecodec.errors import ImageError, MetadataWarning
from aecodec.pictures import boxes, images, profiles
from aecodec.pictures.chunks import Chunk, chunks_of_png, into_png
from aecodec.pictures.images import Picture, Pixels
from tests.picture_files import ALPHA, COLOUR, GREY, ICC, XMP, exif, file_of

GAMMA = Chunk(b"gAMA", struct.pack(">I", 55_556))
WIDE = Chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
P3 = Chunk(b"cICP", bytes([12, 13, 0, 1]))
PQ = Chunk(b"cICP", bytes([9, 16, 0, 1]))
FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "JPEG2000"]


def written(picture: Picture, format: str) -> bytes:
    stream = io.BytesIO()
    images.write(picture, stream, format)
    return stream.getvalue()


def in_srgb(image: Image.Image) -> Pixels:
    """As a colour-managed program shows it."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    return np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"))


def grey_profile() -> bytes:
    made = profiles.fitting(ICC, 1)
    assert made is not None
    return made


@pytest.mark.parametrize("said", [(P3,), (GAMMA, WIDE), (GAMMA,), (PQ,), (Chunk(b"sRGB", b"\0"), GAMMA)])
def test_what_a_png_says_of_its_colours_comes_back(said: tuple[Chunk, ...]) -> None:
    picture = images.read(io.BytesIO(into_png(file_of(COLOUR).getvalue(), said)))
    assert picture.chunks == said
    assert [c for c in chunks_of_png(written(picture, "PNG")) if c in said] == list(said)


@pytest.mark.parametrize("format", FORMATS[1:])
@pytest.mark.parametrize("said", [(P3,), (GAMMA, WIDE)], ids=["cICP", "gAMA and cHRM"])
def test_other_formats_say_it_with_a_profile(format: str, said: tuple[Chunk, ...]) -> None:
    picture = Picture(np.full((32, 32, 3), (200, 60, 90), np.uint8), chunks=said)
    profile, _ = profiles.said_by(said, 3)
    back = images.read(io.BytesIO(written(picture, format)))
    if format == "AVIF" and said == (P3,):
        assert back.chunks == said
        return
    assert back.icc == profile is not None
    shown = in_srgb(images.to_pillow(back))[16, 16].astype(int)
    assert shown[0] > 205 or shown[1] < 55  # more vivid than the numbers say by themselves


def test_a_profile_made_of_srgb_shows_the_same() -> None:
    twin = profiles._profile("twin", profiles._parametric(profiles._SRGB_CURVE), profiles.SRGB_LIKE)
    image = Image.fromarray(COLOUR)
    image.info["icc_profile"] = twin
    assert np.abs(in_srgb(image).astype(int) - COLOUR).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "TIFF", "BMP"])
def test_high_dynamic_range_is_refused_where_it_cannot_be_said(format: str) -> None:
    stream = io.BytesIO()
    with pytest.raises(ImageError, match=r"high dynamic range.*PNG and AVIF"):
        images.write(Picture(COLOUR, chunks=(PQ,)), stream, format)
    assert stream.getvalue() == b""


@pytest.mark.parametrize("colour", [P3, PQ])
def test_colours_of_avif_are_read_and_written(colour: Chunk) -> None:
    picture = images.read(io.BytesIO(written(Picture(COLOUR, chunks=(colour,)), "AVIF")))
    assert picture.chunks == (colour,)
    assert [c for c in chunks_of_png(written(picture, "PNG")) if c.type == b"cICP"] == [colour]
    assert images.read(file_of(COLOUR, "AVIF")).chunks == ()
    both = images.read(io.BytesIO(written(Picture(COLOUR, None, ICC, chunks=(colour,)), "AVIF")))
    assert (both.icc, both.chunks) == (None, (colour,))  # PNG says which of the two counts


def test_jpeg_2000_keeps_profile_exif_xmp_and_iptc() -> None:
    picture = Picture(COLOUR, None, ICC, exif(1), XMP, b"\x1c\x02\x05\0\1A")
    assert images.read(io.BytesIO(written(picture, "JPEG2000"))) is not None
    back = images.read(io.BytesIO(written(picture, "JPEG2000")))
    assert (back.icc, back.exif, back.xmp, back.iptc) == (ICC, exif(1), XMP, picture.iptc)
    assert np.array_equal(back.pixels, COLOUR)


def test_unusual_colours_of_jpeg_2000_are_refused() -> None:
    data = file_of(COLOUR, "JPEG2000").getvalue()
    place = data.index(b"colr") + 7
    assert data[place : place + 4] == struct.pack(">I", 16)
    with pytest.raises(ImageError, match="numbered 21"):
        images.read(io.BytesIO(data[:place] + struct.pack(">I", 21) + data[place + 4 :]))


def test_boxes_of_any_length_raise_nothing() -> None:
    data = bytearray(boxes.into_jp2(file_of(COLOUR, "JPEG2000").getvalue(), ICC, None, XMP))
    for position in range(90):
        for value in (0, 1, 7, 255):
            changed = bytes(data[:position]) + bytes([value]) + bytes(data[position + 1 :])
            boxes.metadata_of_jp2(changed)
            boxes.colour_of_avif(changed)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("alpha", [None, ALPHA], ids=["opaque", "alpha"])
def test_a_grey_picture_with_a_grey_profile_has_one_that_fits_wherever_it_goes(
    format: str, alpha: Pixels | None
) -> None:
    if format == "JPEG" and alpha is not None:
        pytest.skip("no alpha")
    picture = Picture(GREY, alpha, grey_profile())
    with Image.open(io.BytesIO(written(picture, format))) as image:
        if format == "JPEG2000":  # whose profile Pillow does not read
            return
        grey = image.mode in ("L", "LA")
        assert image.info["icc_profile"][16:20] == (b"GRAY" if grey else b"RGB ")
        opaque = image.convert("L" if grey else "RGB")
        opaque.info["icc_profile"] = image.info["icc_profile"]
    plain = Image.fromarray(GREY)
    plain.info["icc_profile"] = picture.icc
    assert np.abs(in_srgb(opaque).astype(int) - in_srgb(plain)).mean() < 2


@pytest.mark.parametrize(("mode", "given", "space"), [("RGB", "GRAY", b"RGB "), ("L", "RGB", b"GRAY")])
def test_a_profile_of_an_image_that_was_converted_is_converted_too(mode: str, given: str, space: bytes) -> None:
    image = Image.fromarray(GREY).convert(mode)
    image.info["icc_profile"] = grey_profile() if given == "GRAY" else ICC
    icc = images.from_pillow(image).icc
    assert icc is not None and icc[16:20] == space


def test_a_profile_for_which_there_are_no_pixels_is_left_out_with_a_word() -> None:
    image = Image.fromarray(COLOUR)
    image.info["icc_profile"] = ICC[:16] + b"CMYK" + ICC[20:]
    with pytest.warns(MetadataWarning, match="'CMYK', which does not fit"):
        assert images.from_pillow(image).icc is None
