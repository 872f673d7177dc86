"""Metadata never cost the picture: what does not fit, or is damaged, is left out, and one line says so."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from aecodec.errors import MetadataWarning
from aecodec.pictures import images
from aecodec.pictures.chunks import Chunk, deflate, density_of, into_png, text_chunk
from aecodec.pictures.images import Picture, with_density
from tests.picture_files import ALPHA, COLOUR, ICC, XMP, assert_same, exif, file_of

IPTC = b"\x1c\x02\x05\0\x05title"
FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"]


def long_exif() -> bytes:
    tags = Image.Exif()
    tags[0x010E] = "x" * 70_000
    return tags.tobytes()


LARGE_ICC = struct.pack(">I", len(ICC) + 1_100_000) + ICC[4:] + bytes(1_100_000)
CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "large profile": ({"icc": LARGE_ICC}, {"PNG"}),
    "huge profile": ({"icc": LARGE_ICC + bytes(17_000_000)}, {"PNG", "JPEG"}),
    "long Exif": ({"exif": long_exif()}, {"JPEG"}),
    "long XMP": ({"xmp": XMP + b" " * 70_000}, {"JPEG"}),
    "damaged Exif": ({"exif": b"Exif\0\0no TIFF at all"}, set(FORMATS)),
    "cut Exif": ({"exif": exif()[:20]}, set(FORMATS)),
    "IPTC": ({"iptc": IPTC}, {"WEBP", "AVIF"}),
    "a text": ({"chunks": (text_chunk("Author", "Ada"),)}, set(FORMATS) - {"PNG"}),
    "a long text": ({"chunks": (Chunk(b"zTXt", b"Author\0\0" + deflate(bytes(2**21))),)}, set(FORMATS)),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_the_picture_is_written_and_can_be_read(case: str, format: str, recwarn: pytest.WarningsRecorder) -> None:
    metadata, left_out = CASES[case]
    stream = io.BytesIO()
    if format in left_out:
        with pytest.warns(MetadataWarning, match="left out: ") as caught:
            images.write(Picture(COLOUR, **metadata), stream, format)
        assert len(caught) == 1 and "\n" not in str(caught[0].message)
    else:
        images.write(Picture(COLOUR, **metadata), stream, format)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert np.abs(np.asarray(image).astype(int) - COLOUR).mean() < 4
    back = images.read(io.BytesIO(stream.getvalue()))
    for name, value in metadata.items():
        assert bool(getattr(back, name)) == (format not in left_out)
        assert format in left_out or name == "exif" or getattr(back, name) == value


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        (Chunk(b"tEXt", b"Raw profile type exif\0\nexif\n      10\nzzzz\n"), "Exif, whose text is damaged"),
        (Chunk(b"zTXt", b"Raw profile type exif\0\0not deflated"), "damaged text"),
        (Chunk(b"tEXt", b"Raw profile type iptc\0\niptc\n      10\n00\n"), "IPTC"),
        (Chunk(b"iCCP", b"name\0\0not deflated"), "the colour profile"),
    ],
)
def test_damage_in_a_png_beside_its_pixels(chunk: Chunk, said: str) -> None:
    with pytest.warns(MetadataWarning, match=said):
        assert_same(images.read(io.BytesIO(into_png(file_of(COLOUR).getvalue(), [chunk]))), COLOUR)


def test_large_metadata_of_a_png_are_read() -> None:
    large = bytes(range(256)) * 8192
    said = [Chunk(b"iCCP", b"name\0\0" + deflate(LARGE_ICC)), Chunk(b"zTXt", b"Author\0\0" + deflate(large))]
    picture = images.read(io.BytesIO(into_png(file_of(COLOUR).getvalue(), said)))
    assert picture.icc == LARGE_ICC
    assert picture.chunks == (said[1],)


# Tags that say how the pixels of another file are stored

STRUCTURE = {254: 1, 258: (16,), 259: 5, 262: 5, 266: 2, 277: 4, 278: 1, 284: 2, 317: 2, 332: 2, 338: (1,), 339: (3,)}


@pytest.mark.parametrize("pixels", [COLOUR, COLOUR[:, :, 0].copy()], ids=["colour", "grey"])
@pytest.mark.parametrize("tag", STRUCTURE)
def test_exif_with_tags_of_storage_does_not_corrupt_a_tiff(tag: int, pixels: images.Pixels) -> None:
    tags = Image.Exif()
    tags[tag], tags[0x010F] = STRUCTURE[tag], "Maker"
    stream = io.BytesIO()
    images.write(Picture(pixels, ALPHA, exif=tags.tobytes()), stream, "TIFF")
    back = images.read(io.BytesIO(stream.getvalue()))
    assert_same(back, pixels, ALPHA)
    assert back.exif is not None and b"Maker" in back.exif


# Density, texts and IPTC


@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("target", ["PNG", "JPEG", "TIFF", "BMP"])
def test_density_comes_along(source: str, target: str) -> None:
    picture = images.read(file_of(COLOUR, source, dpi=(300, 150)))
    stream = io.BytesIO()
    images.write(picture, stream, target)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_no_density_is_made_up(format: str) -> None:
    options = {"dpi": (0, 0)} if format == "BMP" else {}
    assert density_of(images.read(file_of(COLOUR, format, **options)).chunks) is None
    if format == "JPEG":
        tags = Image.Exif()
        tags[0x010F] = "Maker"
        assert density_of(images.read(file_of(COLOUR, format, exif=tags)).chunks) is None


def test_a_density_that_does_not_fit_is_named() -> None:
    with pytest.warns(MetadataWarning, match="the density, which WEBP does not hold"):
        images.write(with_density(Picture(COLOUR), 300, 300), io.BytesIO(), "WEBP")


def test_texts_of_a_png_come_back() -> None:
    text = PngInfo()
    text.add_text("Author", "Ada")
    text.add_text("Title", "Größe", zip=True)
    text.add_itxt("Comment", "日本", "ja", "注")
    picture = images.read(file_of(COLOUR, pnginfo=text))
    stream = io.BytesIO()
    images.write(picture, stream, "PNG")
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        image.load()
        assert image.text == {"Author": "Ada", "Title": "Größe", "Comment": "日本"}  # type: ignore[attr-defined]
    jpeg = io.BytesIO()
    with pytest.warns(MetadataWarning, match=r"'Author'.*'Title'"):
        images.write(picture, jpeg, "JPEG")
    with Image.open(jpeg) as image:
        assert image.info["comment"].decode() == "日本"


@pytest.mark.parametrize("source", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("target", ["JPEG", "TIFF", "PNG", "JPEG2000"])
def test_iptc_comes_along(source: str, target: str) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    images.write(Picture(COLOUR, iptc=IPTC), first, source)
    images.write(images.read(io.BytesIO(first.getvalue())), second, target)
    assert images.read(io.BytesIO(second.getvalue())).iptc == IPTC


def test_the_profile_of_a_bmp_is_read() -> None:
    pixels = file_of(COLOUR, "BMP").getvalue()[54:]
    start = 14 + 124
    head = b"BM" + struct.pack("<IHHI", start + len(pixels) + len(ICC), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 124, 31, 24, 1, 24, 0, len(pixels), 0, 0, 0, 0) + bytes(16) + b"DEBM"
    info += bytes(48) + struct.pack("<IIII", 4, 124 + len(pixels), len(ICC), 0)
    picture = images.read(io.BytesIO(head + info + pixels + ICC))
    assert_same(picture, COLOUR)
    assert picture.icc == ICC


def test_what_is_not_read_is_named() -> None:
    gif = file_of(COLOUR[:, :, 0].copy(), "GIF").getvalue()
    place = gif.index(b",")
    with pytest.warns(MetadataWarning, match="colour profile"):
        images.read(io.BytesIO(gif[:place] + b"!\xff\x0bICCRGBG1012\x01x\0" + gif[place:]))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_nonsense_in_chunks_costs_no_picture(format: str) -> None:
    for kind, body in (
        (b"cICP", b"xyz"),
        (b"gAMA", b""),
        (b"gAMA", b"\0\0\0\1"),
        (b"cHRM", bytes(32)),
        (b"pHYs", b"9"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataWarning)
            images.write(Picture(COLOUR, chunks=(Chunk(kind, body),)), io.BytesIO(), format)
    many = tuple(text_chunk(f"key {i}", "x") for i in range(2000))
    with pytest.warns(MetadataWarning, match="of 2000 texts"):
        images.write(Picture(COLOUR, chunks=many), io.BytesIO(), format)


# Settings of the application


def test_a_cut_stored_picture_is_refused_whatever_the_application_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    from aecodec.errors import FormatError
    from aecodec.pictures.lossless import decode_lossless, decode_plane

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    noise = np.random.default_rng(7).integers(0, 256, (60, 40), np.uint8)
    data = file_of(noise).getvalue()
    assert np.array_equal(decode_lossless(data, 40, 60, 1), noise)
    damaged = [data[: len(data) // 2], data[:-12], data[:500] + bytes([data[500] ^ 1]) + data[501:]]
    short = file_of(noise[:30]).getvalue()
    damaged.append(data[:33] + short[33:])  # a header that promises twice the rows
    for stored in damaged:
        with pytest.raises(FormatError):
            decode_lossless(stored, 40, 60, 1)
        with pytest.raises(FormatError):
            decode_plane(stored, 40, 60)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from aecodec.cli.main import main

    broken = Chunk(b"iCCP", b"name\0\0not deflated")
    (tmp_path / "a.png").write_bytes(into_png(file_of(COLOUR).getvalue(), [broken]))
    result = CliRunner().invoke(main, ["compress", str(tmp_path / "a.png"), "--lossless", "--quiet"])
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"aecodec: {tmp_path / 'a.png'}: left out: the colour profile (")
