"""The verdict on a model: what it says, and on which pictures it can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.errors import ModelError
from aecodec.evaluation.curves import CurveError
from aecodec.evaluation.metrics import PSNR, SSIMULACRA2, Metric, Pixels
from aecodec.evaluation.sheet import from_sheet, to_sheet
from aecodec.evaluation.verdict import Extent, Other, Verdict, judge
from aecodec.training.pictures import PictureArray, TrainingPicture
from aecodec.training.validation import Validator, pixels_of
from aecodec.weights import find
from tests.conftest import TINY
from tests.training_data import digits, pictures, tiles


def test_the_verdict_compares_with_other_codecs() -> None:
    verdict = judge(TINY, pixels_of(pictures([(128, 128), (96, 160)])), Extent(100, 2_000_000))
    text, results = str(verdict), verdict.results()
    for name in ("this model", "JPEG", "WebP m6", "AVIF s6", "photo model"):
        assert name in text
    assert results["held_out_pictures"] == 2
    assert results["held_out_bd_rate_jpeg_percent"] == pytest.approx(verdict.others[0].bd_rate, abs=0.01)
    assert all(isinstance(value, int | float) for value in results.values())
    assert "100 pictures (2.0 megapixels), extrapolated" in text


@pytest.mark.parametrize(
    "held_out",
    [
        PictureArray(Path("a.npy"), tiles(5, 8)[..., 0]),
        [TrainingPicture(Path("black.png"), np.zeros((30, 30, 3), np.uint8)), *pictures([(64, 64)])],
    ],
    ids=["tiny and grey", "one restored exactly"],
)
def test_pictures_that_are_hard_to_judge_on(
    tiny: Codec, held_out: Sequence[TrainingPicture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Path:
        raise ModelError(f"no model named {name!r}")

    monkeypatch.setattr("aecodec.evaluation.verdict.find", missing)
    verdict = judge(TINY, pixels_of(held_out), Extent(5, 5000))
    assert "photo" not in str(verdict)
    assert np.isfinite(list(verdict.results().values())).all()
    points = Validator(held_out)(tiny).points
    assert all(np.isfinite(point.psnr) for point in points)


@pytest.mark.parametrize("metric", [PSNR, SSIMULACRA2], ids=str)
def test_what_is_always_stored_without_loss_is_said(metric: Metric) -> None:
    checks = 255 * (np.indices((20, 20)).sum(0) % 2)[..., None].repeat(3, -1).astype(np.uint8)
    with pytest.raises(CurveError, match="at all qualities these pictures are stored without loss"):
        judge(TINY, [checks], Extent(5, 2000), metric)


def test_arrays_are_judged_as_one_file() -> None:
    verdict = judge(TINY, tiles(9, 40), Extent(90, 144_000))
    assert "On 9 pictures (14,400 pixels) held out, in one file" in str(verdict)
    alone = judge(TINY, list(tiles(9, 40)), Extent(90, 144_000))
    assert verdict.bpp < alone.bpp  # no header for each


@pytest.mark.parametrize("array", [digits()[:30], tiles(16, 20)], ids=["grey", "colour"])
def test_sheets_there_and_back(array: Pixels) -> None:
    sheet = to_sheet(array)
    height, width = array.shape[1:3]
    assert np.array_equal(sheet[:height, width : 2 * width], array[1])
    assert np.array_equal(from_sheet(sheet, height, width), array[: 25 if len(array) == 30 else 16])


def test_when_a_weights_file_has_paid() -> None:
    others = (Other("JPEG", 2.0, -50.0), Other("AVIF s6", 1.5, -30.0), Other("WebP m6", None, None))
    verdict = Verdict(Extent(4, 40_000), Extent(100, 800_000), 35.0, 1.0, others, 50_000)
    assert verdict.paid_after() == 100  # half a bit of 8,000 pixels: 500 bytes a picture
    assert "has paid for itself after 100 pictures, against AVIF s6; you have 100." in str(verdict)
    few = replace(verdict, whole=Extent(99, 792_000))
    assert "pays after 100 pictures, against AVIF s6; you have 99, which take fewer bytes with AVIF s6." in str(few)
    assert verdict.results()["paid_after_pictures"] == 100
    lost = replace(verdict, bpp=1.5)
    assert lost.paid_after() is None
    assert "does not pay" in str(lost)
    assert "paid_after_pictures" not in lost.results()
    assert "cannot be told" in str(replace(verdict, others=others[2:]))


def test_the_first_line_says_what_to_make_of_it() -> None:
    others = (Other("JPEG", 2.0, -50.0), Other("AVIF s6", 1.5, 4.0))
    verdict = Verdict(Extent(4, 40_000), Extent(100, 800_000), 35.0, 1.0, others, 50_000)
    first = str(verdict).splitlines()[0]
    assert first == "This model needs 50.0 % fewer bytes than JPEG, 4.0 % more bytes than AVIF s6, at equal PSNR."
    worse = replace(verdict, others=(*others, Other("photo model", 0.9, 7.0)))
    said = str(worse).splitlines()[0]
    assert said.startswith("This model is worse than the photo model on these pictures: use that one, or train for")
    assert said.count(" bytes than ") == 3 and "7.0 % more bytes than photo model, at equal PSNR." in said
    # Where curves have no quality in common over which a BD-rate is had, the verdict's score decides.
    apart = replace(verdict, others=(Other("photo model", 0.8, None),))
    assert str(apart).splitlines()[0].startswith("This model is worse than the photo model")
    assert "needs 25.0 % more bytes than photo model" in str(apart).splitlines()[0]
    beyond = replace(verdict, others=(Other("JPEG", None, None), Other("photo model", None, None, True)))
    assert str(beyond).splitlines()[0].startswith("This model is worse than the photo model")
    assert "Smaller files of photo model are better than the best ones of this model." in str(beyond).splitlines()[0]
    assert "does not pay: other codecs are better with fewer bytes" in str(beyond)
    better = replace(verdict, others=(*others, Other("photo model", 1.1, -7.0)))
    assert "worse" not in str(better)


def test_the_photo_model_is_not_compared_with_itself() -> None:
    verdict = judge(find("photo"), pixels_of(pictures([(128, 128)])), Extent(1, 16_384))
    assert "photo model" not in str(verdict)
    assert verdict.against_photo() is None
