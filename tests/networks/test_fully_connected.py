"""Fully connected models: trained, exported, compressing, on blocks of pictures and on whole small pictures."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch
from sklearn.datasets import load_digits

from aecodec.card import Card, TrainingRecord
from aecodec.codec import Codec, load_codec
from aecodec.errors import ImageError
from aecodec.evaluation.metrics import psnr
from aecodec.networks.config import FullyConnectedConfig
from aecodec.networks.model import Model
from aecodec.stack import decode_stack, encode_stack
from aecodec.training.data import Crops
from aecodec.training.export import export
from aecodec.training.initialize import initialize
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import rate_distortion
from aecodec.training.optimizer import Optimizer
from aecodec.training.pictures import TrainingPicture
from aecodec.training.validation import codec_of
from aecodec.weights import describe, save_weights

Pixels = npt.NDArray[np.uint8]

DIGITS = FullyConnectedConfig(
    latent_channels=32,
    hyper_channels=4,
    hyper_width=16,
    context_width=32,
    colours=1,
    block=8,
    layers=2,
    nodes=64,
)


@pytest.fixture(scope="module")
def digits() -> Pixels:
    """1797 handwritten digits (8, 8), real ones."""
    return np.asarray(load_digits().images * 15, np.uint8)


def trained(config: FullyConnectedConfig, pixels: Pixels, steps: int) -> Model:
    """A model after a few hundred small steps on pixels (N, B, B, C)."""
    torch.manual_seed(0)
    model = Model(config)
    initialize(model, torch.from_numpy(pixels))
    optimizer = Optimizer(model.named_parameters(), 0.01, 1e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        batch = torch.from_numpy(pixels[torch.randint(len(pixels), (128,), generator=generator).numpy()])
        loss = rate_distortion(model, batch, torch.rand(128, generator=generator), generator).loss.mean()
        grads = torch.autograd.grad(loss, list(model.parameters()))
        optimizer.step(list(grads), 1 - step / steps)
    return model.eval()


@pytest.fixture(scope="module")
def model(digits: Pixels) -> Model:
    return trained(DIGITS, digits[:1500, :, :, None], 200)


@pytest.fixture(scope="module")
def path(model: Model, digits: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "digits.safetensors"
    arrays = export(model, torch.from_numpy(digits[:500, :, :, None]))
    parameters = sum(p.numel() for p in model.parameters())
    save_weights(path, Card("digits", DIGITS, parameters, TrainingRecord("digits", 1500)), arrays)
    assert describe(path).config == DIGITS
    return path


@pytest.fixture(scope="module")
def codec(path: Path) -> Codec:
    return load_codec(path)


def test_the_start_is_the_klt(digits: Pixels) -> None:
    model = Model(replace(DIGITS, latent_channels=64))
    pixels = torch.from_numpy(digits[:, :, :, None].copy())
    initialize(model, pixels)
    with torch.no_grad():
        x = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) * 4
        assert torch.allclose(model.synthesis(model.analysis(x)), x, atol=1e-3)


def test_training_beats_the_klt(model: Model, digits: Pixels) -> None:
    start = Model(DIGITS)
    initialize(start, torch.from_numpy(digits[:1500, :, :, None].copy()))
    held = torch.from_numpy(digits[1500:, :, :, None].copy())
    q = torch.linspace(0, 1, len(held))
    with torch.no_grad():
        losses = [rate_distortion(m, held, q, torch.Generator().manual_seed(0)).loss.mean() for m in (start, model)]
    assert losses[1] < 0.9 * losses[0]


def test_a_stack_of_small_pictures(codec: Codec, path: Path, digits: Pixels) -> None:
    held = digits[1500:]
    data = encode_stack(held, 50, codec)
    restored = decode_stack(data, models=(path,))
    assert psnr(held, restored) > 18
    assert len(data) < 0.7 * len(zlib.compress(held.tobytes(), 9))


def test_effort_makes_stacks_better(codec: Codec, path: Path, digits: Pixels) -> None:
    held = digits[1500:1600]
    plain, refined = (encode_stack(held, 80, codec, effort=effort) for effort in (0, 5))
    assert len(refined) < 1.01 * len(plain)
    assert psnr(held, decode_stack(refined, models=(path,))) > psnr(held, decode_stack(plain, models=(path,))) + 0.2


def test_any_size_of_picture(codec: Codec) -> None:
    camera = skimage.data.camera()
    for height, width in ((1, 1), (5, 9), (8, 8), (70, 33)):
        picture = camera[100 : 100 + height, 200 : 200 + width]
        assert codec.decode(codec.encode(picture, 90)).shape == picture.shape


def test_a_model_of_grey_pictures_refuses_colour(codec: Codec) -> None:
    with pytest.raises(ImageError, match="grey pictures only"):
        codec.encode(skimage.data.astronaut()[:40, :40], 50)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_depths(digits: Pixels, layers: int) -> None:
    config = replace(DIGITS, layers=layers)
    model = trained(config, digits[:500, :, :, None], 5)
    arrays = export(model, torch.from_numpy(digits[:100, :, :, None]))
    codec = codec_of(arrays, config)
    assert psnr(digits[600], codec.decode(codec.encode(digits[600], 100))) > 15


def test_blocks_of_colour_photographs(tmp_path: Path) -> None:
    """The training loop and the codec take blocks of larger pictures."""
    config = FullyConnectedConfig(
        latent_channels=64, hyper_channels=4, hyper_width=16, context_width=32, block=8, layers=1, nodes=64
    )
    crops = Crops([TrainingPicture(Path("a.png"), skimage.data.coffee())], 64)
    options = TrainOptions(minutes=None, steps=3, batch=4, crop=64, workers=1)
    trainer = Trainer(options, crops, config, tmp_path / "c.safetensors")
    with ThreadPoolExecutor(1) as executor:
        for _ in range(3):
            trainer.step(executor)
    trainer.save()
    model = Trainer(options, crops, config, tmp_path / "c.safetensors").averaged_model()
    assert model.config == config
    codec = codec_of(export(model, torch.from_numpy(crops.batch(0, 8)[0])), config)
    pixels = skimage.data.coffee()[:100, :90]
    assert psnr(pixels, codec.decode(codec.encode(pixels, 80))) > 28
