"""A picture that Exif or XMP say to turn is shown the same way wherever it goes."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from aecodec.errors import MetadataWarning
from aecodec.pictures import images, orientation
from aecodec.pictures.chunks import density_of
from aecodec.pictures.images import Picture, with_density
from tests.picture_files import ALPHA, COLOUR, exif, file_of

XMP_6 = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def shown(image: Image.Image) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)


@pytest.mark.parametrize("turn", range(1, 9))
def test_turning_is_what_pillow_does(turn: int) -> None:
    expected = shown(Image.open(file_of(COLOUR, exif=exif(turn))))
    picture = Picture(COLOUR, ALPHA, exif=exif(turn)).upright()
    assert np.array_equal(picture.pixels, expected)
    assert picture.alpha is not None and picture.alpha.shape == picture.pixels.shape[:2]
    assert orientation.read(picture.exif, None) == 1
    assert picture.exif is not None and len(picture.exif) == len(exif(turn))


@pytest.mark.parametrize(
    "format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "TGA", "JPEG2000", "QOI", "PCX"]
)
@pytest.mark.parametrize("source", [{"exif": exif(6)}, {"xmp": XMP_6}], ids=["Exif", "XMP"])
@pytest.mark.filterwarnings("ignore::aecodec.errors.MetadataWarning")
def test_every_format_shows_the_picture_upright(format: str, source: dict[str, bytes]) -> None:
    stream = io.BytesIO()
    images.write(Picture(COLOUR, **source), stream, format)  # type: ignore[arg-type]
    expected = np.rot90(COLOUR, -1)
    got = shown(Image.open(io.BytesIO(stream.getvalue())))
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < 4


def test_where_exif_does_not_fit_the_pixels_are_turned() -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = 6, "x" * 70_000
    stream = io.BytesIO()
    with pytest.warns(MetadataWarning, match="Exif"):
        images.write(Picture(COLOUR, exif=tags.tobytes()), stream, "JPEG")
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert image.size == COLOUR.shape[:2]


def test_orientation_alone_is_no_loss_to_speak_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tags = Image.Exif()
        tags[0x0112] = 6
        images.write(Picture(COLOUR, exif=tags.tobytes()), io.BytesIO(), "PPM")


def test_density_turns_with_the_pixels() -> None:
    picture = with_density(Picture(COLOUR, exif=exif(8)), 300, 72).upright()
    assert density_of(picture.chunks) == pytest.approx((72, 300), rel=1e-3)


def test_damaged_exif_says_nothing() -> None:
    data = exif(6)
    for length in range(len(data)):
        assert orientation.read(data[:length], None) in (1, 6)
    assert orientation.read(b"Exif\0\0no TIFF", None) == 1
    assert orientation.read(exif(99), XMP_6) == 1
