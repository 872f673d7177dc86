"""Pillow opens and saves aecodec's files once aecodec.pillow is imported."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile

import aecodec
import aecodec.pillow
from aecodec.codec import Codec
from aecodec.format.container import Coding, Contents, Header, pack
from aecodec.pictures.images import Picture
from aecodec.stack import encode_stack
from tests.conftest import TINY
from tests.picture_files import ICC, exif

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_MODELS", str(TINY.parent))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_open_is_decode(tmp_path: Path, tiny: Codec, picture: Pixels, mode: str) -> None:
    array = np.asarray(Image.fromarray(picture).convert(mode))
    data = tiny.encode(array, 50)
    (tmp_path / "x.aec").write_bytes(data)
    with Image.open(tmp_path / "x.aec") as image:
        assert (image.format, image.mode, image.size) == ("AEC", mode, (256, 192))
        assert image.get_format_mimetype() == aecodec.pillow.MEDIA_TYPE
        assert np.array_equal(np.asarray(image), tiny.decode(data))


def test_save_is_encode(tmp_path: Path, tiny: Codec, picture: Pixels) -> None:
    path = tmp_path / "x.aec"
    Image.fromarray(picture).save(path, quality=30, model="tiny", icc_profile=b"profile")
    assert path.read_bytes() == tiny.encode_picture(Picture(picture, icc=b"profile"), 30)
    with Image.open(path) as image:
        image.save(tmp_path / "y.aec", model="tiny", xmp=b"<x/>")
    with Image.open(tmp_path / "y.aec") as image:
        assert (image.info["icc_profile"], image.info["xmp"]) == (b"profile", b"<x/>")


def test_exif_objects_are_taken(tmp_path: Path, picture: Pixels) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "x.aec", model="tiny", exif=tags)
    with Image.open(tmp_path / "x.aec") as image:
        assert image.getexif() == {0x0112: 6}


def test_damage_is_named(tmp_path: Path, tiny: Codec, picture: Pixels) -> None:
    data = tiny.encode(picture)
    flipped = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    damaged = {
        "cut": (data[:-9], "truncated"),
        "empty": (data[:6], "truncated"),
        "flipped": (flipped, "checksum"),
        "longer": (data + b"x", "1 bytes follow"),
        "stack": (encode_stack(picture[None], 50, tiny), "a stack of pictures"),
        "deep": (aecodec.encode(picture.astype(np.uint16), lossless=True), "16 bits a sample"),
    }
    for name, (content, cause) in damaged.items():
        (tmp_path / f"{name}.aec").write_bytes(content)
        with pytest.raises(OSError, match=cause), Image.open(tmp_path / f"{name}.aec") as image:
            image.load()
    with Image.open(tmp_path / "flipped.aec") as image, pytest.raises(OSError, match="checksum"):
        image.verify()


def test_opening_reads_no_pixels(tiny: Codec, picture: Pixels) -> None:
    data = tiny.encode_picture(Picture(picture, picture[:, :, 0], xmp=b"<x/>"), 90)

    class Counted(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            part = super().read(size)
            self.count += len(part)
            return part

    file = Counted(data)
    with Image.open(file) as image:
        assert (image.size, image.mode, image.info["xmp"]) == ((256, 192), "RGBA", b"<x/>")
    assert file.count < 300 < len(data)


@pytest.mark.parametrize("size", [3, 100, 10_000])
def test_files_that_come_bit_by_bit(tiny: Codec, picture: Pixels, size: int) -> None:
    data = tiny.encode_picture(Picture(picture[:32, :32], icc=bytes(4000)))
    parser = ImageFile.Parser()
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
    assert np.array_equal(np.asarray(parser.close()), tiny.decode(data))


def test_the_limit_of_pixels_is_pillows(monkeypatch: pytest.MonkeyPatch, tiny: Codec, picture: Pixels) -> None:
    large = pack(Contents(Header(15_000, 9_000, 1, Coding.LOSSLESS), b"not looked at by open"))
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(large))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert Image.open(io.BytesIO(large)).size == (15_000, 9_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(tiny.encode(picture)))


def test_options_are_those_of_encode(tmp_path: Path, tiny: Codec, picture: Pixels) -> None:
    image, path = Image.fromarray(picture), tmp_path / "x.aec"
    options: dict[str, Any]
    for options in ({"target_size": 3000}, {"bpp": 0.5}, {"lossless": True}, {"quality": 20, "effort": 0}):
        image.save(path, model="tiny", **options)
        assert path.read_bytes() == tiny.encode(picture, **options)
    for options, error in (({"quality": 50, "bpp": 1}, ValueError), ({"optimize": True}, TypeError)):
        with pytest.raises(error):
            image.save(path, model="tiny", **options)
    deep = Image.fromarray(picture[:, :, 0].astype(np.uint16) * 200)
    deep.save(path, lossless=True)
    assert np.array_equal(aecodec.decode(path), np.asarray(deep))


def test_the_current_frame_of_an_animation(tmp_path: Path, picture: Pixels) -> None:
    frames = [Image.fromarray(picture[: 40 + 0 * k, k : k + 40]) for k in (0, 60)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "x.gif") as animation:
        animation.seek(1)
        expected = np.asarray(animation.convert("RGB"))
        animation.save(tmp_path / "x.aec", lossless=True)
    with Image.open(tmp_path / "x.aec") as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), expected)


def test_metadata_of_the_source_are_kept(tmp_path: Path, picture: Pixels) -> None:
    Image.fromarray(picture).save(tmp_path / "x.png", dpi=(300, 300), exif=exif(), icc_profile=ICC)
    with Image.open(tmp_path / "x.png") as image:
        image.save(tmp_path / "x.aec", lossless=True)
    with Image.open(tmp_path / "x.aec") as image:
        assert (image.info["exif"], image.info["icc_profile"]) == (exif(), ICC)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        image.save(tmp_path / "y.aec", lossless=True, dpi=(72, 72))
    with Image.open(tmp_path / "y.aec") as image:
        assert image.info["dpi"] == pytest.approx((72, 72), abs=0.02)


def test_pillow_alone_starts_without_the_codec(tiny: Codec, picture: Pixels, tmp_path: Path) -> None:
    (tmp_path / "x.aec").write_bytes(tiny.encode(picture))
    program = (
        "import sys, aecodec.pillow; from PIL import Image; "
        "assert 'numpy' not in sys.modules; Image.open(sys.argv[1]).size; "
        "print({'torch', 'numpy', 'safetensors', 'aecodec.codec'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x.aec")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_a_missing_model_is_an_os_error(
    tmp_path: Path, tiny: Codec, picture: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.aec").write_bytes(tiny.encode(picture))
    monkeypatch.delenv("AECODEC_MODELS")
    with Image.open(tmp_path / "x.aec") as image, pytest.raises(OSError, match="needs the model"):
        image.load()
    with pytest.raises(OSError, match="no model named"):
        Image.fromarray(picture).save(tmp_path / "y.aec", model="nowhere")


def test_aecodec_alone_changes_nothing_in_pillow() -> None:
    program = "import aecodec.codec; from PIL import Image; Image.init(); print('.aec' in Image.EXTENSION)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
