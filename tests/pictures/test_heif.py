"""HEIF: read with pillow-heif, named without."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from aecodec.errors import ImageError
from aecodec.pictures import heif, images
from tests.commands import COLOUR, compress, listing

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def photo(here: Path) -> Path:
    pillow_heif.from_bytes("RGB", COLOUR.shape[1::-1], COLOUR.tobytes()).save(here / "a.heic", quality=-1)
    return here / "a.heic"


def test_heif_is_read_where_it_can_be(here: Path, photo: Path) -> None:
    assert np.abs(images.read(photo).pixels.astype(int) - COLOUR).mean() < 3
    compress(here, "-r", "-o", "out", "--quiet")
    assert listing(here / "out") == {"a.aec"}


def test_heif_is_named_where_it_cannot_be_read(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "register", lambda: None)
    monkeypatch.setattr("PIL.Image.ID", ["PNG", "JPEG"])
    with pytest.raises(ImageError, match="a HEIF picture, which the package pillow-heif reads"):
        images.read(photo)


def test_the_package_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif.register.__wrapped__()
