"""What the public functions take: pictures and files of any kind, and the same options everywhere."""

from __future__ import annotations

import array
import inspect
import io
import mmap
import pydoc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import aecodec
from aecodec.codec import Codec
from aecodec.errors import ChecksumError, ImageError, ModelError
from aecodec.options import Options
from tests.conftest import TINY
from tests.picture_files import COLOUR, file_of

Pixels = npt.NDArray[np.uint8]


def mapped(data: bytes) -> mmap.mmap:
    block = mmap.mmap(-1, len(data))
    block.write(data)
    return block


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "part of a memoryview": lambda data: memoryview(b"before" + data)[6:],
    "mmap": mapped,
    "array": lambda data: np.frombuffer(data, np.uint8),
    "array of Python's": lambda data: array.array("B", data),
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_files_in_any_buffer(kind: str, tiny: Codec, picture: Pixels) -> None:
    single, stack = tiny.encode(picture[:32, :32]), aecodec.encode_stack(picture[None, :32, :32], 50, tiny)
    given = BUFFERS[kind]
    assert np.array_equal(aecodec.decode(given(single), TINY), tiny.decode(single))
    assert np.array_equal(tiny.decode(given(single)), tiny.decode(single))
    assert np.array_equal(aecodec.decode_picture(given(single), [str(TINY)]).pixels, tiny.decode(single))
    assert aecodec.decode_stack(given(stack), models=str(TINY)).shape == (1, 32, 32, 3)
    assert aecodec.info(given(single)) == aecodec.info(single)


@pytest.mark.parametrize("path", [str, Path])
def test_files_by_their_path(path: Callable[[Path], Any], tmp_path: Path, tiny: Codec, picture: Pixels) -> None:
    file, stack = tmp_path / "x.aec", tmp_path / "s.aec"
    file.write_bytes(tiny.encode(picture[:32, :32]))
    stack.write_bytes(aecodec.encode_stack(picture[None, :32, :32], 50, tiny))
    assert np.array_equal(aecodec.decode(path(file), [path(TINY)]), tiny.decode(file.read_bytes()))
    assert aecodec.decode_stack(path(stack), 0, path(TINY)).shape == (32, 32, 3)
    assert aecodec.info(path(file)).model == tiny.id.hex()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    read: Callable[[Any], object]
    for read in (aecodec.decode, tiny.decode, aecodec.decode_picture):
        with pytest.raises(ChecksumError, match=r"^.*x\.aec: "):
            read(path(file))
    for read in (aecodec.decode, aecodec.info, aecodec.decode_stack):
        with pytest.raises(ImageError, match=r"none\.aec: cannot read"):
            read(path(tmp_path / "none.aec"))


