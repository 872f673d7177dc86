"""Which networks suit which pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from sklearn.datasets import load_digits

from aecodec.errors import DataError
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig
from aecodec.stack import decode_stack, encode_stack
from aecodec.training.architecture import Shape, choose
from aecodec.training.loop import TrainOptions
from aecodec.training.pictures import PictureArray, TrainingPicture
from aecodec.training.preparation import Job
from aecodec.training.run import train_folder
from aecodec.weights import describe
from tests.training_data import trained

DIGITS = PictureArray(Path("digits.npy"), np.asarray(load_digits().images * 15, np.uint8))
PHOTOGRAPHS = [TrainingPicture(Path(f"{i}.png"), skimage.data.coffee()) for i in range(4)]


def test_small_pictures_are_connected_as_a_whole() -> None:
    config = choose(DIGITS, Shape(fully_connected=True))
    assert isinstance(config, FullyConnectedConfig)
    assert (config.block, config.colours) == (8, 1)


def test_photographs_are_convolved() -> None:
    assert choose(PHOTOGRAPHS, Shape()) == ConvolutionalConfig()
    grey = [replace(p, pixels=p.pixels[:, :, :1].repeat(3, axis=2)) for p in PHOTOGRAPHS]
    assert choose(grey, Shape()) == ConvolutionalConfig(colours=1)


def test_wishes() -> None:
    assert choose(DIGITS, Shape(channels=48, code_size=32)) == ConvolutionalConfig(32, channels=48, colours=1)
    config = choose(PHOTOGRAPHS, Shape(analysis_blocks=4, synthesis_blocks=3, coding_steps=3))
    assert config == ConvolutionalConfig(analysis_blocks=4, synthesis_blocks=3, coding_steps=3)
    config = choose(PHOTOGRAPHS, Shape(True, block=12, code_size=40, layers=3, nodes=100))
    assert config == FullyConnectedConfig(latent_channels=40, block=12, layers=3, nodes=100)
    assert choose(PHOTOGRAPHS, Shape(True, layers=0)) == FullyConnectedConfig(layers=0, latent_channels=256)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(layers=2),
        Shape(block=16),
        Shape(code_size=14, coding_steps=3),
        Shape(True, block=65),
        Shape(True, channels=9),
        Shape(True, synthesis_blocks=3),
        Shape(True, coding_steps=3),
    ],
)
def test_wishes_that_do_not_go_together(shape: Shape) -> None:
    with pytest.raises(DataError):
        choose(PHOTOGRAPHS, shape)


def test_an_array_becomes_a_codec(tmp_path: Path) -> None:
    """The whole run on small pictures: train, resume, compare, compress as a stack."""
    np.save(tmp_path / "digits.npy", DIGITS.pixels)
    shape = Shape(True, code_size=16, layers=1, nodes=32)
    job = Job(tmp_path / "digits.npy", tmp_path / "d.safetensors", tmp_path / "run", fit_crop=True, shape=shape)
    options = TrainOptions(minutes=None, steps=2, workers=1, warm_up=2)
    train_folder(job, options)
    card = trained(replace(job, shape=Shape()), replace(options, steps=4), resume=True)
    assert card.config == describe(job.output).config == choose(DIGITS, shape)
    data = encode_stack(DIGITS.pixels[:50], 50, job.output)
    assert decode_stack(data, models=[job.output]).shape == (50, 8, 8)


def test_a_model_of_blocks(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(6):
        Image.fromarray(skimage.data.coffee()[40 * i : 40 * i + 100, 100:230]).save(folder / f"{i}.png")
    job = Job(
        folder,
        tmp_path / "b.safetensors",
        tmp_path / "run",
        fit_crop=True,
        shape=Shape(True, block=8, code_size=16, layers=0),
    )
    card = trained(job, TrainOptions(minutes=None, steps=2, batch=4, workers=1, warm_up=2))
    assert isinstance(card.config, FullyConnectedConfig)
    assert card.training.steps == 2
