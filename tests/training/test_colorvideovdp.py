"""The differentiable ColorVideoVDP is the published one, and has gradients that lead to less visible differences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch

from aecodec.training.colorvideovdp import lost_quality
from aecodec.training.ssimulacra2 import linear_light

Pixels = npt.NDArray[np.uint8]


def photograph(height: int, width: int) -> Pixels:
    return np.ascontiguousarray(skimage.data.astronaut()[:height, :width])


def tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).float() / 255


def noisy(pixels: Pixels, deviation: float) -> Pixels:
    noise = np.random.default_rng(0).normal(size=pixels.shape)
    return np.clip(np.rint(pixels + deviation * noise), 0, 255).astype(np.uint8)


def blocky(pixels: Pixels, side: int) -> Pixels:
    enlarged: Pixels = np.repeat(np.repeat(pixels[::side, ::side], side, 0), side, 1)
    part: Pixels = enlarged[: len(pixels), : pixels.shape[1]]
    return part


def greener(pixels: Pixels, levels: int) -> Pixels:
    result: Pixels = np.clip(pixels + np.array([0, levels, 0]), 0, 255).astype(np.uint8)
    return result


def lost(original: Pixels, distorted: Pixels) -> float:
    with torch.no_grad():
        return float(lost_quality(linear_light(tensor(original)), linear_light(tensor(distorted)))[0])


# Of package cvvdp 0.5.7, display standard_4k: 10 - predict(distorted, original, dim_order="HWC").
REFERENCE = {
    ((256, 256), "same"): 0.0000,
    ((256, 256), "noise 3"): 0.0372,
    ((256, 256), "noise 20"): 1.1605,
    ((256, 256), "blocks 2"): 0.8947,
    ((256, 256), "blocks 8"): 4.0731,
    ((256, 256), "green 4"): 0.0923,
    ((300, 270), "same"): 0.0000,
    ((300, 270), "noise 3"): 0.0347,
    ((300, 270), "noise 20"): 1.0988,
    ((300, 270), "blocks 2"): 0.9116,
    ((300, 270), "blocks 8"): 4.0709,
    ((300, 270), "green 4"): 0.0841,
}


@pytest.mark.parametrize(("size", "kind", "expected"), [(*key, value) for key, value in REFERENCE.items()])
def test_qualities_are_those_of_the_reference(size: tuple[int, int], kind: str, expected: float) -> None:
    original = photograph(*size)
    distorted = {
        "same": original,
        "noise 3": noisy(original, 3),
        "noise 20": noisy(original, 20),
        "blocks 2": blocky(original, 2),
        "blocks 8": blocky(original, 8),
        "green 4": greener(original, 4),
    }[kind]
    assert lost(original, distorted) == pytest.approx(expected, abs=0.005, rel=0.01)


def test_steps_down_the_gradient_hide_the_difference() -> None:
    x, y = tensor(photograph(128, 128)), tensor(noisy(photograph(128, 128), 10))
    before = lost(photograph(128, 128), noisy(photograph(128, 128), 10))
    for _ in range(20):
        y.requires_grad_()
        (gradient,) = torch.autograd.grad(lost_quality(linear_light(x), linear_light(y)).sum(), y)
        y = (y.detach() - 0.3 * gradient / gradient.norm()).clamp(0, 1)
    with torch.no_grad():
        assert float(lost_quality(linear_light(x), linear_light(y))) < 0.9 * before


def test_gradients_are_those_of_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    x = tensor(photograph(64, 64)).double()
    y = (x + 0.05 * torch.randn(x.shape, generator=generator)).clamp(0.05, 0.95).requires_grad_()
    step = torch.randn(x.shape, generator=generator).double()
    (gradient,) = torch.autograd.grad(lost_quality(x, y).sum(), y)
    with torch.no_grad():
        ahead, behind = (lost_quality(x, y + h * step).sum() for h in (1e-6, -1e-6))
    assert float((gradient * step).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-2)


@pytest.mark.parametrize("side", [32, 64, 100])
def test_the_worst_and_the_best_have_gradients_without_infinities(side: int) -> None:
    black, noise = torch.zeros(2, 3, side, side), torch.rand(2, 3, side, side)
    for original, distorted in ((black, black.clone()), (noise, noise.clone()), (black, noise), (noise, black.clone())):
        distorted.requires_grad_()
        (gradient,) = torch.autograd.grad(lost_quality(original, distorted).sum(), distorted)
        assert torch.isfinite(gradient).all()
