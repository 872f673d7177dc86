"""Files of every released format version decode forever: the bytes in ``golden/`` are never made again."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from aecodec.codec import Codec, decode_picture, load_codec
from aecodec.format.container import parse_header
from aecodec.stack import decode_stack
from tests.golden.make import pictures

GOLDEN = Path(__file__).parent.parent / "golden"
EXPECTED = json.loads((GOLDEN / "v1.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_version_1(name: str) -> None:
    expected = EXPECTED[name]
    data = (GOLDEN / f"v1-{name}.aec").read_bytes()
    assert len(data) == expected["bytes"]
    models = [GOLDEN / f"{expected['model']}.safetensors"]
    header = parse_header(data)
    pixels = decode_picture(data, models).pixels if header.count is None else decode_stack(data, models=models)
    assert list(pixels.shape) == expected["shape"]
    assert zlib.crc32(pixels.tobytes()) == expected["crc"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in ("alpha", "stack")])
def test_the_same_pictures_give_the_same_files(name: str) -> None:
    codec = load_codec(GOLDEN / f"{EXPECTED[name]['model']}.safetensors")
    picture = pictures()["photo" if name in ("steps", "connected") else name]
    plain = name == "noise"  # which encoders now take for one that the model cannot show
    assert codec.encode_picture(picture, 70, fallback=not plain) == (GOLDEN / f"v1-{name}.aec").read_bytes()


def test_metadata_of_version_1(tiny: Codec) -> None:
    picture = tiny.decode_picture((GOLDEN / "v1-alpha.aec").read_bytes())
    assert (picture.icc, picture.exif, picture.xmp) == (b"icc", b"exif", b"xmp")
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.linspace(0, 255, 40 * 50).reshape(40, 50).astype(np.uint8))


def test_the_files_name_the_golden_model(tiny: Codec) -> None:
    assert parse_header((GOLDEN / "v1-photo.aec").read_bytes()).model_id == tiny.id
