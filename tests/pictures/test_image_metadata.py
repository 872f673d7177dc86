"""Colour profile, Exif and XMP: what a picture has beside its pixels."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from aecodec.pictures import images
from aecodec.pictures.images import Picture
from tests.picture_files import ALPHA, COLOUR, GREY, ICC, XMP, assert_same, chunk, exif, file_of

FORMATS_WITH_METADATA = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"]


def options_of(format: str) -> dict[str, Any]:
    """Of Pillow, to write the metadata."""
    if format == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        return {"exif": exif(), "icc_profile": ICC, "pnginfo": text}
    if format == "TIFF":
        tags = Image.Exif()
        tags.load(exif())
        tags[700] = XMP
        return {"icc_profile": ICC, "tiffinfo": tags}
    return {"exif": exif(), "icc_profile": ICC, "xmp": XMP}


@pytest.mark.parametrize("format", FORMATS_WITH_METADATA)
def test_metadata_are_read_and_pixels_are_not_turned(format: str) -> None:
    picture = images.read(file_of(COLOUR, format, **options_of(format)))
    assert (picture.icc, picture.xmp) == (ICC, XMP)
    assert picture.exif is not None
    tags = Image.Exif()
    tags.load(picture.exif)
    assert tags[ExifTags.Base.Artist] == "Ada"
    if format == "TIFF":  # Pillow has turned it, and so the tag must not say it again
        assert picture.width == 24
        assert ExifTags.Base.Orientation not in tags
    else:
        assert picture.width == 31
        assert tags[ExifTags.Base.Orientation] == 6
        assert picture.exif.removeprefix(b"Exif\0\0") == exif().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("format", FORMATS_WITH_METADATA)
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"], ids=["bare Exif", "Exif"])
def test_metadata_are_written(format: str, prefix: bytes) -> None:
    stream = io.BytesIO()
    images.write(Picture(COLOUR, None, ICC, prefix + exif(1)[6:], XMP), stream, format)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert image.getexif()[ExifTags.Base.Artist] == "Ada"
        assert image.info["icc_profile"] == ICC
    again = images.read(io.BytesIO(stream.getvalue()))
    assert (again.icc, again.xmp) == (ICC, XMP)


def test_xmp_and_exif_that_follow_the_pixels_of_a_png() -> None:
    data = file_of(COLOUR).getvalue()
    body, end = data[:-12], data[-12:]
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    picture = images.read(io.BytesIO(body + chunk(b"eXIf", exif()[6:]) + text + end))
    assert picture.xmp == XMP
    assert picture.exif == exif()


def test_what_a_tiff_says_of_the_picture_is_kept() -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags[ExifTags.Base.ImageDescription] = "1 ~m"
    tags.get_ifd(ExifTags.Base.ExifOffset)[ExifTags.Base.ISOSpeedRatings] = 400
    tags.get_ifd(ExifTags.Base.GPSInfo)[ExifTags.GPS.GPSAltitude] = 12.5
    kept = Image.Exif()
    data = file_of(COLOUR, "TIFF", exif=tags.tobytes()).getvalue().replace(b"1 ~m", b"1 \xb5m")
    picture = images.read(io.BytesIO(data))
    restored = io.BytesIO()
    images.write(picture, restored, "TIFF")
    assert images.read(io.BytesIO(restored.getvalue())).exif == picture.exif
    assert picture.exif is not None
    kept.load(picture.exif)
    assert kept[ExifTags.Base.Make] == "Maker"
    assert kept[ExifTags.Base.ImageDescription] == "1 µm"
    assert kept.get_ifd(ExifTags.Base.ExifOffset)[ExifTags.Base.ISOSpeedRatings] == 400
    assert kept.get_ifd(ExifTags.Base.GPSInfo)[ExifTags.GPS.GPSAltitude] == 12.5
    assert ExifTags.Base.StripOffsets not in kept
    assert images.read(file_of(COLOUR, "TIFF")).exif is None


def test_metadata_can_be_left_out() -> None:
    picture = Picture(COLOUR, ALPHA, ICC, exif(), XMP).without_metadata()
    assert (picture.icc, picture.exif, picture.xmp) == (None, None, None)
    assert_same(picture, COLOUR, ALPHA)


def test_a_pillow_image_carries_the_metadata() -> None:
    image = images.to_pillow(Picture(GREY, ALPHA, None, exif(), XMP))
    assert image.mode == "LA"
    assert images.from_pillow(image).exif == exif()
    assert images.from_pillow(image).xmp == XMP
