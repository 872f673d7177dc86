"""Pictures of any kind become arrays without loss, or are refused."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from aecodec.errors import ImageError, LimitError
from aecodec.format.container import MAGIC
from aecodec.pictures import images
from aecodec.pictures.images import Picture, Pixels
from tests.picture_files import ALPHA, COLOUR, GREY, ICC, assert_same, chunk, file_of, png

# --- arrays ---


@pytest.mark.parametrize("channels", [None, 2, 3, 4])
def test_arrays_come_back(channels: int | None) -> None:
    array = np.random.default_rng(7).integers(0, 256, (5, 7) if channels is None else (5, 7, channels), np.uint8)
    picture = images.from_array(array)
    assert (picture.height, picture.width) == (5, 7)
    assert picture.channels == (3 if channels in (3, 4) else 1)
    assert np.array_equal(images.to_array(picture), array)


def test_a_grey_array_may_have_a_channel_axis_and_any_strides() -> None:
    assert_same(images.from_array(GREY[:, :, None]), GREY)
    flipped = images.from_array(COLOUR[::-1, ::2])
    assert_same(flipped, COLOUR[::-1, ::2])
    assert flipped.pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (COLOUR / 255, r"float64.*0\.\.255"),
        (COLOUR.astype(np.uint16), "uint16"),
        (GREY > 9, "bool"),
        (np.zeros((2, 2, 5), np.uint8), r"\(2, 2, 5\)"),
        (np.zeros((4,), np.uint8), r"\(4,\)"),
        (np.zeros((0, 9, 3), np.uint8), r"\(0, 9, 3\)"),
        (np.zeros((1, 2, 2, 3), np.uint8), r"\(1, 2, 2, 3\)"),
    ],
)
def test_other_arrays_are_refused(array: npt.NDArray[Any], said: str) -> None:
    with pytest.raises(ImageError, match=said):
        images.from_array(array)


# --- modes ---


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG2000"])
@pytest.mark.parametrize("alpha", [None, ALPHA])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_files_of_8_bits_are_read_as_they_are(format: str, alpha: Pixels | None, pixels: Pixels) -> None:
    stream = io.BytesIO()
    images.write(Picture(pixels, alpha), stream, format)
    expected = np.repeat(pixels[:, :, None], 3, axis=2) if format == "WEBP" and pixels.ndim == 2 else pixels
    assert_same(images.read(io.BytesIO(stream.getvalue())), expected, alpha)


def test_one_bit_becomes_grey() -> None:
    bits = GREY > 128
    assert_same(images.read(file_of(Image.fromarray(bits))), bits.astype(np.uint8) * 255)


def test_a_palette_becomes_colour_or_grey() -> None:
    indexed = Image.new("P", (3, 2))
    indexed.putpalette([9, 8, 7, 20, 20, 20, 200, 200, 200])
    indexed.putdata([0, 1, 2, 2, 1, 0])
    colours = np.array([[9, 8, 7], [20, 20, 20], [200, 200, 200]], np.uint8)
    assert_same(images.read(file_of(indexed)), colours[[[0, 1, 2], [2, 1, 0]]])
    indexed.putdata([1, 1, 2, 2, 1, 2])  # the colour is not used any more
    assert_same(images.read(file_of(indexed)), np.array([[20, 20, 200], [200, 20, 200]], np.uint8))
    assert images.read(file_of(indexed, icc_profile=ICC)).channels == 3  # the profile is one of RGB
    assert_same(images.read(file_of(indexed, "GIF")), np.array([[20, 20, 200], [200, 20, 200]], np.uint8))


def test_transparent_entries_of_a_palette_become_alpha() -> None:
    indexed = Image.new("P", (3, 1))
    indexed.putpalette([9, 8, 7, 1, 2, 3, 200, 100, 50])
    indexed.putdata([0, 1, 2])
    picture = images.read(file_of(indexed, transparency=bytes([255, 0, 130])))
    assert_same(picture, np.array([[[9, 8, 7], [1, 2, 3], [200, 100, 50]]], np.uint8), np.array([[255, 0, 130]], "u1"))


@pytest.mark.parametrize(
    ("depth", "kind", "row", "transparent", "pixels", "alpha"),
    [
        (8, 2, [1, 2, 3, 4, 5, 6], [4, 5, 6], [[1, 2, 3], [4, 5, 6]], [255, 0]),
        (8, 0, [1, 7], [7], [1, 7], [255, 0]),
        (4, 0, [0x1C], [12], [17, 204], [255, 0]),
        (2, 0, [0b01100000], [1], [85, 170], [0, 255]),
        (1, 0, [0b01000000], [1], [0, 255], [255, 0]),
    ],
)
def test_the_transparent_colour_of_a_png_becomes_alpha(
    depth: int, kind: int, row: list[int], transparent: list[int], pixels: list[Any], alpha: list[int]
) -> None:
    extra = chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    picture = images.read(png(2, 1, depth, kind, bytes([0, *row]), extra))
    assert_same(picture, np.array([pixels], np.uint8), np.array([alpha], np.uint8))


@pytest.mark.parametrize("mode", ["RGBX", "RGBA", "LA", "RGB", "L", "1", "P", "PA"])
def test_pillow_images_keep_their_colours(mode: str) -> None:
    image = Image.fromarray(COLOUR).quantize(16).convert("RGBA").convert(mode)
    expected = image.convert("RGBA" if mode in ("RGBA", "LA", "PA") else "RGB")
    back = images.to_pillow(images.from_pillow(image))
    assert np.array_equal(np.asarray(back.convert(expected.mode)), np.asarray(expected))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "F"])
def test_modes_that_would_lose_something_are_refused(mode: str) -> None:
    image = Image.new(mode, (4, 4))
    with pytest.raises(ImageError, match="first"):
        images.from_pillow(image)


def test_a_cmyk_jpeg_is_refused() -> None:
    with pytest.raises(ImageError, match=r"CMYK.*RGB"):
        images.read(file_of(Image.new("CMYK", (8, 8), (10, 20, 30, 40)), "JPEG"))


# --- more than 8 bits ---


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_narrowed_only_where_nothing_is_lost(format: str) -> None:
    assert_same(images.read(file_of(GREY.astype(np.uint16) * 257, format)), GREY)
    with pytest.raises(ImageError, match=r"16 bits.*8 bits first.*magick"):
        images.read(file_of(GREY.astype(np.uint16) * 255, format))
    with pytest.raises(ImageError, match="16 bits"):  # dark, but of 16 bits
        images.read(file_of(GREY.astype(np.uint16), format))


def test_a_tiff_of_floating_point_is_refused_as_such() -> None:
    with pytest.raises(ImageError, match="floating point"):
        images.read(file_of(GREY.astype(np.float32), "TIFF"))


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_pillow_images_of_16_bits(mode: str) -> None:
    order = "<u2" if mode == "I;16" else ">u2"
    twice = Image.frombytes(mode, GREY.shape[::-1], (GREY.astype(np.uint16) * 257).astype(order).tobytes())
    assert_same(images.from_pillow(twice), GREY)
    dark = Image.frombytes(mode, GREY.shape[::-1], GREY.astype(order).tobytes())
    with pytest.raises(ImageError, match="16 bits"):
        images.from_pillow(dark)


def test_integers_of_32_bits_that_are_0_to_255() -> None:
    assert_same(images.from_pillow(Image.fromarray(GREY.astype(np.int32))), GREY)
    for offset in (-300, 200):
        with pytest.raises(ImageError, match="convert"):
            images.from_pillow(Image.fromarray(GREY.astype(np.int32) + offset))


def tiff_16_bits_rgb() -> io.BytesIO:
    """2 x 1 pixels of RGB with 16 bits a sample."""
    entries = [(256, 3, 2), (257, 3, 1), (258, 3, 134), (259, 3, 1), (262, 3, 2), (273, 4, 140), (277, 3, 3)]
    entries += [(278, 3, 1), (279, 4, 12), (284, 3, 1)]
    data = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, kind, value in entries:
        data += struct.pack("<HHII", tag, kind, 3 if tag == 258 else 1, value)
    data += bytes(4)
    assert len(data) == 134
    return io.BytesIO(data + struct.pack("<3H", 16, 16, 16) + bytes(range(12)))


def jpeg_2000_of_12_bits() -> io.BytesIO:
    """The header of an 8-bit RGB file, changed to say 12 bits."""
    data = bytearray(file_of(COLOUR, "JPEG2000").getvalue())
    start = data.index(b"\xff\x4f\xff\x51")
    for component in range(3):
        data[start + 42 + 3 * component] = 11
    return io.BytesIO(bytes(data))


def avif_of_10_bits() -> io.BytesIO:
    """16 x 16 grey pixels; Pillow does not write more than 8 bits."""
    return io.BytesIO(
        base64.b64decode(
            "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAA"
            "AAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAHAAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFD"
            "b2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAABAAAAAQcGl4aQAAAAADCgoKAAAADGF2MUOBIEAAAAAAE2NvbHJu"
            "Y2x4AAIAAgAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAJG1kYXQSAAoIOAz/28CAgaQyDhrCYuTgABQAAAB1fVm1"
        )
    )


@pytest.mark.parametrize(
    "stream",
    [
        png(2, 1, 16, 2, bytes(13)),
        png(2, 1, 16, 4, bytes(9)),
        png(2, 1, 16, 6, bytes(17)),
        png(2, 1, 16, 0, bytes(5), chunk(b"tRNS", bytes(2))),
        tiff_16_bits_rgb(),
        jpeg_2000_of_12_bits(),
        avif_of_10_bits(),
        io.BytesIO(b"P6 2 1 65535\n" + bytes(range(12))),
        io.BytesIO(b"P5 2 1 65535\n" + bytes(range(4))),
        io.BytesIO(b"P5 2 1 65535\n" + bytes(4)),
    ],
    ids=["rgb", "la", "rgba", "grey with transparency", "tiff", "jpeg 2000", "avif", "ppm", "pgm", "dark pgm"],
)
def test_depth_that_pillow_hides_is_refused(stream: io.BytesIO) -> None:
    with pytest.raises(ImageError, match="bits a sample; convert it to 8 bits first"):
        images.read(stream)


# --- several pictures in a file ---


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_animations_and_pages_are_refused(format: str) -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    with pytest.raises(ImageError, match=r"\(2\); extract"):
        images.read(file_of(frames[0], format, save_all=True, append_images=frames[1:]))


def test_the_main_picture_of_a_camera_file_is_taken_but_not_one_of_two_views() -> None:
    main, other = Image.fromarray(COLOUR), Image.fromarray(COLOUR[:8, :8])
    stream = file_of(main, "MPO", save_all=True, append_images=[other], quality=95)
    expected = np.asarray(Image.open(stream).convert("RGB"))
    stream.seek(0)
    assert_same(images.read(stream), expected)
    first = struct.pack("<LL", 0x030000, Image.open(stream).mpinfo[0xB002][0]["Size"])  # type: ignore[attr-defined]
    assert first in stream.getvalue()
    views = stream.getvalue().replace(first, struct.pack("<L", 0x020002) + first[4:])  # disparity
    with pytest.raises(ImageError, match="views"):
        images.read(io.BytesIO(views))


# --- limits and damage ---


def test_the_limit_of_pixels_is_looked_at_before_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png(100_000, 100_000, 8, 2, b"")  # 30 GB, if it had them
    with pytest.raises(LimitError, match="100000 x 100000"):
        images.read(bomb)
    bomb.seek(0)
    with pytest.raises(LimitError, match="max_pixels"):
        images.read(bomb, 10**9)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own limit does not count
    assert_same(images.read(file_of(COLOUR), 1000), COLOUR)
    assert_same(images.read(file_of(COLOUR), None), COLOUR)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "QOI"])
def test_a_truncated_picture_is_an_error_never_a_wrong_picture(format: str) -> None:
    data = file_of(COLOUR, format).getvalue()
    expected = images.to_array(images.read(io.BytesIO(data)))
    complete = 0
    for length in itertools.chain(range(40), range(40, len(data), 13), range(len(data) - 6, len(data))):
        try:
            array = images.to_array(images.read(io.BytesIO(data[:length])))
        except ImageError:
            continue
        complete += 1
        assert np.array_equal(array, expected), length  # what was cut off was not needed
    assert complete <= 16


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "TGA", "JPEG2000", "ICO", "PCX"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damage_raises_nothing_but_errors_of_ours(format: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(file_of(COLOUR, format).getvalue())
    for position, value in changes:
        data[position % len(data)] = value
    with contextlib.suppress(ImageError, LimitError):
        images.read(io.BytesIO(bytes(data)), 10**6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"no picture", "not a picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),  # no program is run for a picture
        (MAGIC + bytes(40), "already compressed"),
        (b"\x89PNG\r\n\x1a\n", "damaged or incomplete"),
    ],
)
def test_messages_name_the_file_and_the_cause(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=said) as error:
        images.read(path)
    assert str(error.value).startswith(f"{path}: ")


def test_messages_of_missing_and_too_large_files_name_them(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"missing\.png: cannot read \(No such file"):
        images.read(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="Is a directory"):
        images.read(tmp_path)
    path = tmp_path / "large.png"
    path.write_bytes(file_of(COLOUR).getvalue())
    with pytest.raises(LimitError, match=rf"^{path}: a picture of 31 x 24"):
        images.read(path, 100)
