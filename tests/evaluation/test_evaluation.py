"""Metrics, curves, rivals and the benchmark scripts built from them."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aecodec.codec import load_codec
from aecodec.engine.network import VARIABLE
from aecodec.errors import AecError
from aecodec.evaluation.curves import Curve, CurveError, Point, bd_rate, common_range, mean_curve
from aecodec.evaluation.machine import machine
from aecodec.evaluation.measure import Measurement, measure
from aecodec.evaluation.metrics import MS_SSIM, Pixels, mse, psnr
from aecodec.evaluation.rivals import AVIF, AVIF_444, JPEG, RIVALS, WEBP, Rival
from aecodec.networks.config import ConvolutionalConfig
from tests.bench_pictures import picture


def curve(name: str, rates: list[float], psnrs: list[float]) -> Curve:
    return Curve(name, tuple(Point(i, *point) for i, point in enumerate(zip(rates, psnrs, strict=True))))


REFERENCE = curve("reference", [0.25, 0.5, 1.0, 2.0, 4.0], [27.0, 30.0, 33.5, 37.0, 40.0])


class StandIn:
    """A codec with the interface of a loaded model, made of JPEG."""

    card = SimpleNamespace(name="stand-in", id="0123456789abcdef", config=ConvolutionalConfig())

    def encode(self, array: Pixels, /, quality: float = 60, *, effort: int = 0, fallback: bool = True) -> bytes:
        return JPEG.encode(array, quality)

    def decode(self, data: bytes, /) -> Pixels:
        return JPEG.decode(data)


# Metrics


@pytest.mark.parametrize("difference", [1, 5, 255])
def test_psnr_of_a_constant_difference(difference: int) -> None:
    black = np.zeros((5, 7, 3), np.uint8)
    grey = np.full_like(black, difference)
    assert mse(black, grey) == mse(grey, black) == difference**2
    assert psnr(grey, black) == pytest.approx(20 * math.log10(255 / difference))


def test_psnr_averages_the_error_over_channels_before_the_logarithm() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[..., 1] = 30
    assert mse(a, b) == 300
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 300))


def test_psnr_of_identical_pictures_is_infinite() -> None:
    assert psnr(picture(8, 8, 0), picture(8, 8, 0)) == math.inf


def test_psnr_refuses_what_is_not_comparable() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="shapes"):
        psnr(a, a[:3])
    with pytest.raises(ValueError, match="uint8"):
        psnr(a, a.astype(np.float32))
    with pytest.raises(ValueError, match="empty"):
        psnr(a[:0], a[:0])


# Curves


def test_bd_rate_of_a_curve_against_itself_is_zero() -> None:
    assert bd_rate(REFERENCE, REFERENCE) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50.0), (0.9, -10.0), (2.0, 100.0)])
def test_bd_rate_of_a_scaled_curve_is_the_scale(factor: float, percent: float) -> None:
    scaled = curve("scaled", [factor * r for r in REFERENCE.rates], REFERENCE.scores)
    assert bd_rate(REFERENCE, scaled) == pytest.approx(percent)


def test_bd_rate_covers_the_common_range_whatever_the_number_of_points() -> None:
    half = curve("half", [0.25, 0.5, 1.0], [30.0, 33.5, 37.0])
    assert common_range(REFERENCE, half) == (30.0, 37.0)
    assert bd_rate(REFERENCE, half) == pytest.approx(-50, abs=2)


def test_bd_rate_refuses_curves_without_a_common_range() -> None:
    better = curve("better", [5.0, 6.0], [41.0, 42.0])
    with pytest.raises(CurveError, match=r"no range of PSNR in common.*reference 27.00\.\.40.00.*better 41.00"):
        bd_rate(REFERENCE, better)


@pytest.mark.parametrize(
    ("rates", "psnrs", "message"),
    [
        ([0.5, 1.0, 2.0], [30.0, 29.0, 33.0], "does not rise"),
        ([0.5, 0.5, 2.0], [30.0, 31.0, 33.0], "does not rise"),
        ([0.5, 1.0], [30.0, math.inf], "inf dB"),
        ([0.0, 1.0], [30.0, 33.0], "0.0"),
        ([1.0], [30.0], "at least 2"),
    ],
)
def test_bd_rate_refuses_curves_that_are_none(rates: list[float], psnrs: list[float], message: str) -> None:
    with pytest.raises(CurveError, match=message):
        bd_rate(REFERENCE, curve("bad", rates, psnrs))


def test_bd_rate_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(ModuleNotFoundError, match=r"bjontegaard.*aecodec\[bench\]"):
        bd_rate(REFERENCE, REFERENCE)


def test_interpolation_passes_through_the_points_and_stays_between_them() -> None:
    for point in REFERENCE.points:
        assert REFERENCE.bpp_at(point.score) == pytest.approx(point.bpp)
        assert REFERENCE.score_at(point.bpp) == pytest.approx(point.score)
    assert 0.5 < REFERENCE.bpp_at(32.0) < 1.0
    assert 33.5 < REFERENCE.score_at(1.4) < 37.0


@pytest.mark.parametrize("ask", [lambda: REFERENCE.bpp_at(41), lambda: REFERENCE.score_at(0.2)])
def test_interpolation_does_not_extrapolate(ask: Callable[[], float]) -> None:
    with pytest.raises(CurveError, match="outside"):
        ask()


def test_mean_curve_averages_rates_and_decibels_per_quality() -> None:
    rows = [
        Measurement("x", "a", 80, 4000, 8000, 40.0),
        Measurement("x", "a", 20, 1000, 8000, 30.0),
        Measurement("x", "b", 20, 3000, 8000, 34.0),
        Measurement("x", "b", 80, 8000, 8000, 42.0),
    ]
    assert mean_curve("x", rows).points == (Point(20, 2.0, 32.0), Point(80, 6.0, 41.0))
    with pytest.raises(CurveError, match="same pictures"):
        mean_curve("x", rows[:3])
    with pytest.raises(CurveError, match="no measurements"):
        mean_curve("x", [])


# Rivals


@pytest.mark.parametrize("rival", [r for r in RIVALS if not r.lossless], ids=lambda rival: rival.name)
def test_a_rival_is_measured_by_its_files(rival: Rival) -> None:
    original = picture(64, 96, 1)
    low, high = (measure(rival, original, rival.qualities[i]) for i in (2, -2))
    assert low.bytes == len(rival.encode(original, rival.qualities[2])) < high.bytes
    assert low.psnr is not None and high.psnr is not None
    assert 20 < low.psnr < high.psnr
    assert high.psnr > 30
    assert high.bpp == 8 * high.bytes / (64 * 96)
    assert low.score(MS_SSIM) is None  # not asked for


def test_grey_pictures_are_compared_as_colour_ones() -> None:
    grey = picture(64, 96, 1)[..., 0]
    measured = measure(JPEG, grey, 60)
    assert measured.bytes == len(JPEG.encode(grey, 60))
    assert measured.psnr == pytest.approx(psnr(np.stack([grey] * 3, axis=-1), JPEG.decode(JPEG.encode(grey, 60))))


def test_rival_files_are_of_the_format_and_subsampling_they_claim() -> None:
    original = picture(64, 96, 2)
    for rival, format_name in ((JPEG, "JPEG"), (WEBP, "WEBP"), (AVIF, "AVIF")):
        with Image.open(io.BytesIO(rival.encode(original, 50))) as image:
            assert image.format == format_name
            assert image.size == (96, 64)
    jpeg_444 = next(rival for rival in RIVALS if rival.name == "JPEG 4:4:4")
    for jpeg, vertical_and_horizontal in ((JPEG, (2, 2)), (jpeg_444, (1, 1))):
        with Image.open(io.BytesIO(jpeg.encode(original, 50))) as image:
            luma = image.layer[0]  # type: ignore[attr-defined]
            assert luma[1:3] == vertical_and_horizontal
    # the AV1 configuration record: "av1C", 2 bytes, then tier, depth, monochrome, and 2 bits of chroma subsampling
    for avif, bits in ((AVIF, 0b11), (AVIF_444, 0b00)):
        data = avif.encode(original, 50)
        assert data[data.index(b"av1C") + 6] >> 2 & 0b11 == bits


def test_the_machine_is_named() -> None:
    assert machine().cores >= 1
    assert machine().cpu


# Benchmark scripts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for seed in (1, 2):
        Image.fromarray(picture(64, 96, seed)).save(pictures / f"{seed}.png")
    (pictures / "notes.txt").write_text("not a picture")
    return pictures


def test_speed_compares_at_equal_psnr(
    benchmark: Callable[[str], ModuleType], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = benchmark("speed")
    output = tmp_path / "speed.json"
    arguments = [
        str(folder),
        "--images",
        "2",
        "--repetitions",
        "2",
        "--psnr",
        "32",
        "--threads",
        "1,2",
        "-o",
        str(output),
    ]
    assert speed.main(arguments, lambda model: StandIn(), lambda data, repetitions: {"aecodec --help": 0.1}) == 0
    result = json.loads(output.read_text())
    names = ["aecodec", "JPEG", "WebP m4", "WebP m6", "JPEG XL e7", "AVIF s6"]
    assert [(row["name"], row["threads"]) for row in result["codecs"]] == [(n, t) for t in (1, 2) for n in names]
    rows = {row["name"]: row for row in result["codecs"]}
    assert rows["aecodec"]["quality"] == rows["JPEG"]["quality"]
    assert all(abs(row["psnr"] - 32) < 1 for row in rows.values())
    yardsticks = [row for row in result["codecs"] if row["name"] == "AVIF s6"]
    assert all(row["encode_ratio"] == row["decode_ratio"] == 1 for row in yardsticks)
    assert ["max_threads 1" in row["settings"] for row in yardsticks] == [True, False]
    assert set(result["networks"]) == {"encode", "decode"}
    assert "| aecodec |" in capsys.readouterr().out


def test_speed_of_a_failing_command_is_an_error(benchmark: Callable[[str], ModuleType]) -> None:
    speed = benchmark("speed")
    assert speed.process_seconds(["-c", "pass"], 1) > 0
    with pytest.raises(subprocess.CalledProcessError):
        speed.process_seconds(["-c", "raise SystemExit(1)"], 1)


def test_speed_with_other_kernels_is_of_the_same_files(benchmark: Callable[[str], ModuleType], folder: Path) -> None:
    speed = benchmark("speed")
    codec, pixels = load_codec("cells"), np.zeros((32, 40, 3), np.uint8)
    setting = speed.Setting(speed.Aecodec(codec), 60, 1.0, 33.0, threads=2)
    other = setting.with_kernels(codec, "numpy", pixels)
    assert (other.name, other.threads) == ("aecodec, numpy", 2)
    assert other.rival.model.transform._analysis.kernels == "numpy"
    assert VARIABLE not in os.environ
    with pytest.raises(AecError, match="other files"):
        replace(setting, rival=speed.RIVALS[0]).with_kernels(codec, "numpy", pixels)
