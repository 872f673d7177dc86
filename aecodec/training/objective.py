"""The rate-distortion objective: the loss of a variational autoencoder whose posterior is a unit-wide uniform.

Rate is measured on latents with additive uniform noise, distortion on truly rounded latents with a straight-through
gradient (the mixed scheme of Minnen and Singh, ICIP 2020; Guo et al., ICML 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aecodec.config import INDEX_UNIT, SCALE_COUNT, SCALE_MIN, SCALE_STEP
from aecodec.networks import Model, checkerboard, to_network


class _Floor(torch.autograd.Function):
    """max(x, bound) whose gradient still passes where it would lift x."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound  # type: ignore[attr-defined]
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        return grad * ((x >= ctx.bound) | (grad < 0)), None  # type: ignore[attr-defined]


def _floor(x: Tensor, bound: float) -> Tensor:
    result: Tensor = _Floor.apply(x, bound)  # type: ignore[no-untyped-call]
    return result


def straight_through_round(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def scales(parameter: Tensor) -> Tensor:
    """Network output (scale index / 8) to standard deviations, kept within the tables' range."""
    top = (SCALE_COUNT - 1) / INDEX_UNIT
    index = _floor(parameter, 0.0).clamp(max=top) * INDEX_UNIT
    return SCALE_MIN * torch.exp(index * SCALE_STEP)


def gaussian_bits(deviation: Tensor, parameter: Tensor) -> Tensor:
    """Bits of the unit interval around ``deviation`` under a zero-mean Gaussian of that scale parameter."""
    unit = 1 / (scales(parameter) * math.sqrt(2))
    distance = deviation.abs()
    probability = 0.5 * (torch.erfc((distance - 0.5) * unit) - torch.erfc((distance + 0.5) * unit))
    return -torch.log2(_floor(probability, 1e-9))


@dataclass(frozen=True)
class Terms:
    """One value per sample: the loss, and what it is made of."""

    loss: Tensor
    bpp: Tensor
    mse: Tensor


def lagrangian(model: Model, q: Tensor) -> Tensor:
    """Weight of the squared error (in grey levels) for qualities ``q`` in 0..1."""
    c = model.config
    return c.lambda_min * (c.lambda_max / c.lambda_min) ** q


def rate_distortion(model: Model, pixels: Tensor, q: Tensor, generator: torch.Generator) -> Terms:
    """Loss terms of uint8 pixels (N, H, W, 3), H and W multiples of 64, at qualities ``q`` (N,) in 0..1."""

    def noise(x: Tensor) -> Tensor:
        return torch.rand(x.shape, generator=generator, device=x.device) - 0.5

    x = to_network(pixels)
    y = model.analysis(x) * model.gains.forward_gain(q)
    z = model.hyper_analysis(y)
    z_bits = -torch.log2(_floor(model.hyper_prior.probability(z + noise(z)), 1e-9))
    first = model.hyper_synthesis(straight_through_round(z))
    mask = checkerboard(*y.shape[1:]).to(y.device)
    mean, scale = first.chunk(2, 1)
    y_first = (straight_through_round(y - mean) + mean) * mask
    second = first + model.context(torch.cat([first, y_first], 1))
    mean_2, scale_2 = second.chunk(2, 1)
    mean, scale = torch.where(mask, mean, mean_2), torch.where(mask, scale, scale_2)
    y_bits = gaussian_bits(y + noise(y) - mean, scale)
    y_hat = straight_through_round(y - mean) + mean
    x_hat = model.synthesis(y_hat * model.gains.inverse_gain(q))
    mse = (x_hat - x).square().mean((1, 2, 3)) * (255 / 4) ** 2
    bpp = (y_bits.sum((1, 2, 3)) + z_bits.sum((1, 2, 3))) / (x.shape[2] * x.shape[3])
    weight = lagrangian(model, q)
    return Terms((bpp + weight * mse) / weight.sqrt(), bpp.detach(), mse.detach())
