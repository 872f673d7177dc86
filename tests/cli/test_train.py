"""The command train: when it starts, and with what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aecodec.codec import Codec
from aecodec.training.objective import Noise
from tests.commands import cli, listing, save


def test_training_does_not_start_where_it_could_not_end(here: Path) -> None:
    save(here / "in" / "a.png")
    (here / "mine.safetensors").write_bytes(b"dear")
    assert "mine.safetensors: exists already" in cli("train", "in", "-o", "mine.safetensors", code=1).stderr
    said = cli("train", "in", "-o", "missing/mine.safetensors", code=1).stderr
    assert said.startswith("aecodec: missing/mine.safetensors: cannot write")
    assert listing(here) == {"in/a.png", "mine.safetensors"}


def test_training_options_arrive(here: Path, monkeypatch: pytest.MonkeyPatch, tiny: Codec) -> None:
    save(here / "in" / "a.png")
    calls: list[Any] = []

    def train_folder(*arguments: Any, **options: Any) -> Any:
        calls.append((*arguments, options))
        return tiny.card

    monkeypatch.setattr("aecodec.training.run.train_folder", train_folder)
    options = ["--steps", 7, "--name", "mine", "--licence", "CC0", "--resume", "--device", "cpu", "--validation", "in"]
    options += ["--rate", 0.3, "--distortion", "eye", "--patterns", 0.04, "--optimizer", "sgd"]
    options += ["--objective", "denoising", "--noise", "5,mask=0.1..0.2"]
    cli("train", "in", "-o", "mine.safetensors", *options)
    cli("train", "in", "-o", "mine.safetensors")
    job, settings, rest = calls[0]
    assert (job.pictures, job.output, job.validation) == (Path("in"), Path("mine.safetensors"), Path("in"))
    assert (job.folder, job.name, job.licence) == (Path("mine.run"), "mine", "CC0")
    assert (settings.steps, settings.minutes, settings.device, rest["resume"]) == (7, None, "cpu", True)
    assert (calls[1][1].steps, calls[1][1].minutes, calls[1][2]["resume"]) == (None, 60, False)
    assert [call[1].rate_factor for call in calls] == [0.3, None]
    assert [call[1].objective.distortion for call in calls] == ["eye", "mse"]
    assert [call[1].optimizer for call in calls] == ["sgd", "muon"]
    assert [call[1].objective.noise for call in calls] == [Noise((5, 5), (0.1, 0.2)), None]
    assert [call[0].pattern_share for call in calls] == [0.04, 0.0]


@pytest.mark.parametrize("noise", ["mask=1", "mask=0.3..0.2", "5,mask", "salt=0.1", "mask=a"])
def test_noise_that_cannot_be_is_refused(here: Path, noise: str) -> None:
    save(here / "in" / "a.png")
    said = cli("train", "in", "-o", "m.safetensors", "--objective", "denoising", "--noise", noise, code=2).stderr
    assert f"--noise {noise}" in said
