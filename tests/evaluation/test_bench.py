"""The benchmark: sources, what is measured again and what is not, times, summaries, the command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageCms

from aecodec.cli.main import main
from aecodec.evaluation import bench
from aecodec.evaluation.curves import Curve, Point
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.machine import Machine
from aecodec.evaluation.measure import MeasuredCodec, Measurement
from aecodec.evaluation.metrics import CVVDP, METRICS, MS_SSIM, PSNR, SSIMULACRA2, Metric, psnr
from aecodec.evaluation.ours import models
from aecodec.evaluation.published import read_published
from aecodec.evaluation.report import labels, markdown
from aecodec.evaluation.results import Results, Time, read_results, write_results
from aecodec.evaluation.rivals import JPEG, PNG, WEBP
from aecodec.evaluation.scores import with_scores
from aecodec.evaluation.sources import Source, find_sources
from aecodec.evaluation.summary import BdRate, Summary, curve, summarise
from aecodec.sampling import evenly
from tests.bench_pictures import picture
from tests.conftest import TINY
from tests.measured import PICTURES, results, rows

POINTS = Path(__file__).parent.parent.parent / "benchmarks" / "published" / "kodak.json"
OPTIONS = bench.BenchOptions(timed=1, metrics=(PSNR, MS_SSIM))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    (pictures / "below").mkdir(parents=True)
    Image.fromarray(picture(64, 96, 1)).save(pictures / "1.png")
    Image.fromarray(picture(64, 96, 2)[..., 0]).save(pictures / "below" / "2.png")
    (pictures / "notes.txt").write_text("not a picture")
    return pictures


# Sources


def test_sources_are_the_pictures_below_a_folder(folder: Path) -> None:
    Image.fromarray(picture(64, 96, 3)).save(folder / "3.jpg", quality=95)
    (folder / "4.png").write_bytes(b"damaged")
    sources, failures = find_sources(folder)
    assert [source.name for source in sources] == ["1.png", "3.jpg", "below/2.png"]
    assert [source.picture.lossy for source in sources] == [False, True, False]
    assert [source.picture.channels for source in sources] == [3, 3, 1]
    assert sources[2].read().shape == (64, 96)
    assert len(failures) == 1
    assert "4.png" in failures[0]


@pytest.mark.parametrize(("options", "lossy"), [({"lossless": True}, False), ({"quality": 80}, True)])
@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
def test_webp_files_tell_whether_they_are_lossy(
    tmp_path: Path, options: dict[str, Any], lossy: bool, extended: bool
) -> None:
    metadata: dict[str, Any] = {}
    if extended:
        metadata = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    Image.fromarray(picture(64, 96, 1)).save(tmp_path / "a.webp", **options, **metadata)
    (source,), _ = find_sources(tmp_path)
    assert source.picture.lossy == lossy


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"{tmp_path}: no pictures"):
        find_sources(tmp_path)
    (tmp_path / "a.png").write_bytes(b"damaged")
    with pytest.raises(BenchError, match=r"first problem: .*a\.png"):
        find_sources(tmp_path)
    with pytest.raises(BenchError, match="not a folder"):
        find_sources(tmp_path / "a.png")


def test_a_few_of_many_come_from_all_over() -> None:
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(2), 3) == evenly(range(2), None) == [0, 1]


# Measuring


def test_rows_hold_real_sizes_and_scores(folder: Path) -> None:
    sources, _ = find_sources(folder)
    metrics = tuple(metric for metric in METRICS if metric.compute)
    (row,) = bench.measure_picture(JPEG, sources[0], [bench.Scoring(50, metrics)])
    data = JPEG.encode(sources[0].read(), 50)
    assert row.bytes == len(data)
    assert row.pixels == 64 * 96
    assert row.psnr == pytest.approx(psnr(sources[0].read(), JPEG.decode(data)))
    assert row.ms_ssim is None  # too small
    assert row.ssimulacra2 is not None and row.flip is not None
    (exact,) = bench.measure_picture(PNG, sources[0], [bench.Scoring(100, metrics)])
    assert (exact.psnr, exact.ms_ssim, exact.ssimulacra2, exact.flip) == (None, 1.0, 100.0, 0.0)


def test_a_run_goes_on_and_measures_only_what_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report" / "results.json"
    codecs = [replace(JPEG, qualities=(30, 60)), PNG]
    sources, _ = find_sources(folder)
    said: list[str] = []
    first = bench.run(codecs, sources, path, OPTIONS, "test", said.append)
    assert [line.split(": ", 1)[1] for line in said if line.startswith("scores")] == [
        *("JPEG, 1.png", "JPEG, below/2.png", "PNG, 1.png", "PNG, below/2.png")
    ]
    assert len(first.rows) == 6
    assert {time.image for time in first.times} == {"1.png"}
    assert all(time.encode > 0 and time.decode > 0 for time in first.times)
    assert read_results(path) == first

    def plan(
        codecs: Sequence[MeasuredCodec],
        sources: Sequence[Source],
        known: Results,
        options: bench.BenchOptions = OPTIONS,
    ) -> tuple[list[str], list[str]]:
        """What a run would measure."""
        left = bench._reusable(known, codecs, sources, "test", options)
        scores = bench._unscored(codecs, sources, left.rows, options)
        times = bench._untimed(codecs, sources[:1], left.times)
        return [f"{c.name} {s.name}" for c, s, _ in scores], [f"{c.name} {s.name}" for c, s, _ in times]

    assert plan(codecs, sources, first) == ([], [])
    stopped = replace(first, rows=first.rows[1:], times=())
    assert plan(codecs, sources, stopped) == (["JPEG 1.png"], ["JPEG 1.png", "PNG 1.png"])
    jpeg_444 = replace(JPEG, options={**JPEG.options, "subsampling": "4:4:4"})
    other = [replace(jpeg_444, qualities=(30, 60)), replace(WEBP, qualities=(50,)), PNG]
    assert plan(other, sources, first)[0] == [f"{c.name} {s.name}" for c in other[:2] for s in sources]
    more = [replace(JPEG, qualities=(30, 60, 90)), PNG]
    assert plan(more, sources, first)[0] == ["JPEG 1.png", "JPEG below/2.png"]

    monkeypatch.setattr(bench, "machine", lambda: Machine("another", 1, "system"))
    assert plan(codecs, sources, first) == ([], ["JPEG 1.png", "PNG 1.png"])
    monkeypatch.undo()

    seen = replace(OPTIONS, metrics=(PSNR, MS_SSIM, SSIMULACRA2))
    assert plan(codecs, sources, first, seen) == (["JPEG 1.png", "JPEG below/2.png"], [])  # what is exact needs none
    more_seen = bench.run(codecs, sources, path, seen, "test", said.append)
    assert [replace(row, ssimulacra2=None) for row in more_seen.rows if row.codec == "JPEG"] == [
        row for row in first.rows if row.codec == "JPEG"
    ]
    assert plan(codecs, sources, more_seen, seen) == plan(codecs, sources, more_seen) == ([], [])

    Image.fromarray(picture(64, 96, 9)).save(folder / "1.png")
    changed, _ = find_sources(folder)
    assert plan(codecs, changed, first) == (["JPEG 1.png", "PNG 1.png"], ["JPEG 1.png", "PNG 1.png"])
    monkeypatch.setattr(bench, "version", lambda name: "another")
    assert plan(codecs, sources, more_seen, seen)[0] == ["JPEG 1.png", "JPEG below/2.png"]


def test_restored_pictures_are_kept(folder: Path, tmp_path: Path) -> None:
    sources, _ = find_sources(folder)
    bench.measure_picture(JPEG, sources[0], [bench.Scoring(50, ())], tmp_path / "kept")
    with Image.open(bench.kept(tmp_path / "kept", "JPEG", "1.png", 50)) as image:
        restored = JPEG.decode(JPEG.encode(sources[0].read(), 50))
        assert np.array_equal(np.asarray(image), restored)


def test_scores_from_elsewhere_are_joined_where_the_bytes_are_the_same(tmp_path: Path) -> None:
    path, found = tmp_path / "scores.json", rows("JPEG", 1)
    scored = {"codec": "JPEG", "image": "a", "quality": 20, "bytes": found[0].bytes, "cvvdp": 9.5}
    other = {**scored, "quality": 40}  # and so not of these bytes
    path.write_text(json.dumps({"versions": {"cvvdp": "1"}, "scores": [scored, other]}))
    joined = with_scores(results(*found), path)
    assert joined.rows == (replace(found[0], cvvdp=9.5), *found[1:])
    assert joined.metrics["cvvdp"] == "1"
    path.write_text("[]")
    with pytest.raises(BenchError, match=r"scores\.json: not a file of scores"):
        with_scores(results(*found), path)


def test_a_metric_of_some_pictures_only_says_so() -> None:
    some = [
        replace(row, cvvdp=7 + row.quality / 40) if row.image == "a" else row
        for row in (*rows("aecodec x", 0.5), *rows("JPEG", 1))
    ]
    summary = summarise(results(*some))
    assert labels(summary) == ["SSIMULACRA2", "CVVDP (1 picture)", "PSNR", "MS-SSIM"]
    assert against_reference(summary, CVVDP, 0).percent == pytest.approx(-50, abs=0.1)


def test_a_failing_codec_and_its_picture_are_named(folder: Path) -> None:
    sources, _ = find_sources(folder)
    with pytest.raises(BenchError, match=r"1\.png: JPEG failed \(broken\)"), bench._named(JPEG, sources[0]):
        raise ValueError("broken")


@pytest.mark.parametrize("text", ["damaged", "[]", '{"version": 1}', '{"version": 2}'])
def test_a_file_that_is_no_result_is_named_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"results\.json: not a result file"):
        read_results(path)
    assert path.read_text() == text


# Summaries


def against_reference(summary: Summary, metric: Metric, place: int) -> BdRate:
    comparison = summary.comparison(metric)
    assert comparison is not None
    return comparison.against_reference[place]


def test_summary_of_a_codec_with_half_the_bytes() -> None:
    exact = [Measurement("PNG", image, 100, 12000, 8000, None, 1.0, 100.0) for image in ("a", "b")]
    summary = summarise(results(*rows("aecodec x", 0.5), *rows("JPEG", 1), *exact))
    assert summary.reference == "JPEG"
    assert summary.leading is SSIMULACRA2
    for metric in (SSIMULACRA2, PSNR, MS_SSIM):
        assert against_reference(summary, metric, 0).percent == pytest.approx(-50, abs=0.1)
    rate = against_reference(summary, PSNR, 0)
    assert (rate.low, rate.high) == pytest.approx((26 + 20 / 6 + 0.5, 26 + 80 / 6 + 0.5))
    for gains in summary.savings:
        assert [each.against[0].percent for each in gains.pictures] == pytest.approx([-50, -50], abs=0.1)
        assert gains.wins == (2,)
    (lossless,) = summary.lossless
    assert lossless.share == 0.5
    assert lossless.bpp == 12
    levels = next(each for each in summary.levels if each.metric is PSNR)
    half, whole = levels.rates
    assert half.values[1] == pytest.approx((whole.values[1] or 0) / 2, rel=0.01)
    assert half.values[0] is None  # below the curve


def test_curves_average_ms_ssim_before_the_decibels_and_leave_out_exact_points() -> None:
    found = [
        Measurement("x", "a", 10, 1000, 8000, 30.0, 0.90, 1.0),
        Measurement("x", "b", 10, 1000, 8000, 32.0, 0.98, 1.0),
        Measurement("x", "a", 50, 2000, 8000, 34.0, 0.97, 1.0),
        Measurement("x", "b", 50, 2000, 8000, 36.0, 0.99, 1.0),
        Measurement("x", "a", 90, 3000, 8000, 40.0, 0.99, 1.0),
        Measurement("x", "b", 90, 3000, 8000, None, 1.0, 100.0),
    ]
    decibels = curve("x", found, PICTURES, PSNR)
    similar = curve("x", found, PICTURES, MS_SSIM)
    assert decibels == Curve("x", (Point(10, 1.0, 31.0), Point(50, 2.0, 35.0)))
    assert similar is not None
    assert similar.scores == pytest.approx([-10 * math.log10(0.06), -10 * math.log10(0.02)])
    assert curve("x", found[:2], PICTURES, PSNR) is None


def test_a_picture_that_a_codec_restores_exactly_takes_no_part_in_curves() -> None:
    ours, jpeg = rows("aecodec x", 0.5), rows("JPEG", 1)
    alone = [row for row in ours if row.image == "a"], [row for row in jpeg if row.image == "a"]
    exact = [row if row.image == "a" or row.quality < 60 else replace(row, psnr=None) for row in ours]
    measured = results(*exact, *jpeg)
    summary = summarise(measured)
    assert summary.left_out == ("b",)
    expected = [curve(each[0].codec, each, PICTURES[:1], PSNR) for each in alone]
    assert [each.curve(PSNR) for each in summary.scored] == expected
    assert against_reference(summary, PSNR, 0).percent == pytest.approx(-50, abs=0.1)
    text = markdown(measured, summary)
    assert "On this picture, at equal SSIMULACRA2, aecodec x takes 50 % fewer bytes than JPEG" in text
    assert "In no curve and no BD-rate: 1 of 2 pictures (b), which" in text

    exact = [row if row.image == "a" or row.quality < 80 else replace(row, psnr=None) for row in ours]
    summary = summarise(results(*exact, *jpeg))
    assert summary.left_out == ()
    assert summary.ours is not None
    kept = summary.ours.curve(PSNR)
    assert kept is not None
    assert [point.quality for point in kept.points] == [20, 40, 60]


def test_a_picture_too_small_for_ms_ssim_takes_no_part_in_its_curves() -> None:
    ours, jpeg = (
        [row if row.image == "a" else replace(row, ms_ssim=None) for row in found]
        for found in (rows("aecodec x", 0.5), rows("JPEG", 1))
    )
    summary = summarise(results(*ours, *jpeg))
    assert summary.left_out == ()
    assert against_reference(summary, PSNR, 0).percent == pytest.approx(-50, abs=0.1)
    assert against_reference(summary, MS_SSIM, 0).percent == pytest.approx(-50, abs=0.1)


def test_points_that_others_beat_are_left_out() -> None:
    points = (Point(1, 1.0, 30.0), Point(2, 2.0, 29.0), Point(3, 3.0, 33.0))
    assert Curve("x", points).rising().points == (points[0], points[2])


def test_gains_and_losses_are_sorted_by_the_hardest_rival() -> None:
    better, worse = rows("aecodec x", 0.5), rows("aecodec x", 2)
    mixed = [row for row in worse if row.image == "a"] + [row for row in better if row.image == "b"]
    gains = summarise(results(*mixed, *rows("JPEG", 1), *rows("AVIF", 0.8))).savings[0].pictures
    assert [gain.image for gain in gains] == ["b", "a"]
    assert [(each.percent or 0) > 0 for each in gains[1].against] == [True, True]


def test_without_a_common_range_the_reason_is_given() -> None:
    summary = summarise(results(*rows("aecodec x", 1, 50.0), *rows("JPEG", 1)))
    assert against_reference(summary, PSNR, 0).percent is None
    assert "no range of PSNR in common" in against_reference(summary, PSNR, 0).reason


def test_speed_is_taken_at_the_psnr_aimed_at() -> None:
    measured = results(*rows("JPEG", 1))
    times = tuple(Time("JPEG", "a", q, 0.008, 0.004) for q in (20, 40, 60, 80))
    (speed,) = summarise(replace(measured, times=times)).speeds
    assert speed.psnr == 33  # between the settings of 32.67 and 36 dB
    assert 8 * 1600 / 8000 < speed.bpp < 8 * 3200 / 8000
    assert (speed.encode, speed.decode) == pytest.approx((1.0, 2.0))
    (beyond,) = summarise(replace(results(*rows("JPEG", 1, 20.0)), times=times)).speeds
    assert beyond.psnr == pytest.approx(26 + 20 / 6 + 20)  # the nearest there is


def test_published_points_are_read_and_marked() -> None:
    points = read_published(POINTS)
    names = {point.name for point in points}
    assert {"BPG 4:4:4", "HEVC HM", "AV1 (libaom)", "VVC VTM", "ELIC", "C3", "EVC-S"} <= names
    assert all(point.source for point in points)
    summary = summarise(results(*rows("JPEG", 1)), points)
    assert all(each.published for each in summary.scored[1:])


@pytest.mark.parametrize("text", ["damaged", "[]", '{"x": {}}', '{"x": {"source": "s", "bpp": [0], "psnr": [1]}}'])
def test_damaged_points_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"points\.json: not a file of published points"):
        read_published(path)


def test_results_survive_the_file(tmp_path: Path) -> None:
    original = results(*rows("JPEG", 1))
    write_results(tmp_path / "r.json", original, {"anything": 1})
    assert read_results(tmp_path / "r.json") == original
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0] == asdict(original.rows[0])


# The command


def test_bench_writes_a_report_and_goes_on_from_it(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    arguments = ["bench", str(folder), "-o", str(output), "--model", str(TINY), "--codecs", "jpeg,png"]
    arguments += ["--jobs", "1", "--timed", "1", "--metrics", "ms-ssim", "--limit", "1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "| JPEG | +0.0 % |" in result.output
    names = {path.name for path in output.iterdir()}
    assert {"report.html", "summary.md", "results.json", "psnr.png", "speed.png"} <= names
    found = read_results(output / "results.json")
    assert [codec.name for codec in found.codecs][1:] == ["JPEG", "PNG"]
    assert found.codecs[0].model == models([str(TINY)])[0].id
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0, again.output
    assert "scores" not in again.stderr
    assert read_results(output / "results.json") == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codecs", "bpg"], "aecodec: no codec 'bpg'"),
        (["--metrics", "vmaf"], "aecodec: no metric 'vmaf'; there are ssimulacra2, psnr, ms-ssim, flip"),
        (["--model", "nothing"], "aecodec: no model named 'nothing'"),
        (["--model", str(TINY), "--published", "pictures/notes.txt"], "notes.txt: not a file of published points"),
        (["--model", str(TINY), "--matrix", "pictures/notes.txt"], "notes.txt: not a matrix"),
    ],
)
def test_bench_says_what_is_wrong_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    model = [] if "--model" in arguments else ["--model", str(TINY)]
    result = CliRunner().invoke(main, ["bench", str(folder), "-o", "report", *model, *arguments])
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
