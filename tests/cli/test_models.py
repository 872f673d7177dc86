"""The list of models."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aecodec.cli.main import main
from aecodec.codec import Codec
from aecodec.weights import load_weights, save_weights
from tests.commands import answer_without_pytorch
from tests.conftest import TINY


def models(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["models", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_installed_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Codec) -> None:
    shutil.copy(TINY, tmp_path / "mine.safetensors")
    monkeypatch.setenv("AECODEC_MODELS", str(tmp_path))
    names, *installed, last = models().stdout.splitlines()
    assert names.split() == ["name", "id", "kind", "size", "BD-rate", "trained", "on", "file"]
    assert [line.split()[0] for line in installed] == ["cells", "digits", "fashion", "photo", "photo-psnr"]
    assert tiny.id.hex() in last
    assert str(tmp_path / "mine.safetensors") in last


def test_a_folder_as_json(tmp_path: Path, tiny: Codec) -> None:
    shutil.copy(TINY, tmp_path / "a.safetensors")
    (tmp_path / "notes.txt").write_text("not a model")
    (record,) = json.loads(models(tmp_path, "--json").stdout)
    assert record == {
        "name": "tiny",
        "id": tiny.id.hex(),
        "kind": "convolutional",
        "data": tiny.card.training.data,
        "pictures": tiny.card.training.pictures,
        "bytes": TINY.stat().st_size,
        "bd_rate_jpeg_percent": None,
        "bd_rate_metric": "PSNR",
        "file": str(tmp_path / "a.safetensors"),
    }


def test_the_gain_on_the_card_is_shown(tmp_path: Path) -> None:
    weights = load_weights(TINY)
    results = {"validation_bd_rate_jpeg_percent": -12.34, "validation_bd_rate_jpeg_ssimulacra2_percent": -23.45}
    card = replace(weights.card, results=results)
    save_weights(tmp_path / "a.safetensors", card, weights.arrays)
    assert "-12.3 % PSNR" in models(tmp_path).stdout
    seen = replace(card, training=replace(card.training, distortion="eye"))
    save_weights(tmp_path / "a.safetensors", seen, weights.arrays)
    assert "-23.4 % SSIMULACRA2" in models(tmp_path).stdout


def test_bad_files_are_reported_and_skipped(tmp_path: Path) -> None:
    shutil.copy(TINY, tmp_path / "good.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    result = models(tmp_path, code=1)
    assert "good.safetensors" in result.stdout
    assert result.stderr == f"aecodec: {tmp_path / 'bad.safetensors'}: not an aecodec weights file\n"


def test_nothing_to_list(tmp_path: Path) -> None:
    assert "no weights files" in models(tmp_path).stderr
    assert models(tmp_path, "--json").stdout == "[]\n"
    assert "No such file" in models(tmp_path / "missing", code=1).stderr


def test_the_list_needs_no_pytorch() -> None:
    assert "tiny" in answer_without_pytorch("models", TINY)
