"""Metrics, curves, rivals and the benchmark scripts built from them."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aecodec.errors import AecError
from aecodec.evaluation.curves import Curve, CurveError, Measurement, Point, bd_rate, common_psnr_range, mean_curve
from aecodec.evaluation.metrics import Pixels, mse, psnr
from aecodec.evaluation.rivals import RIVALS, Aecodec, Avif, Jpeg, Rival, WebP, machine, measure, versions
from aecodec.networks.config import ConvolutionalConfig


def picture(height: int, width: int, seed: int) -> Pixels:
    """Smooth colours with some texture."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + seed), np.cos(y / 11 - seed), np.sin((x + y) / 17)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 1))
    return np.clip(128 + 70 * waves + noise, 0, 255).astype(np.uint8)


def curve(name: str, rates: list[float], psnrs: list[float]) -> Curve:
    return Curve(name, tuple(Point(i, *point) for i, point in enumerate(zip(rates, psnrs, strict=True))))


REFERENCE = curve("reference", [0.25, 0.5, 1.0, 2.0, 4.0], [27.0, 30.0, 33.5, 37.0, 40.0])


class StandIn:
    """A codec with the interface of a loaded model, made of JPEG."""

    card = SimpleNamespace(name="stand-in", id="0123456789abcdef", config=ConvolutionalConfig())

    def encode(self, array: Pixels, /, quality: float = 60, *, effort: int = 0) -> bytes:
        return Jpeg().encode(array, round(quality))

    def decode(self, data: bytes, /) -> Pixels:
        return Jpeg().decode(data)


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
    scaled = curve("scaled", [factor * r for r in REFERENCE.rates], REFERENCE.psnrs)
    assert bd_rate(REFERENCE, scaled) == pytest.approx(percent)


def test_bd_rate_covers_the_common_range_whatever_the_number_of_points() -> None:
    half = curve("half", [0.25, 0.5, 1.0], [30.0, 33.5, 37.0])
    assert common_psnr_range(REFERENCE, half) == (30.0, 37.0)
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
        assert REFERENCE.bpp_at(point.psnr) == pytest.approx(point.bpp)
        assert REFERENCE.psnr_at(point.bpp) == pytest.approx(point.psnr)
    assert 0.5 < REFERENCE.bpp_at(32.0) < 1.0
    assert 33.5 < REFERENCE.psnr_at(1.4) < 37.0


@pytest.mark.parametrize("ask", [lambda: REFERENCE.bpp_at(41), lambda: REFERENCE.psnr_at(0.2)])
def test_interpolation_does_not_extrapolate(ask: Callable[[], float]) -> None:
    with pytest.raises(CurveError, match="outside"):
        ask()


def test_mean_curve_averages_rates_and_decibels_per_quality() -> None:
    rows = [
        Measurement("a", "x", 80, 4000, 8000, 40.0),
        Measurement("a", "x", 20, 1000, 8000, 30.0),
        Measurement("b", "x", 20, 3000, 8000, 34.0),
        Measurement("b", "x", 80, 8000, 8000, 42.0),
    ]
    assert mean_curve("x", rows).points == (Point(20, 2.0, 32.0), Point(80, 6.0, 41.0))
    with pytest.raises(CurveError, match="same pictures"):
        mean_curve("x", rows[:3])
    with pytest.raises(CurveError, match="no measurements"):
        mean_curve("x", [])


# Rivals


@pytest.mark.parametrize("rival", [*RIVALS, Jpeg("4:4:4"), WebP(method=4), Avif(speed=8)], ids=lambda rival: rival.name)
def test_rival_restores_the_picture_from_its_bytes(rival: Rival) -> None:
    original = picture(64, 96, 1)
    low, high = measure(rival, "a", original, [30, 90])
    assert low.bytes == len(rival.encode(original, 30)) < high.bytes
    assert 20 < low.psnr < high.psnr
    assert high.psnr > 30
    assert high.bpp == 8 * high.bytes / (64 * 96)
    restored = rival.decode(rival.encode(original, 90))
    assert restored.shape == original.shape
    assert restored.dtype == np.uint8


def test_rival_files_are_of_the_format_and_subsampling_they_claim() -> None:
    original = picture(64, 96, 2)
    for rival, format_name in ((Jpeg(), "JPEG"), (WebP(), "WEBP"), (Avif(), "AVIF")):
        with Image.open(io.BytesIO(rival.encode(original, 50))) as image:
            assert image.format == format_name
            assert image.size == (96, 64)
    for subsampling, vertical_and_horizontal in (("4:2:0", (2, 2)), ("4:4:4", (1, 1))):
        with Image.open(io.BytesIO(Jpeg(subsampling).encode(original, 50))) as image:
            luma = image.layer[0]  # type: ignore[attr-defined]
            assert luma[1:3] == vertical_and_horizontal
    # the AV1 configuration record: "av1C", 2 bytes, then tier, depth, monochrome, and 2 bits of chroma subsampling
    for subsampling, bits in (("4:2:0", 0b11), ("4:4:4", 0b00)):
        data = Avif(subsampling=subsampling).encode(original, 50)
        assert data[data.index(b"av1C") + 6] >> 2 & 0b11 == bits


