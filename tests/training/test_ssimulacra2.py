"""The differentiable SSIMULACRA2 is the published one, and its gradient leads to a better score."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch
from PIL import Image

from aecodec.evaluation.metrics import ssimulacra2
from aecodec.training.ssimulacra2 import linear_light, loss, lost_points, score, weighted_errors

Pixels = npt.NDArray[np.uint8]


def photograph(height: int = 300, width: int = 270) -> Pixels:
    return np.ascontiguousarray(skimage.data.astronaut()[:height, :width])


def drawing() -> Pixels:
    y, x = np.mgrid[:256, :256]
    rings = 127 + 120 * np.sin(np.hypot(x - 90, y - 140) / 3)
    return np.stack([rings, np.where((x // 16 + y // 16) % 2, 220, 30), x], -1).astype(np.uint8)


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg", quality=quality)
    return np.array(Image.open(file))


def tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).float() / 255


@pytest.mark.parametrize("quality", [3, 15, 40, 80, 98])
@pytest.mark.parametrize("original", [photograph(), photograph(256, 256), drawing()], ids=["odd", "crop", "drawing"])
def test_scores_are_those_of_the_reference(original: Pixels, quality: int) -> None:
    distorted = as_jpeg(original, quality)
    expected = ssimulacra2(original, distorted)
    assert expected is not None
    assert score(original, distorted) == pytest.approx(expected, abs=0.1)


def test_scores_fall_with_blur_and_noise() -> None:
    original = photograph()
    noise = np.random.default_rng(0).normal(size=original.shape)
    noisy = [score(original, np.clip(original + s * noise, 0, 255).astype(np.uint8)) for s in (0, 2, 5, 15)]
    assert noisy == sorted(noisy, reverse=True)
    assert noisy[0] == pytest.approx(100, abs=0.5)
    smaller = Image.fromarray(original).resize((135, 150)).resize((270, 300))
    assert score(original, np.array(smaller)) < 85


def test_steps_down_the_gradient_raise_the_score() -> None:
    original = photograph(256, 256)
    x, y = tensor(original), tensor(as_jpeg(original, 20))
    before = score(original, as_jpeg(original, 20))
    for _ in range(20):
        y.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(weighted_errors(linear_light(x), linear_light(y))).sum(), y)
        y = (y.detach() - 0.05 * gradient / gradient.norm()).clamp(0, 1)
    after = (y[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    reference = ssimulacra2(original, after)
    assert reference is not None
    assert reference > before + 3


def test_gradients_are_those_of_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    x = tensor(photograph(64, 64)).double()
    y = (x + 0.05 * torch.randn(x.shape, generator=generator)).clamp(0.05, 0.95).requires_grad_()
    step = torch.randn(x.shape, generator=generator).double()
    (gradient,) = torch.autograd.grad(weighted_errors(x, y).sum(), y)
    with torch.no_grad():
        ahead, behind = (weighted_errors(x, y + h * step).sum() for h in (1e-6, -1e-6))
    assert float((gradient * step).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-3)


@pytest.mark.parametrize("side", [8, 16, 100])
def test_the_worst_and_the_best_have_gradients_without_infinities(side: int) -> None:
    black, noise = torch.zeros(2, 3, side, side), torch.rand(2, 3, side, side)
    for original, distorted in ((black, black.clone()), (noise, noise.clone()), (black, noise), (noise, black.clone())):
        distorted.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(weighted_errors(original, distorted)).sum(), distorted)
        assert torch.isfinite(gradient).all()


def test_the_loss_is_the_lost_points_where_people_look_and_straight_beyond() -> None:
    errors = torch.tensor([0.2, 2.0, 15.0])
    assert torch.allclose(loss(errors), lost_points(errors))
    bad = torch.tensor([30.0, 100.0, 170.0])
    first, second = loss(bad).diff()
    assert float(first) == pytest.approx(float(second), rel=1e-4)
    assert float(first) > 0
