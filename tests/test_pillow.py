"""Pillow opens and saves aecodec's files once aecodec.pillow is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, UnidentifiedImageError

import aecodec.pillow
from aecodec.codec import Codec
from aecodec.pictures.images import Picture
from aecodec.stack import encode_stack
from tests.conftest import TINY

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


def test_what_is_no_picture(tmp_path: Path, tiny: Codec, picture: Pixels) -> None:
    data = tiny.encode(picture)
    damaged = {"cut.aec": data[:-9], "stack.aec": encode_stack(picture[None], 50, tiny)}
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnidentifiedImageError):
            Image.open(tmp_path / name)


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
