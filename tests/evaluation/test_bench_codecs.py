"""The benchmark's metrics, and every codec that it can measure."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from aecodec.errors import ModelError
from aecodec.evaluation.extra import BenchError, optional, version
from aecodec.evaluation.metrics import METRICS, as_rgb, flip, ms_ssim, ms_ssim_decibels, psnr, ssimulacra2
from aecodec.evaluation.ours import Aecodec, models
from aecodec.evaluation.rivals import JPEG, RIVALS, Rival, choose
from aecodec.options import DEFAULT_EFFORT
from tests.bench_pictures import picture
from tests.conftest import TINY


def test_ms_ssim_and_ssimulacra2_are_best_for_equal_pictures_and_fall_with_the_quality() -> None:
    original = picture(176, 192, 3)
    good, bad = (JPEG.decode(JPEG.encode(original, quality)) for quality in (90, 10))
    assert ms_ssim(original, original) == pytest.approx(1)
    assert ssimulacra2(original, original) == pytest.approx(100)
    for metric in (ms_ssim, ssimulacra2):
        best, worst = metric(original, good), metric(original, bad)
        assert best is not None and worst is not None
        assert worst < best
    assert flip(original, original) == 0
    assert 0 < flip(original, good) < flip(original, bad) < 1


def test_every_metric_of_a_curve_grows_with_the_quality() -> None:
    original = picture(176, 192, 3)
    good, bad = (JPEG.decode(JPEG.encode(original, quality)) for quality in (90, 10))
    for metric in METRICS:
        if metric.compute is not None:
            best, worst = metric.compute(original, good), metric.compute(original, bad)
            assert best is not None and worst is not None
            assert metric.on_curve(best) > metric.on_curve(worst)
        if metric.exact is not None:
            assert metric.on_curve(metric.exact) >= metric.levels[-1]


def test_metrics_of_pictures_that_are_too_small_are_none() -> None:
    small = picture(160, 200, 0)
    assert ms_ssim(small, small) is None
    assert ssimulacra2(small[:7], small[:7]) is None
    with pytest.raises(ValueError, match="shapes"):
        ms_ssim(small, small[:9])


def test_ms_ssim_decibels() -> None:
    assert ms_ssim_decibels(0.99) == pytest.approx(20)
    assert ms_ssim_decibels(1) == math.inf


@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.name)
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_every_codec_restores_the_picture_it_was_given(rival: Rival, grey: bool) -> None:
    original = picture(64, 96, 1)[..., 0] if grey else picture(64, 96, 1)
    low, high = rival.qualities[0], rival.qualities[-1]
    restored = as_rgb(rival.decode(rival.encode(original, high)))
    assert restored.shape == (64, 96, 3)
    assert restored.dtype == np.uint8
    assert psnr(as_rgb(original), restored) > 30
    assert rival.quality_range[0] <= low <= high <= rival.quality_range[1]
    if low < high:
        assert len(rival.encode(original, low)) < len(rival.encode(original, high))
        assert not np.array_equal(as_rgb(original), restored)
    else:
        assert np.array_equal(as_rgb(original), restored)


def test_codecs_say_what_they_are() -> None:
    every = RIVALS
    assert len({rival.name for rival in every}) == len(every)
    for rival in every:
        assert rival.settings
        assert rival.versions
        assert all(number[0].isdigit() or name == "AV1" for name, number in rival.versions.items()), rival.versions


def test_jpeg_xl_quality_is_that_of_cjxl() -> None:
    original = picture(64, 96, 1)
    jpeg_xl = next(rival for rival in RIVALS if rival.name == "JPEG XL e7")
    sizes = [len(jpeg_xl.encode(original, quality)) for quality in (1, 10, 29, 30, 60, 90, 100)]
    assert sizes == sorted(sizes)


def test_codecs_are_chosen_by_the_beginnings_of_their_names() -> None:
    every = RIVALS
    assert choose(every, []) == every
    assert [rival.name for rival in choose(every, ["jpeg"])] == ["JPEG"]
    assert [rival.name for rival in choose(every, ["JPEG XL", "webp l"])] == [
        *("JPEG XL e7", "WebP lossless", "JPEG XL lossless")
    ]
    with pytest.raises(BenchError, match=r"no codec 'bpg'; there are JPEG, "):
        choose(every, ["bpg"])


def test_models_are_named_and_told_apart(tmp_path: Path) -> None:
    (model,) = models([str(TINY)])
    assert isinstance(model, Aecodec)
    assert model.name.startswith("aecodec ")
    assert model.id in model.settings
    original = picture(64, 96, 1)
    assert model.decode(model.encode(original, 60)).shape == original.shape
    usual, little = models([str(TINY)], (DEFAULT_EFFORT, 1))
    assert usual == model
    assert little.name == f"{model.name}, effort 1"
    assert little.settings != model.settings
    assert little.encode(original, 60) != model.encode(original, 60)
    with pytest.raises(ModelError, match="same model twice"):
        models([str(TINY), str(TINY)])
    with pytest.raises(ModelError, match="no model named"):
        models(["nothing"])


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    with pytest.raises(ModuleNotFoundError, match=r"imagecodecs.*aecodec\[bench\]"):
        optional("imagecodecs")
    assert version("no-such-distribution") == "not installed"
