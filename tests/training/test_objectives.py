"""Each objective trains a codec, and brings what it is for."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch
from torch.func import jacrev

from aecodec.codec import Codec
from aecodec.evaluation.metrics import psnr
from aecodec.networks.model import Model, to_network
from aecodec.training.data import Crops
from aecodec.training.distortion import cross_entropy, distortion
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import PLAIN, Noise, Objective, add_noise, bounded, jacobian_norm, rate_distortion
from aecodec.training.pictures import TrainingPicture
from aecodec.training.validation import codec_of
from tests.golden.make import TINY

Pixels = npt.NDArray[np.uint8]

STEPS = 120
DENOISING = Objective(noise=Noise((20, 20)))
SPARSE = Objective(sparsity=3.0)
CONTRACTIVE = Objective(contraction=2000.0)
CROSS_ENTROPY = Objective(distortion="bce")
EYE = Objective(distortion="eye")


def crops() -> Crops:
    sources = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.rocket())
    return Crops([TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)], 64)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Objective, Model]:
    """One small model of each kind, all from the same start and with the same batches."""
    result = {}
    options = TrainOptions(minutes=None, steps=STEPS, batch=4, crop=64, workers=1, warm_up=10, average_decay=0.9)
    for i, objective in enumerate((PLAIN, DENOISING, SPARSE, CONTRACTIVE, CROSS_ENTROPY, EYE)):
        path = tmp_path_factory.mktemp("run") / f"{i}.safetensors"
        trainer = Trainer(replace(options, objective=objective), crops(), TINY, path)
        with ThreadPoolExecutor(1) as executor:
            for _ in range(STEPS):
                trainer.step(executor)
        result[objective] = trainer.averaged_model()
    return result


@pytest.fixture(scope="module")
def codecs(models: dict[Objective, Model]) -> dict[Objective, Codec]:
    calibration = torch.from_numpy(crops().batch(0, 16)[0])
    return {objective: codec_of(export(model, calibration), TINY) for objective, model in models.items()}


@pytest.fixture(scope="module")
def cat() -> Pixels:
    """A picture that no model was trained on, (256, 384, 3)."""
    return np.ascontiguousarray(skimage.data.chelsea()[:256, :384])


@pytest.mark.parametrize("objective", [PLAIN, DENOISING, SPARSE, CONTRACTIVE, CROSS_ENTROPY, EYE])
def test_each_objective_makes_a_codec(codecs: dict[Objective, Codec], cat: Pixels, objective: Objective) -> None:
    data = codecs[objective].encode(cat, 60)
    assert psnr(cat, codecs[objective].decode(data)) > 22


def test_denoising_is_nearer_to_the_clean_picture(codecs: dict[Objective, Codec], cat: Pixels) -> None:
    noisy = add_noise(torch.from_numpy(cat)[None], Noise((40, 40)), torch.Generator().manual_seed(0))[0].numpy()
    plain, denoising = (codecs[o].encode(noisy, 90, fallback=False) for o in (PLAIN, DENOISING))
    assert psnr(cat, codecs[DENOISING].decode(denoising)) > psnr(cat, codecs[PLAIN].decode(plain))
    assert len(denoising) < len(plain)


def test_sparse_codes_have_more_zeros(models: dict[Objective, Model], cat: Pixels) -> None:
    x = to_network(torch.from_numpy(cat)[None])
    with torch.no_grad():
        zeros = {
            o: float((m.analysis(x) * m.gains.forward_gain(torch.tensor([0.7]))).round().eq(0).float().mean())
            for o, m in models.items()
        }
    assert zeros[SPARSE] > zeros[PLAIN] + 0.02


def test_contractive_codes_change_less(models: dict[Objective, Model], cat: Pixels) -> None:
    x, q = to_network(torch.from_numpy(cat)[None]), torch.tensor([0.7])
    changes = {}
    with torch.no_grad():
        for objective, model in models.items():
            gain = model.gains.forward_gain(q)
            code = model.analysis(x) * gain
            changes[objective] = float(jacobian_norm(model, x, code, gain, torch.Generator().manual_seed(0)))
    assert changes[CONTRACTIVE] < 0.9 * changes[PLAIN]


def test_the_estimate_of_the_jacobian_is_right(models: dict[Objective, Model]) -> None:
    """Against the exact one, of a picture of one latent position."""
    model = models[PLAIN]
    x, gain = torch.zeros(1, 3, 16, 16), model.gains.forward_gain(torch.tensor([0.5]))

    def code(x: torch.Tensor) -> torch.Tensor:
        latents: torch.Tensor = model.analysis(x)
        return latents * gain

    exact = float(jacrev(code)(x).square().sum().detach()) * (4 / 255) ** 2
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        estimate = np.mean([float(jacobian_norm(model, x, code(x), gain, generator)) for _ in range(400)])
    assert estimate == pytest.approx(exact, rel=0.2)


def test_cross_entropy_is_squared_error_at_middle_grey() -> None:
    x = torch.zeros(1, 3, 8, 8)
    x_hat = x + 0.08
    assert float(cross_entropy(x_hat, x)) == pytest.approx(
        float((x_hat - x).square().mean()) * (255 / 4) ** 2, rel=0.01
    )
    black = torch.full((1, 3, 8, 8), -2.0)
    assert float(cross_entropy(black, black)) == pytest.approx(0, abs=50)
    assert float(cross_entropy(black + 0.08, black)) > float(cross_entropy(x_hat, x))


def test_for_the_eye_the_score_is_measured_and_a_better_picture_is_nearer() -> None:
    x = to_network(torch.from_numpy(crops().batch(0, 2)[0]))
    q = torch.tensor([0.2, 0.9])
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    near, far = (distortion("eye", x + strength * noise, x, q) for strength in (0.05, 0.3))
    assert (near.total < far.total).all()
    assert (near.score > far.score).all()
    assert torch.equal(far.mse, distortion("mse", x + 0.3 * noise, x, q).total)


def test_grey_pictures_can_be_trained_for_the_eye() -> None:
    x = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(distortion("eye", x * 0.9, x, torch.tensor([0.2, 0.9])).total).all()


def test_a_crop_beyond_all_others_counts_as_the_worst_of_them() -> None:
    loss = torch.tensor([3.0, 1e7], requires_grad=True)
    (gradient,) = torch.autograd.grad(bounded(loss, 50.0).sum(), loss)
    assert bounded(loss, 50.0).tolist() == pytest.approx([3.0, 50.0])
    assert gradient.tolist() == pytest.approx([1.0, 5e-6])
    assert torch.equal(bounded(loss, math.inf), loss)


def test_the_plain_objective_draws_no_other_numbers(models: dict[Objective, Model]) -> None:
    pixels, q = (torch.from_numpy(each) for each in crops().batch(7, 2))
    losses = [
        rate_distortion(models[PLAIN], pixels, q, torch.Generator().manual_seed(3), objective).loss
        for objective in (PLAIN, Objective(noise=None, sparsity=0.0))
    ]
    assert torch.equal(*losses)


def test_noise_is_of_the_level_asked_for() -> None:
    grey = torch.full((3, 100, 100, 1), 128, dtype=torch.uint8)
    noisy = add_noise(grey, Noise((10, 10)), torch.Generator().manual_seed(0)).float()
    assert float(noisy.std()) == pytest.approx(10, rel=0.05)
    different = add_noise(grey, Noise((0, 50)), torch.Generator().manual_seed(0)).float().std((1, 2, 3))
    assert len(set(different.tolist())) == 3


def test_missing_pixels_are_black_in_all_channels_and_as_many_as_asked_for() -> None:
    white = torch.full((3, 100, 100, 3), 255, dtype=torch.uint8)
    damaged = add_noise(white, Noise(missing=(0.2, 0.2)), torch.Generator().manual_seed(0))
    assert set(damaged.flatten().tolist()) == {0, 255}
    assert torch.equal(damaged[..., 0], damaged[..., 2])
    assert float(damaged.eq(0).float().mean()) == pytest.approx(0.2, abs=0.01)
    both = add_noise(white // 2, Noise((10, 10), (0.5, 0.5)), torch.Generator().manual_seed(0)).float()
    assert float(both[both > 0].std()) == pytest.approx(10, rel=0.05)


def test_a_model_for_missing_pixels_fills_them(cat: Pixels, tmp_path: Path) -> None:
    options = TrainOptions(minutes=None, steps=STEPS, batch=4, crop=64, workers=1, warm_up=10, average_decay=0.9)
    objective = Objective(noise=Noise(missing=(0.2, 0.2)))
    trainer = Trainer(replace(options, objective=objective), crops(), TINY, tmp_path / "run.safetensors")
    with ThreadPoolExecutor(1) as executor:
        for _ in range(STEPS):
            trainer.step(executor)
    codec = codec_of(export(trainer.averaged_model(), torch.from_numpy(crops().batch(0, 16)[0])), TINY)
    assert objective.noise is not None
    damaged = add_noise(torch.from_numpy(cat)[None], objective.noise, torch.Generator().manual_seed(0))[0].numpy()
    restored = codec.decode(codec.encode(damaged, 60, fallback=False))
    assert psnr(cat, restored) > psnr(cat, damaged) + 3