@pytest.mark.parametrize("read", [aecodec.decode, aecodec.decode_stack, aecodec.info])
@pytest.mark.parametrize("wrong", [None, 7, 1.5, [b"x"]])
def test_what_is_neither_buffer_nor_path(read: Callable[[Any], Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes of a file or its path"):
        read(wrong)


def test_a_picture_of_any_kind_is_encoded_alike(tmp_path: Path, tiny: Codec) -> None:
    data = file_of(COLOUR).getvalue()
    (tmp_path / "x.png").write_bytes(data)
    expected = tiny.encode(COLOUR, 70)
    for source in (Image.fromarray(COLOUR), data, memoryview(data), mapped(data), tmp_path / "x.png"):
        assert tiny.encode(source, 70) == expected
    assert tiny.encode(str(tmp_path / "x.png"), 70) == expected
    assert tiny.encode(COLOUR.data, 70) == expected  # a memoryview of three dimensions


@pytest.mark.parametrize("mode", ["P", "PA", "1", "LA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "F", "I", "I;16"])
def test_a_pillow_image_is_encoded_as_its_colours_or_refused(mode: str) -> None:
    image = Image.fromarray(COLOUR).quantize(16).convert("RGBA" if mode in ("LA", "PA") else "RGB")
    image = image.convert("L").convert(mode) if mode in ("F", "I", "I;16", "1") else image.convert(mode)
    if mode in ("CMYK", "YCbCr", "HSV", "LAB", "F"):
        with pytest.raises(ImageError, match="first"):
            aecodec.encode(image, lossless=True)
        return
    got = Image.fromarray(aecodec.decode(aecodec.encode(image, lossless=True)))
    if mode == "I;16":
        assert np.array_equal(np.asarray(got), np.asarray(image))
    else:
        assert np.array_equal(np.asarray(got.convert("RGBA")), np.asarray(image.convert("RGBA")))


# Options


def test_options_have_the_same_names_everywhere() -> None:
    names = {"quality", "target_size", "bpp", "lossless", "effort"}
    for function in (aecodec.encode, aecodec.Codec.encode, aecodec.Codec.encode_picture, Options):
        assert names <= inspect.signature(function).parameters.keys()
    from aecodec.cli.compress import compress

    assert names | {"model"} <= {parameter.name for parameter in compress.params}
    with pytest.raises(TypeError):
        aecodec.encode_stack(np.zeros((1, 8, 8), np.uint8), target_size=100)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 0},
        {"quality": float("nan")},
        {"quality": 101},
        {"target_size": 0},
        {"bpp": 0},
        {"bpp": float("inf")},
        {"bpp": float("nan")},
        {"effort": 10},
        {"effort": -1},
        {"quality": 50, "target_size": 100},
        {"quality": 50, "bpp": 1},
        {"target_size": 100, "bpp": 1},
        {"lossless": True, "quality": 50},
        {"lossless": True, "target_size": 100},
    ],
)
def test_options_out_of_range_or_together_are_refused(wrong: dict[str, Any], tiny: Codec) -> None:
    for encode in (tiny.encode, partial(aecodec.encode, model=TINY)):
        with pytest.raises(ValueError, match=r"is not|exclude"):
            encode(COLOUR, **wrong)


# Lossless


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 2), (20, 30, 3), (20, 30, 4), (1, 1), (1, 17, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_lossless_is_exact_and_needs_no_model(
    shape: tuple[int, ...], kind: type[np.uint8 | np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Codec, "__init__", lambda *_: pytest.fail("a model was loaded"))
    pixels = np.random.default_rng(7).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    for order in (pixels, pixels.astype(pixels.dtype.newbyteorder(">"))):
        data = aecodec.encode(order, lossless=True)
        back = aecodec.decode(data)
        assert back.dtype == kind and np.array_equal(back, pixels)
    assert (aecodec.info(data).lossless, aecodec.info(data).depth) == (True, pixels.dtype.itemsize * 8)


def test_16_bits_are_for_lossless_coding(tiny: Codec) -> None:
    with pytest.raises(ImageError, match="lossless"):
        tiny.encode(COLOUR.astype(np.uint16))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_files_of_16_bits_come_back(format: str, tmp_path: Path) -> None:
    grey = np.random.default_rng(7).integers(0, 2**16, (24, 31), np.uint16)
    picture = aecodec.decode_picture(aecodec.encode(file_of(grey, format).getvalue(), lossless=True))
    assert np.array_equal(picture.pixels, grey)
    from aecodec.pictures import images

    stream = io.BytesIO()
    images.write(picture, stream, format)
    assert np.array_equal(images.read(io.BytesIO(stream.getvalue()), deep=True).pixels, grey)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_of_16_bits_goes_to_png_and_back(channels: int) -> None:
    from aecodec.pictures import images

    pixels = np.random.default_rng(7).integers(0, 2**16, (24, 31, channels), np.uint16)
    stream = io.BytesIO()
    images.write(images.from_array(pixels, deep=True), stream, "PNG")
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        shown = np.asarray(image)
        assert np.array_equal(
            shown[..., [0, 3]] if channels == 2 else shown, pixels >> 8
        )  # which Pillow takes for RGBA
    if channels > 2:
        back = images.read(io.BytesIO(stream.getvalue()), deep=True)
        assert np.array_equal(images.to_array(back), pixels)
    with pytest.raises(ImageError, match="16 bits a sample"):
        images.write(images.from_array(pixels, deep=True), stream, "JPEG")


# The module


def test_a_model_that_is_not_there(tiny: Codec) -> None:
    with pytest.raises(ModelError, match="no model named 'nowhere'"):
        aecodec.decode(tiny.encode(COLOUR, fallback=False), "nowhere")


def test_the_module_shows_what_it_has() -> None:
    assert set(aecodec.__all__) <= set(dir(aecodec))
    shown = pydoc.plain(pydoc.render_doc(aecodec))
    for name in ("encode(", "decode(", "encode_stack(", "decode_stack(", "info(", "class Codec"):
        assert name in shown


def test_info_says_what_a_file_is(tiny: Codec, picture: Pixels) -> None:
    info = aecodec.info(tiny.encode(np.dstack([picture, picture[:, :, 0]]), 42.5))
    assert (info.width, info.height, info.channels, info.alpha, info.depth) == (256, 192, 3, True, 8)
    assert (info.quality, info.model, info.count, info.lossless, info.intact) == (
        42.5,
        tiny.id.hex(),
        None,
        False,
        True,
    )
    assert info.bpp == pytest.approx(8 * info.bytes / (256 * 192))
    assert info.sections.keys() >= {"payload", "alpha"}
    stack = aecodec.info(aecodec.encode_stack(picture[None].repeat(3, 0), lossless=True))
    assert (stack.count, stack.lossless, stack.quality, stack.model) == (3, True, None, None)
    with pytest.raises(aecodec.FormatError):
        aecodec.info(b"nothing")
