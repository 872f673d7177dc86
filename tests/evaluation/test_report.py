"""The report: what it says, and that it works in a real browser without any network."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aecodec.evaluation import bench, plots
from aecodec.evaluation.crops import SIDE, Example, at_least, choose, make_examples, typical
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.machine import Machine
from aecodec.evaluation.measure import MeasuredCodec
from aecodec.evaluation.metrics import MS_SSIM, PSNR, SSIMULACRA2
from aecodec.evaluation.published import read_published
from aecodec.evaluation.report import Matrix, MatrixRow, headline, html, lossy_sources, markdown, read_matrix
from aecodec.evaluation.results import CodecRecord, Memory, Results, Time, Timing
from aecodec.evaluation.rivals import JPEG, PNG, WEBP
from aecodec.evaluation.sources import Source, find_sources
from aecodec.evaluation.summary import Summary, summarise
from tests.bench_pictures import Ours, picture

POINTS = Path(__file__).parent.parent.parent / "benchmarks" / "published" / "kodak.json"
MATRIX = Matrix("Models on data", "a note", ("cells", "clothes"), (MatrixRow("photo", (-3.0, 5.5)),))
NASTY = "a<b>&'\".png"  # a file name that HTML has to escape


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[Source], list[MeasuredCodec]]:
    """Results on three small pictures, measured in this process."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, seed in (("one.png", 1), (NASTY, 2), ("three.png", 3)):
        Image.fromarray(picture(230, 260, seed)).save(folder / name)
    sources, _ = find_sources(folder)
    codecs: list[MeasuredCodec] = [Ours(), *(replace(codec, qualities=(20, 40, 60, 80)) for codec in (JPEG, WEBP)), PNG]
    metrics = (PSNR, MS_SSIM)
    rows = [
        row
        for codec in codecs
        for source in sources
        for row in bench.measure_picture(codec, source, [bench.Scoring(q, metrics) for q in codec.qualities])
    ]
    times = [Time(row.codec, row.image, int(row.quality), 0.01, 0.02) for row in rows]
    timing = Timing(Machine("processor", 2, "system"), 1, 0.1, "2026-01-01")
    described = [
        CodecRecord(c.name, c.settings, c.versions, "", "2026-01-01", timing, Memory(10**7, 10**6, 10**6))
        for c in codecs
    ]
    pictures = tuple(source.picture for source in sources)
    versions = {"psnr": "1", "ms_ssim": "1"}
    return Results("test <set>", pictures, tuple(described), versions, tuple(rows), tuple(times)), sources, codecs


@pytest.fixture(scope="module")
def summary(measured: tuple[Results, list[Source], list[MeasuredCodec]]) -> Summary:
    return summarise(measured[0], read_published(POINTS))


@pytest.fixture(scope="module")
def examples(
    measured: tuple[Results, list[Source], list[MeasuredCodec]],
    summary: Summary,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Example]:
    results, sources, codecs = measured
    cache = tmp_path_factory.mktemp("cache") / "crops.json"
    said: list[str] = []
    made = make_examples(choose(sources, summary), codecs[:3], results, cache, said.append)
    assert len(said) == 18
    again = make_examples(choose(sources, summary), codecs[:3], results, cache, said.append)
    assert again == made
    assert len(said) == 18  # all from the cache
    return made


@pytest.fixture(scope="module")
def page(
    measured: tuple[Results, list[Source], list[MeasuredCodec]],
    summary: Summary,
    examples: list[Example],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html(measured[0], summary, examples, read_published(POINTS), MATRIX), encoding="utf-8")
    return path


# Crops


def test_crops_are_exact_and_of_no_fewer_bytes_than_ours(
    measured: tuple[Results, list[Source], list[MeasuredCodec]], examples: list[Example]
) -> None:
    _, sources, codecs = measured
    by_name = {source.name: source.read() for source in sources}
    assert len(examples) == 6
    for example in examples:
        pixels = by_name[example.image]
        ours, *others = example.crops
        assert ours.bytes == example.budget
        assert all(crop.bytes >= example.budget for crop in others)
        for codec, crop in zip(codecs, example.crops, strict=False):
            restored = codec.decode(codec.encode(pixels, crop.quality))
            with Image.open(io.BytesIO(base64.b64decode(crop.webp))) as image:
                shown = np.asarray(image.convert("RGB"))
            left, top = example.left, example.top
            assert np.array_equal(shown, restored[top : top + SIDE, left : left + SIDE])


