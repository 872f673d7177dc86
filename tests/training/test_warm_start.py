"""Training that starts from a model: what it takes over, and how it may grow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from aecodec.card import Card, TrainingRecord
from aecodec.codec import Codec, load_codec
from aecodec.errors import DataError, ModelError
from aecodec.evaluation.metrics import psnr
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig
from aecodec.networks.model import Model
from aecodec.training.architecture import Shape
from aecodec.training.data import Crops
from aecodec.training.export import export
from aecodec.training.initialize import initialize
from aecodec.training.loop import Trainer
from aecodec.training.objective import rate_distortion
from aecodec.training.pictures import PictureArray
from aecodec.training.preparation import Job
from aecodec.training.run import train_folder
from aecodec.training.warm_start import grown, trainable
from aecodec.weights import Weights, load_weights
from tests.conftest import TINY
from tests.training_data import OPTIONS, SMALL, digits, pictures, tiles, trained


def loss(model: Model, crops: Crops) -> float:
    pixels, q = crops.batch(7, 8)
    with torch.no_grad():
        terms = rate_distortion(model, torch.from_numpy(pixels), torch.from_numpy(q), torch.Generator().manual_seed(0))
    return float(terms.loss.mean())


def convolutional(codec: Codec) -> ConvolutionalConfig:
    assert isinstance(codec.card.config, ConvolutionalConfig)
    return codec.card.config


def test_an_exported_model_can_be_trained_further(tmp_path: Path) -> None:
    crops = Crops(pictures([(200, 300), (300, 400)]), 64)
    trainer = Trainer(replace(OPTIONS, steps=60), crops, SMALL, tmp_path / "c.safetensors")
    with ThreadPoolExecutor(1) as executor:
        for _ in range(60):
            trainer.step(executor)
    model = trainer.averaged_model()
    pixels = torch.from_numpy(crops.batch(0, 16)[0])
    again = trainable(Weights(Card("a", SMALL, 0, TrainingRecord()), bytes(16), export(model, pixels)), pixels)
    assert loss(again, crops) < 1.005 * loss(model, crops)
    again.hyper_prior = model.hyper_prior  # whose copy is fitted to the pictures rather than stored
    assert loss(again, crops) == pytest.approx(loss(model, crops), rel=0.005)


def test_a_fully_connected_model_can_be_trained_further() -> None:
    crops = Crops(PictureArray(Path("a.npy"), digits()), 8, colours=1)
    config = FullyConnectedConfig(8, 4, 8, 8, block=8, nodes=16, layers=1, colours=1)
    model = Model(config)
    initialize(model, torch.from_numpy(crops.batch(0, 256)[0]))
    pixels = torch.from_numpy(crops.batch(0, 64)[0])
    again = trainable(Weights(Card("a", config, 0, TrainingRecord()), bytes(16), export(model, pixels)), pixels)
    assert loss(again, crops) < 1.005 * loss(model, crops)
    again.hyper_prior = model.hyper_prior
    assert loss(again, crops) == pytest.approx(loss(model, crops), rel=0.01)


def test_a_run_starts_from_a_weights_file(tmp_path: Path, tiny: Codec) -> None:
    np.save(tmp_path / "a.npy", tiles(8, 64))
    job = Job(tmp_path / "a.npy", tmp_path / "mine.safetensors", tmp_path / "run", init=str(TINY))
    said: list[str] = []
    card = trained(job, replace(OPTIONS, steps=1), report=said.append)
    assert any(" bytes than " in line or " are better than " in line for line in said)  # the verdict
    assert not any("--init" in line for line in said)  # it has been started from a model
    assert card.config == tiny.card.config
    assert card.training.data == f"7 pictures from a.npy; started from tiny {tiny.id.hex()}"
    again = trained(replace(job, init=""), replace(OPTIONS, steps=2), resume=True, report=lambda _: None)
    assert again.training.data == card.training.data and again.training.steps == 2
    pixels = tiles(1, 64)[0]
    mine, started = (
        np.abs(codec.decode(codec.encode(pixels, 60)).astype(int) - pixels).mean()
        for codec in (load_codec(job.output), tiny)
    )
    assert mine < 1.3 * started
    with pytest.raises(ModelError, match="no model named"):
        train_folder(replace(job, init="nothing", folder=tmp_path / "b"), OPTIONS, report=lambda _: None)


def test_what_is_added_to_a_model_does_nothing_until_it_has_learned_something(tiny: Codec) -> None:
    weights = load_weights(TINY)
    config = grown(weights.card.config, Shape(analysis_blocks=3, synthesis_blocks=2, coding_steps=3))
    assert config == replace(convolutional(tiny), analysis_blocks=3, synthesis_blocks=2, coding_steps=3)
    pixels, q = torch.from_numpy(tiles(8, 64)), torch.linspace(0, 1, 8)
    before, after = trainable(weights, pixels), trainable(weights, pixels, config)
    one, other = (rate_distortion(m, pixels, q, torch.Generator().manual_seed(0)).loss for m in (before, after))
    assert torch.allclose(one, other, rtol=1e-5)


def test_a_run_adds_blocks_and_a_coding_step(tmp_path: Path, tiny: Codec) -> None:
    np.save(tmp_path / "a.npy", tiles(8, 64))
    shape = Shape(synthesis_blocks=2, coding_steps=3)
    job = Job(tmp_path / "a.npy", tmp_path / "mine.safetensors", tmp_path / "run", init=str(TINY), shape=shape)
    card = trained(job, replace(OPTIONS, steps=3), report=lambda _: None)
    codec = load_codec(job.output)
    assert card.config == codec.card.config == replace(convolutional(tiny), synthesis_blocks=2, coding_steps=3)
    pixels = skimage.data.coffee()[:75, :130]
    for effort in (0, 2):
        restored = codec.decode(codec.encode(pixels, 60, effort=effort, fallback=False))
        assert psnr(pixels, restored) > psnr(pixels, tiny.decode(tiny.encode(pixels, 60))) - 1


@pytest.mark.parametrize(
    "shape",
    [Shape(channels=24), Shape(code_size=32, analysis_blocks=4), Shape(True), Shape(synthesis_blocks=1)],
)
def test_a_model_to_start_from_keeps_its_shape(shape: Shape) -> None:
    with pytest.raises(DataError, match="to start from"):
        grown(ConvolutionalConfig(), shape)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (ConvolutionalConfig(channels=24), Shape(channels=24, code_size=256, coding_steps=2)),
        (FullyConnectedConfig(nodes=32), Shape(True, nodes=32, block=16)),
    ],
)
def test_the_shape_that_a_model_has_may_be_named(config: SharedConfig, shape: Shape) -> None:
    assert grown(config, shape) == config


def test_only_convolutional_models_grow() -> None:
    with pytest.raises(DataError, match="only a convolutional one"):
        grown(FullyConnectedConfig(), Shape(synthesis_blocks=4))


def test_three_coding_steps_need_quarters_of_the_channels() -> None:
    with pytest.raises(DataError, match="need a multiple of 4"):
        grown(ConvolutionalConfig(latent_channels=14), Shape(coding_steps=3))


def test_weights_that_do_not_fit_cannot_be_started_from(tiny: Codec) -> None:
    weights = load_weights(TINY)
    without = {name: array for name, array in weights.arrays.items() if name != "context.0.bias"}
    with pytest.raises(ModelError, match="tiny cannot be trained further"):
        trainable(replace(weights, arrays=without), torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
