"""The benchmark of models on pictures of every kind, on small made-up sets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import skimage.data
from PIL import Image

from aecodec.evaluation.report import read_matrix
from aecodec.pictures.arrays import write_array
from tests.conftest import TINY


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
    module.main()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(skimage.data.chelsea()[40:168, 100:260]).save(folder / "cat.png")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.npy"
    camera = skimage.data.camera()
    write_array(path, np.stack([camera[30 * i : 30 * i + 28, 100:128] for i in range(9)]))
    return path


def test_every_model_is_measured_on_every_set(
    benchmark: Callable[[str], ModuleType],
    photographs: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data_specific = benchmark("data_specific")
    output, picture = tmp_path / "found.json", tmp_path / "found.png"
    models = ("--model", f"tiny={TINY}", "--model", f"pieces={TINY}@28")
    sets = ("--set", f"photographs={photographs}", "--set", f"small={small}")
    run(data_specific, monkeypatch, *models, *sets, "-o", output, "--picture", picture)
    matrix = read_matrix(output)
    assert matrix.columns == ("photographs", "small")
    assert [row.name for row in matrix.rows] == ["tiny", "pieces", "WebP", "AVIF"]
    webp, avif = (row.values[0] for row in matrix.rows[2:])
    assert webp is not None
    assert webp < 0
    assert avif is not None
    assert avif < webp
    found = json.loads(output.read_text())
    assert found["pictures"] == [1, 9]
    assert [s["codec"] for s in found["stacks"]][-2:] == ["JPEG, a file each", "gzip -9 (lossless)"]
    with Image.open(picture) as image:
        assert image.format == "PNG"
    assert "| tiny | " in output.with_suffix(".md").read_text()


def test_small_models_get_the_middle_square_in_grey(benchmark: Callable[[str], ModuleType]) -> None:
    data_specific = benchmark("data_specific")
    pixels = skimage.data.chelsea()[:100, :150]
    square = data_specific.convert(pixels, (28, 28))
    assert square.shape == (84, 84)
    assert np.array_equal(square, np.asarray(Image.fromarray(pixels[8:92, 33:117].copy()).convert("L")))
    assert data_specific.convert(pixels, None) is pixels


def test_a_set_without_pictures_is_named(
    benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_specific = benchmark("data_specific")
    with pytest.raises(SystemExit, match=f"{tmp_path}: no pictures"):
        run(data_specific, monkeypatch, "--model", f"tiny={TINY}", "--set", f"none={tmp_path}")


def test_the_last_fifth_is_for_testing(
    benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halve = benchmark("halve")
    source, output = tmp_path / "source", tmp_path / "halved"
    source.mkdir()
    for i in range(11):
        Image.fromarray(skimage.data.chelsea()[:40, 10 * i : 10 * i + 60]).save(source / f"{i:02}.jpg")
    run(halve, monkeypatch, source, output)
    assert len(list((output / "train").iterdir())) == 9
    assert sorted(path.name for path in (output / "test").iterdir()) == ["09.png", "10.png"]
    with Image.open(output / "test" / "10.png") as image:
        assert image.size == (30, 20)