def test_the_lowest_quality_that_fills_the_budget_is_taken() -> None:
    pixels = picture(64, 96, 1)
    sizes = {quality: len(JPEG.encode(pixels, quality)) for quality in range(1, 101)}
    quality, data = at_least(JPEG, pixels, 2500)
    assert len(data) == sizes[quality] >= 2500 > sizes[quality - 1]
    assert at_least(JPEG, pixels, 10**9)[0] == 100
    assert at_least(JPEG, pixels, 1)[0] == 1


def test_a_crop_lies_within_the_picture_and_is_typical() -> None:
    pixels = np.zeros((300, 500, 3), np.uint8)
    pixels[:, 250:] = np.random.default_rng(0).integers(0, 255, (300, 250, 3))
    left, top = typical(pixels, 208)
    assert 0 < left < 292
    assert 0 <= top <= 92
    assert typical(pixels[:50, :60], 208) == (0, 0)


# What the report says


def test_headline_tells_wins_and_losses(
    measured: tuple[Results, list[Source], list[MeasuredCodec]], summary: Summary
) -> None:
    text = headline(measured[0], summary)
    assert text.startswith("On these 3 pictures, at equal PSNR, aecodec test takes ")
    comparison = summary.comparison(PSNR)
    assert comparison is not None
    for codec, rate in zip(summary.measured[1:], comparison.ours_against[1:], strict=False):
        assert rate.percent is not None
        assert f"{abs(rate.percent):.0f} % {'more' if rate.percent > 0 else 'fewer'} bytes than {codec.name}" in text
    named = headline(measured[0], summary, [summary.measured[1].name])
    assert summary.measured[1].name in named
    assert summary.measured[2].name not in named


def test_markdown_has_the_numbers_of_the_summary(
    measured: tuple[Results, list[Source], list[MeasuredCodec]], summary: Summary
) -> None:
    text = markdown(measured[0], summary)
    comparison = summary.comparison(PSNR)
    assert comparison is not None
    assert f"| aecodec test | {comparison.against_reference[0].percent:+.1f} % |" in text
    assert "VVC VTM (published)" in text
    assert "1 thread for every codec" in text


def test_html_escapes_names_and_needs_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "test &lt;set&gt;" in text
    assert NASTY not in text
    assert "Published, not measured here" in text
    assert "Models on data" in text
    assert "Dmitry Snisarenko" in text
    for fetching in ('src="http', 'href="http', "url(http", "@import", '<link rel="stylesheet'):
        assert fetching not in text


def test_lossy_sources_are_named(measured: tuple[Results, list[Source], list[MeasuredCodec]], tmp_path: Path) -> None:
    assert lossy_sources(measured[0]) == ""
    Image.fromarray(picture(64, 96, 1)).save(tmp_path / "a.jpg")
    sources, _ = find_sources(tmp_path)
    warning = lossy_sources(Results("x", tuple(source.picture for source in sources)))
    assert warning.startswith("1 of 1 pictures are in formats that are mostly lossy (a.jpg)")


def test_a_report_needs_no_model_no_curve_and_no_times(
    measured: tuple[Results, list[Source], list[MeasuredCodec]],
) -> None:
    results = measured[0]
    only = Results("x", results.pictures, results.codecs[3:], results.metrics, results.of("PNG"))
    text = html(only, summarise(only))
    assert "nothing to compare" in text
    assert "Without loss" in text
    assert 'id="crops"' not in text
    assert "nothing to compare" in markdown(only, summarise(only))


def test_plots_are_the_same_each_time(summary: Summary) -> None:
    first, second = (plots.svg(plots.rate_distortion(summary, PSNR, True), "salt") for _ in range(2))
    assert first == second
    assert first.startswith("<svg")
    assert "currentColor" in first
    assert plots.png(plots.speed(summary)).startswith(b"\x89PNG")
    assert plots.rate_distortion(summary, SSIMULACRA2, True) is None


@pytest.mark.parametrize("text", ["damaged", "[]", "{}", '{"title": "t", "columns": ["a"], "rows": [{"name": "x"}]}'])
def test_a_damaged_matrix_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "matrix.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"matrix\.json: not a matrix"):
        read_matrix(path)


def test_a_matrix_is_read(tmp_path: Path) -> None:
    path = tmp_path / "matrix.json"
    rows = [{"name": "photo", "values": [-3.0, 5.5]}]
    found = {"title": MATRIX.title, "note": MATRIX.note, "columns": list(MATRIX.columns), "rows": rows}
    path.write_text(json.dumps(found))
    assert read_matrix(path) == MATRIX
    path.write_text(json.dumps({**found, "columns": ["one"]}))
    with pytest.raises(BenchError, match="other lengths"):
        read_matrix(path)


# In a browser

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1100,900"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium that the machine has installed, driven by selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield opened
    opened.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    browser.get(page.as_uri())
    return browser


