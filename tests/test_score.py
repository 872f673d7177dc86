"""Files of a given SSIMULACRA2."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aecodec
import aecodec.pillow
from aecodec.codec import Codec, Pixels
from aecodec.errors import ImageError, LimitError, MissingExtra
from aecodec.perceived import ssimulacra2
from tests.commands import cli, save
from tests.conftest import TINY


@pytest.mark.parametrize("score", [40, 60])
def test_the_lowest_quality_that_reaches_a_score(photo: Codec, picture: Pixels, score: float) -> None:
    data = photo.encode(picture, score=score)
    assert ssimulacra2(picture, photo.decode(data)) >= score
    quality = aecodec.info(data).quality
    assert quality is not None
    assert ssimulacra2(picture, photo.decode(photo.encode(picture, quality - 1))) < score


def test_everybody_takes_it_alike(here: Path, tiny: Codec, picture: Pixels) -> None:
    save(here / "a.png", picture)
    said = cli("compress", here / "a.png", "--model", "tiny", "--score", "10").stderr
    wanted = tiny.encode(picture, score=10)
    assert "quality " in said
    assert (here / "a.aec").read_bytes() == wanted
    Image.fromarray(picture).save(here / "b.aec", score=10, model=TINY)
    assert (here / "b.aec").read_bytes() == wanted


def test_a_score_out_of_reach(photo: Codec, picture: Pixels) -> None:
    with pytest.raises(LimitError, match=r"cannot reach a score of 99; quality 100 has \d\d\.\d, lossless coding any"):
        photo.encode(picture, score=99)
    with pytest.raises(ValueError, match="score 101"):
        photo.encode(picture, score=101)
    with pytest.raises(ValueError, match="quality and score exclude each other"):
        photo.encode(picture, 30, score=50)
    with pytest.raises(ImageError, match="8 x 8"):
        photo.encode(picture[:5], score=50)


def test_arrays_have_none(here: Path, picture: Pixels) -> None:
    np.save(here / "a.npy", np.stack([picture, picture]))
    said = cli("compress", here / "a.npy", "--model", "tiny", "--score", "10", code=1).stderr
    assert "--bpp, --target-size and --score are for single ones" in said


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, photo: Codec, picture: Pixels) -> None:
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    with pytest.raises(MissingExtra, match=r"a score needs ssimulacra2: pip install 'aecodec\[score\]'"):
        photo.encode(picture, score=50)


def test_effort_that_changes_nothing_is_said(here: Path, picture: Pixels) -> None:
    save(here / "a.png", picture)
    said = cli("compress", here / "a.png", "--effort", "3").stderr
    assert said.startswith("aecodec: effort 3 changes nothing: the model photo was trained for the eye")
    assert said.count("changes nothing") == 1
