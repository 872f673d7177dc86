"""What runs on a GPU does the same on a processor: crops by index, steps, checkpoints in shards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from aecodec.networks.model import Model
from aecodec.training import checkpoint
from aecodec.training.data import Crops
from aecodec.training.device import DevicePictures, DeviceTrainer
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import Objective
from aecodec.training.optimizer import Optimizer
from aecodec.training.pictures import TrainingPicture
from tests.training_data import SMALL as TINY

OPTIONS = TrainOptions(
    minutes=None, steps=10, batch=4, crop=64, workers=1, warm_up=2, objective=Objective(distortion="eye")
)
CPU = torch.device("cpu")


def crops(colours: int = 3, pattern_share: float = 0.2) -> Crops:
    """Of pictures, one of which is smaller than a crop."""
    sources = [skimage.data.astronaut(), skimage.data.coffee()[:50, :300], skimage.data.chelsea()[:100, :30]]
    if colours == 1:
        sources = [np.repeat(pixels[..., :1], 3, axis=-1) for pixels in sources]
    pictures = [TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)]
    return Crops(pictures, 64, colours=colours, pattern_share=pattern_share)


def advance(trainer: Trainer, steps: int) -> list[torch.Tensor]:
    with ThreadPoolExecutor(1) as executor:
        return [trainer.step(executor).loss for _ in range(steps)]


@pytest.mark.parametrize("colours", [1, 3])
def test_crops_cut_on_the_device_are_those_of_batches(colours: int) -> None:
    source = crops(colours)
    expected, _ = source.batch(5, 60)
    cut = DevicePictures(source.pictures, colours, CPU).cut(source.draw(5, 60), 64)
    assert np.array_equal(cut.numpy(), expected)


def test_steps_lower_the_loss_and_batches_grow(tmp_path: Path) -> None:
    trainer = DeviceTrainer(replace(OPTIONS, steps=60), crops(), TINY, tmp_path / "checkpoint.safetensors")
    losses = advance(trainer, 60)
    assert [len(loss) for loss in losses] == [2] * 12 + [4] * 48
    assert float(torch.cat(losses[-12:]).mean()) < 0.8 * float(torch.cat(losses[:12]).mean())


def test_a_resumed_run_takes_the_steps_of_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = DeviceTrainer(OPTIONS, crops(), TINY, tmp_path / "whole.safetensors")
    advance(whole, 6)
    first = DeviceTrainer(OPTIONS, crops(), TINY, tmp_path / "parts.safetensors")
    advance(first, 3)
    first.save()
    second = DeviceTrainer(OPTIONS, crops(), TINY, tmp_path / "parts.safetensors")
    advance(second, 3)
    for name, tensor in whole.average.items():
        assert torch.equal(tensor, second.average[name])


def test_an_update_is_that_of_the_optimizer(tmp_path: Path) -> None:
    trainer = DeviceTrainer(OPTIONS, crops(), TINY, tmp_path / "checkpoint.safetensors")
    plain = Model(TINY)
    plain.load_state_dict(trainer.model.state_dict())
    optimizer = Optimizer(plain.named_parameters(), OPTIONS.muon_rate, OPTIONS.adam_rate)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        grads = [torch.randn(p.shape, generator=generator) for p in plain.parameters()]
        optimizer.step(grads, trainer.rate())
        trainer._update(grads, torch.tensor(trainer._rates()))
        trainer.optimizer.steps += 1
    for expected, parameter in zip(plain.parameters(), trainer.model.parameters(), strict=True):
        assert torch.allclose(expected, parameter, atol=1e-6)


def test_gradients_that_overflow_change_nothing_much(tmp_path: Path) -> None:
    trainer = DeviceTrainer(OPTIONS, crops(), TINY, tmp_path / "checkpoint.safetensors")
    with torch.no_grad():
        dict(trainer.model.named_parameters())["synthesis.0.narrow.bias"].fill_(torch.inf)
    before = {name: p.clone() for name, p in trainer.model.named_parameters() if not torch.isinf(p).any()}
    advance(trainer, 1)
    after = dict(trainer.model.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_large_checkpoints_are_in_shards_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", 40_000)
    path = tmp_path / "checkpoint.safetensors"
    trainer = Trainer(OPTIONS, crops(), TINY, path)
    trainer.save()
    advance(trainer, 1)
    trainer.save()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert all(file.stat().st_size < 60_000 for file in files)
    assert all(file == path or "-1-" in file.name for file in files)
    again = Trainer(OPTIONS, crops(), TINY, path)
    assert again.progress == trainer.progress
    for name, tensor in trainer.optimizer.state().items():
        assert torch.equal(tensor, again.optimizer.state()[name])
