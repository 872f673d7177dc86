"""docs/format.md says all that a decoder has to know: one that was written from it restores the golden files."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from aecodec.codec import load_codec
from tests.format import second_decoder
from tests.format.test_golden import EXPECTED, GOLDEN

PAGE = Path(__file__).parent.parent.parent / "docs" / "format.md"


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in ("stack", "patches", "noise", "flat")])
def test_golden_files(name: str) -> None:
    expected = EXPECTED[name]
    weights = (GOLDEN / f"{expected['model']}.safetensors").read_bytes()
    pixels = second_decoder.decode((GOLDEN / f"v1-{name}.aec").read_bytes(), weights)
    assert list(pixels.shape) == expected["shape"]
    assert zlib.crc32(pixels.tobytes()) == expected["crc"]


@pytest.mark.parametrize("quality", [1, 37.53, 99.99, 100])
def test_every_quality_and_symbols_that_no_table_has(quality: float) -> None:
    path = GOLDEN / "tiny.safetensors"
    codec, pixels = load_codec(path), np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    pixels[:20] //= 8
    data = codec.encode(pixels, quality, fallback=False)
    assert np.array_equal(second_decoder.decode(data, path.read_bytes()), codec.decode(data))


def test_it_knows_nothing_of_the_package() -> None:
    source = Path(second_decoder.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) (aecodec|constriction|torch|safetensors)", source, re.MULTILINE)


def test_the_page_has_its_table_of_steps() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (even|odd), (even|odd) \| ([\d ]+) \| ([\d ]+) \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for row, column, two, three in rows:
        phase = int(row == "odd"), int(column == "odd")
        assert second_decoder.STEPS[2][phase] == two.replace(" ", "")
        assert second_decoder.STEPS[3][phase] == three.replace(" ", "")
