"""What latents cost, in bits, and what their errors are weighed with: the differentiable side of the tables."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from aecodec.networks.config import INDEX_UNIT, SCALE_COUNT, SCALE_MIN, SCALE_STEP, SharedConfig
from aecodec.networks.dead_zone import DEAD_ZONE

GREY_LEVELS = 255 / 4  # in a unit of the networks


class _AtLeast(torch.autograd.Function):
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


def at_least(x: Tensor, bound: float) -> Tensor:
    """max(x, bound), with a gradient also where it would lift x."""
    result: Tensor = _AtLeast.apply(x, bound)  # type: ignore[no-untyped-call]
    return result


def scales(parameter: Tensor) -> Tensor:
    """Network output (scale index / 8) to standard deviations, kept within the tables' range."""
    top = (SCALE_COUNT - 1) / INDEX_UNIT
    index = at_least(parameter, 0.0).clamp(max=top) * INDEX_UNIT
    return SCALE_MIN * torch.exp(index * SCALE_STEP)


def is_coded(scale: Tensor) -> Tensor:
    """Where symbols may differ from zero: where the scale index is not rounded to 0."""
    return scale.detach() * INDEX_UNIT >= 0.5


def gaussian_bits(deviation: Tensor, parameter: Tensor) -> Tensor:
    """Bits of the unit interval around ``deviation`` under a zero-mean Gaussian of that scale parameter."""
    unit = 1 / (scales(parameter) * math.sqrt(2))
    distance = deviation.abs()
    probability = 0.5 * (torch.erfc((distance - 0.5) * unit) - torch.erfc((distance + 0.5) * unit))
    return -torch.log2(at_least(probability, 1e-9))


def lagrangian(c: SharedConfig, q: Tensor) -> Tensor:
    """Weight of the squared error (in grey levels) against bits per pixel for qualities ``q`` in 0..1."""
    return c.lambda_min * (c.lambda_max / c.lambda_min) ** q


def error_weight(c: SharedConfig, q: float) -> float:
    """Bits that one unit of squared error of the networks' pixels is worth at quality ``q`` in 0..1."""
    return float(lagrangian(c, torch.tensor(q))) / c.colours * GREY_LEVELS**2


@cache
def _dead_zone(device: torch.device) -> Tensor:
    return torch.from_numpy(DEAD_ZONE).to(device)


@torch.no_grad()
def symbols(deviation: Tensor, scale: Tensor) -> Tensor:
    """The symbols of deviations from the mean, for scale parameters (index / 8), in float: what the encoder writes."""
    index = (scale * INDEX_UNIT).round().clamp(0, SCALE_COUNT - 1).long()
    zero = _dead_zone(deviation.device)[index]
    return deviation.round() * (deviation.abs() >= zero) * is_coded(scale)