def _choose(browser: Any, element: str, label: str) -> None:
    script = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, element, label)


def test_browser_loads_without_errors_and_without_network(browser: Any, page: Path) -> None:
    browser.get("about:blank")
    for log in ("performance", "browser"):
        browser.get_log(log)  # what the browser's own start page did
    browser.get(page.as_uri())
    assert browser.title == "aecodec bench: test <set>"
    asked = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_browser_slider_moves(opened: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    slider = opened.find_element(By.ID, "slider")
    loaded = "return [...arguments[0].querySelectorAll('img')].map((each) => each.naturalWidth)"
    assert opened.execute_script(loaded, slider) == [SIDE, SIDE]
    opened.execute_script("arguments[0].scrollIntoView()", slider)
    before = float(opened.execute_script("return arguments[0].value", slider))
    ActionChains(opened).move_to_element(slider).click_and_hold().move_by_offset(120, 0).release().perform()
    after = float(opened.execute_script("return arguments[0].value", slider))
    assert after > before + 10


def test_browser_switching_codec_or_picture_changes_what_is_shown(opened: Any, examples: list[Example]) -> None:
    def shown() -> tuple[str, str]:
        return tuple(opened.execute_script("return ['first', 'second'].map((id) => document.getElementById(id).src)"))

    crops = {crop.codec: crop.webp for crop in examples[0].crops}
    prefix = "data:image/webp;base64,"
    assert shown() == (prefix + crops["JPEG"], prefix + crops["aecodec test"])
    _choose(opened, "left", "WebP m6")
    assert shown()[0] == prefix + crops["WebP m6"]
    assert "WebP m6" in opened.find_element("id", "first-caption").text
    _choose(opened, "right", "original")
    assert shown()[1] == prefix + examples[0].original
    _choose(opened, "example", "3")
    assert shown()[1] == prefix + examples[3].original


def test_browser_plots_switch_and_tables_sort(opened: Any) -> None:
    visible = "return [...document.querySelectorAll('[data-plot]')].filter((p) => !p.hidden).map((p) => p.dataset.plot)"
    click = "document.querySelector(`#plots input[value=${arguments[0]}]`).click()"
    assert opened.execute_script(visible) == ["psnr-log-no"]
    for value in ("linear", "ms_ssim", "yes"):
        opened.execute_script(click, value)
    assert opened.execute_script(visible) == ["ms_ssim-linear-yes"]
    table = "document.querySelector('#gains [data-metric]:not([hidden]) table')"
    assert opened.execute_script(f"return {table}.parentElement.dataset.metric") == "ms_ssim"
    cells = f"return [...{table}.tBodies[0].rows].map((r) => r.cells[1].dataset.sort)"
    for _ in range(2):
        opened.execute_script(f"{table}.tHead.rows[0].cells[1].click()")
    numbers = [float(text) for text in opened.execute_script(cells)]
    assert len(numbers) == 3
    assert numbers == sorted(numbers, reverse=True)


def test_browser_a_metric_is_chosen_for_the_whole_page(opened: Any) -> None:
    script = (
        "const s = document.querySelector('#fixed select.metric'); s.value = 'ms_ssim'; "
        "s.dispatchEvent(new Event('change'))"
    )
    opened.execute_script(script)
    shown = (
        "return [...document.querySelectorAll('[data-metric]')].filter((e) => !e.hidden).map((e) => e.dataset.metric)"
    )
    assert set(opened.execute_script(shown)) == {"ms_ssim"}
    assert (
        opened.execute_script("return document.querySelector('#plots input[name=metric]:checked').value") == "ms_ssim"
    )


def test_browser_plot_and_legend_fit_a_phone(opened: Any) -> None:
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        boxes = opened.execute_script(
            "return [...document.querySelectorAll('.plot:not([hidden]) svg, .legend li:not([hidden]), #bd table')]"
            ".map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right, box.height])"
        )
        assert len(boxes) == 2 + 3 + 2  # plots of quality and speed, codecs, tables
        assert all(left >= 0 and right <= 400 and height > 0 for left, right, height in boxes)
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_page_fits_a_phone_in_light_and_dark(opened: Any, scheme: str) -> None:
    metrics = {"width": 375, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        assert opened.execute_script("return document.scrollingElement.scrollWidth") <= 375
        ground, ink = opened.execute_script(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color].map((c) => "
            "c.match(/\\d+/g).slice(0, 3).reduce((sum, each) => sum + Number(each), 0))"
        )
        assert (ground < 100 and ink > 600) if scheme == "dark" else (ground > 700 and ink < 150)
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
