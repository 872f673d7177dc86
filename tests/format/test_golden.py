"""Files of every released format version decode forever: the bytes in ``golden/`` are never made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.format.container import parse_header

GOLDEN = Path(__file__).parent.parent / "golden"
EXPECTED = json.loads((GOLDEN / "v1.json").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_version_1(tiny: Codec, name: str) -> None:
    data = (GOLDEN / f"v1-{name}.aec").read_bytes()
    assert len(data) == EXPECTED[name]["bytes"]
    assert parse_header(data).symbols_crc == EXPECTED[name]["symbols_crc"]
    restored = tiny.decode_picture(data).pixels  # which compares the checksum of the symbols
    expected = np.load(GOLDEN / f"v1-{name}.npy")
    assert restored.shape == expected.shape
    assert np.abs(restored.astype(int) - expected).max() == 0


def test_metadata_of_version_1(tiny: Codec) -> None:
    picture = tiny.decode_picture((GOLDEN / "v1-alpha.aec").read_bytes())
    assert (picture.icc, picture.exif, picture.xmp) == (b"icc", b"exif", b"xmp")
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, np.linspace(0, 255, 40 * 50).reshape(40, 50).astype(np.uint8))


def test_the_files_name_the_golden_model(tiny: Codec) -> None:
    assert parse_header((GOLDEN / "v1-photo.aec").read_bytes()).model_id == tiny.id
