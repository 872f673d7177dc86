"""The map as a page: its data, and how it behaves in a browser."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aecodec.uses.map import Activity, Point, page, placed
from tests.commands import cli, save
from tests.uses.test_commands import GROUND

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1100,800")


def test_a_page_shows_all_pictures_and_needs_no_network(here: Path) -> None:
    for i in range(5):
        save(here / "p" / f"<{i}>.png", GROUND[10 * i : 10 * i + 48, :48])
    (here / "labels.csv").write_text("file,label\n<0>.png,first\n")
    cli("map", "p", "-o", "map.html", "--model", "tiny", "--labels", "labels.csv")
    text = (here / "map.html").read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert data["names"] == [f"<{i}>.png" for i in range(5)]
    assert data["words"]["label"] == ["first", "", "", "", ""]
    assert "<0>" not in text
    assert not any(each in text for each in ('src="http', 'href="http', "url(http", "@import"))
    assert sum(data["histogram"]) > 0
    with Image.open(io.BytesIO(base64.b64decode(data["maps"]))) as maps:
        assert maps.size == (data["mapWidth"], 5 * data["mapSide"])


def test_places_are_in_the_unit_square_and_keep_neighbours_together() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 1, (2000, 8)), random.normal(20, 1, (2000, 8))]).astype(np.float32)
    places, method = placed(values)
    assert method == "PCA"
    assert places.min() == 0 and places.max() == 1
    assert np.ptp(places[:2000, 0]) < abs(places[:2000, 0].mean() - places[2000:, 0].mean())
    assert placed(values[:2])[0].shape == (2, 2)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium that the machine has installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield opened
    opened.quit()


def test_ten_thousand_points_in_a_browser(browser: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (10_000, 8, 8), np.uint8)
    points = [Point(f"picture {i}", each, each, float(i), 2.0) for i, each in enumerate(pictures)]
    activity = Activity(np.ones(41, np.int64), np.ones(8))
    path = tmp_path / "map.html"
    words = {"label": [str(i % 3) for i in range(10_000)]}
    path.write_text(page("many", points, random.random((10_000, 2)), "PCA", activity, words))
    browser.get(path.as_uri())
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    script = "const b = document.getElementById('find'); b.value = arguments[0]; b.oninput({target: b})"
    browser.execute_script(script, "picture 77")
    assert browser.find_element("id", "found").text == "111 found"
    assert "picture 77" in browser.find_element("id", "facts").text
    drawn = "draw(); return [...pen.getImageData(0, 0, plot.width, plot.height).data].some((value) => value > 0)"
    assert browser.execute_script(drawn)
    browser.execute_script("const c = document.getElementById('colour'); c.value = 'bits'; c.onchange()")
    assert browser.find_element("id", "legend").text.startswith("blue")