def test_rival_names_are_distinct_and_versions_are_known() -> None:
    rivals = [*RIVALS, Jpeg("4:4:4"), WebP(method=4), Avif(speed=8), Avif(subsampling="4:4:4"), Aecodec(StandIn())]
    assert len({rival.name for rival in rivals}) == len(rivals)
    assert {"Pillow", "libjpeg-turbo", "libwebp", "libavif"} <= set(versions())
    assert all(version[0].isalnum() and version != "None" for version in versions().values())
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


def test_kodak_writes_rows_and_prints_bd_rates(
    benchmark: Callable[[str], ModuleType], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kodak = benchmark("kodak")
    output = tmp_path / "results" / "kodak.json"
    arguments = [str(folder), "--jobs", "1", "-o", str(output), "--qualities", "20", "50", "80"]
    assert kodak.main(arguments, lambda model: StandIn()) == 0
    result = json.loads(output.read_text())
    assert [image["name"] for image in result["images"]] == ["1.png", "2.png"]
    assert result["model"]["id"] == StandIn.card.id
    assert {codec["name"] for codec in result["codecs"]} == {"aecodec", *(rival.name for rival in RIVALS)}
    assert len(result["rows"]) == 2 * (3 + sum(len(rival.qualities) for rival in RIVALS))
    rows = {(row["codec"], row["image"], row["quality"]): row for row in result["rows"]}
    assert rows["aecodec", "1.png", 50]["bytes"] == len(Jpeg().encode(picture(64, 96, 1), 50))
    rates = {codec["name"]: codec["bd_rate"] for codec in result["codecs"]}
    assert rates["JPEG"] == pytest.approx(0, abs=1e-9)
    assert rates["aecodec"] == pytest.approx(0, abs=2)  # the same codec, at fewer qualities
    printed = capsys.readouterr().out
    assert all(f"| {name} | {rate:+.1f} % |" in printed for name, rate in rates.items())


def test_kodak_measures_rivals_once(
    benchmark: Callable[[str], ModuleType], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kodak = benchmark("kodak")
    output = tmp_path / "kodak.json"
    measured: list[tuple[str, str]] = []

    def spy(rival: Rival, image: str, pixels: Pixels, qualities: list[int]) -> list[Measurement]:
        measured.append((rival.name, image))
        return measure(rival, image, pixels, qualities)

    monkeypatch.setattr(kodak, "measure", spy)
    monkeypatch.setattr(kodak, "RIVALS", (kodak.REFERENCE, WebP(qualities=(20, 80))))
    arguments = [str(folder), "--jobs", "1", "-o", str(output), "--rivals-only"]
    everything = [(name, image) for name in ("JPEG", "WebP m6") for image in ("1.png", "2.png")]
    assert kodak.main(arguments) == 0
    first = json.loads(output.read_text())
    assert measured == everything
    assert kodak.main(arguments) == 0
    assert measured == everything
    assert json.loads(output.read_text())["rows"] == first["rows"]

    Image.fromarray(picture(64, 96, 3)).save(folder / "2.png")  # another picture of the same name
    assert kodak.main(arguments) == 0
    assert measured == [*everything, ("JPEG", "2.png"), ("WebP m6", "2.png")]

    measured.clear()
    monkeypatch.setattr(kodak, "versions", lambda: {"Pillow": "another"})
    assert kodak.main(arguments) == 0
    assert measured == everything

    measured.clear()
    output.write_text("damaged")
    assert kodak.main(arguments) == 0
    assert measured == everything


def test_kodak_in_processes_gives_the_same_rows(benchmark: Callable[[str], ModuleType], folder: Path) -> None:
    kodak = benchmark("kodak")
    rivals, sources = (Jpeg(qualities=(30, 60)),), kodak.find_sources(folder)
    alone = kodak.measure_rivals(rivals, sources, [], 1)
    assert kodak.measure_rivals(rivals, sources, [], 2) == alone


def test_kodak_names_a_folder_without_pictures(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    kodak = benchmark("kodak")
    with pytest.raises(AecError, match="no pictures"):
        kodak.main([str(tmp_path)])


def test_speed_compares_at_equal_psnr(
    benchmark: Callable[[str], ModuleType], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = benchmark("speed")
    output = tmp_path / "speed.json"
    arguments = [str(folder), "--images", "2", "--repetitions", "2", "--psnr", "32", "-o", str(output)]
    assert speed.main(arguments, lambda model: StandIn(), lambda data, repetitions: {"aecodec --help": 0.1}) == 0
    result = json.loads(output.read_text())
    rows = {row["name"]: row for row in result["codecs"]}
    assert list(rows) == ["aecodec, effort 0", "aecodec", "JPEG", "WebP m4", "WebP m6", "AVIF s6"]
    assert rows["aecodec"]["quality"] == rows["JPEG"]["quality"]
    assert all(abs(row["psnr"] - 32) < 1 for row in rows.values())
    assert rows["AVIF s6"]["encode_ratio"] == rows["AVIF s6"]["decode_ratio"] == 1
    assert set(result["networks"]) == {"encode", "decode"}
    assert "| aecodec |" in capsys.readouterr().out


def test_speed_of_a_failing_command_is_an_error(benchmark: Callable[[str], ModuleType]) -> None:
    speed = benchmark("speed")
    assert speed.startup_seconds(["-c", "pass"], 1) > 0
    with pytest.raises(subprocess.CalledProcessError):
        speed.startup_seconds(["-c", "raise SystemExit(1)"], 1)
