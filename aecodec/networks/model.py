"""All trainable parts of a model together: the networks of its architecture, gains and the prior of the hyper latents.

Mean and scale from a hyperprior: Minnen, Ballé, Toderici, NeurIPS 2018. Channel gains for every rate in one model: Cui
et al., CVPR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor, nn

from aecodec.networks import convolutional, fully_connected
from aecodec.networks.coding_order import order_of
from aecodec.networks.config import (
    QUALITY_KNOTS,
    ConvolutionalConfig,
    FullyConnectedConfig,
    SharedConfig,
    context_names,
)

Part = TypeVar("Part", bound=nn.Module)


class Networks(nn.Module):
    """The networks of one architecture.

    ``analysis``: pixels (N, colours, H, W) in -2..2, H and W multiples of the stride, to latents (N, M, h, w).
    ``synthesis``: its mirror image. ``hyper_analysis``: scaled latents to hyper latents (N, Z, ...).
    ``hyper_synthesis``: rounded hyper latents to parameters (N, 2M, ...): means, then scale indices / 8.
    ``contexts``: for each step but the first, parameters and the latents of the steps before it (N, 3M, h, w) to the
    correction of the parameters (N, 2M, h, w).
    """

    def __init__(self, config: SharedConfig) -> None:
        super().__init__()
        self.config = config
        if isinstance(config, FullyConnectedConfig):
            self.analysis = fully_connected.analysis(config)
            self.synthesis = fully_connected.synthesis(config)
            self.hyper_analysis = fully_connected.hyper_analysis(config)
            self.hyper_synthesis = fully_connected.hyper_synthesis(config)
            contexts = [fully_connected.context(config) for _ in context_names(config)]
        else:
            assert isinstance(config, ConvolutionalConfig)
            self.analysis = convolutional.analysis(config)
            self.synthesis = convolutional.synthesis(config)
            self.hyper_analysis = convolutional.hyper_analysis(config)
            self.hyper_synthesis = convolutional.hyper_synthesis(config)
            contexts = [convolutional.context(config) for _ in context_names(config)]
        for name, context in zip(context_names(config), contexts, strict=True):
            self.add_module(name, context)

    @property
    def contexts(self) -> list[nn.Sequential]:
        """Those of all steps but the first."""
        modules = [self.get_submodule(name) for name in context_names(self.config)]
        return [module for module in modules if isinstance(module, nn.Sequential)]


def coding_steps(config: SharedConfig, height: int, width: int) -> Tensor:
    """The step (M, height, width) in which each latent of a tile is coded."""
    order = order_of(config.coding_steps)
    phase = 2 * (torch.arange(height)[:, None] % 2) + torch.arange(width) % 2
    return torch.tensor(order.steps_of)[:, phase].repeat_interleave(config.latent_channels // order.groups, 0)


@cache
def _coding_steps(config: SharedConfig, height: int, width: int, device: torch.device) -> Tensor:
    return coding_steps(config, height, width).to(device)


def entropy_parameters(
    networks: Networks, first: Tensor, restored: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Means and scale parameters, (N, M, h, w) each, those of every step corrected by the latents of the steps before.

    ``first`` (N, 2M, h, w) comes from the hyper synthesis. ``restored`` tells what the decoder gets to know of latents
    for given means and scale parameters; only what it says of earlier steps is looked at.
    """
    step_of = _coding_steps(networks.config, first.shape[2], first.shape[3], first.device)
    mean, scale = first.chunk(2, 1)
    for step, context in enumerate(networks.contexts, start=1):
        known = restored(mean, scale) * (step_of < step)
        corrected = first + context(torch.cat([first, known], 1))
        mean, scale = (
            torch.where(step_of < step, a, b) for a, b in zip((mean, scale), corrected.chunk(2, 1), strict=True)
        )
    return mean, scale


class Gains(nn.Module):
    """Per-channel factors on the latents, log-linear in the quality between three learned knots."""

    def __init__(self, c: SharedConfig) -> None:
        super().__init__()
        # The high-rate optimum of a uniform quantiser: step^2 = 6 / (ln 2 * rate slope), see docs/training.md.
        ends = [0.5 * math.log(677 * value / 4.33) for value in (c.lambda_min, c.lambda_max)]
        start = torch.linspace(ends[0], ends[1] - 0.1, QUALITY_KNOTS)[:, None].repeat(1, c.latent_channels)
        self.encode = nn.Parameter(start.clone())
        self.decode = nn.Parameter(-start)

    def forward_gain(self, q: Tensor) -> Tensor:
        """Factors before quantisation, (N, M, 1, 1), for qualities ``q`` (N,) in 0..1."""
        return interpolated(self.encode, q).exp()[:, :, None, None]

    def inverse_gain(self, q: Tensor) -> Tensor:
        """Factors after quantisation, (N, M, 1, 1)."""
        return interpolated(self.decode, q).exp()[:, :, None, None]


def interpolated(knots: Tensor, q: Tensor) -> Tensor:
    """Parameters (N, ...) at qualities ``q`` (N,) in 0..1, linear between ``knots`` (QUALITY_KNOTS, ...)."""
    position = q.clamp(0, 1) * (QUALITY_KNOTS - 1)
    below = position.floor().clamp(max=QUALITY_KNOTS - 2).long()
    fraction = (position - below).reshape(-1, *[1] * (knots.dim() - 1))
    return torch.lerp(knots[below], knots[below + 1], fraction)


class LogisticMixture(nn.Module):
    """A learned density per channel for the hyper latents: a mixture of logistic distributions.

    Its parameters depend on the quality as the gains do.
    """

    def __init__(self, channels: int, components: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(QUALITY_KNOTS, channels, components))
        self.mean = nn.Parameter(torch.linspace(-1, 1, components).repeat(QUALITY_KNOTS, channels, 1))
        self.log_scale = nn.Parameter(torch.zeros(QUALITY_KNOTS, channels, components))

    def probability(self, x: Tensor, q: Tensor) -> Tensor:
        """Probability of the unit interval around ``x`` (N, channels, ...) at qualities ``q`` (N,), same shape."""
        weight = interpolated(self.weight, q).softmax(2)
        mean, log_scale = interpolated(self.mean, q), interpolated(self.log_scale, q)
        shape = (*mean.shape[:2], *[1] * (x.dim() - 2))
        total = torch.zeros_like(x)
        for k in range(weight.shape[2]):
            slope = torch.exp(-log_scale[:, :, k]).reshape(shape)
            distance = (x - mean[:, :, k].reshape(shape)) * slope
            mass = torch.sigmoid(distance + slope / 2) - torch.sigmoid(distance - slope / 2)
            total = total + weight[:, :, k].reshape(shape) * mass
        return total


class Model(Networks):
    """All trainable parts together. Training runs them in float; a codec is exported from the result."""

    def __init__(self, config: SharedConfig) -> None:
        super().__init__(config)
        self.gains = Gains(config)
        self.hyper_prior = LogisticMixture(config.hyper_channels)


def channels_last(module: Part) -> Part:
    """The module with its convolution kernels in the memory order that is fastest here."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def to_network(pixels: Tensor) -> Tensor:
    """uint8 pixels (N, H, W, C) to network input (N, C, H, W), channels last in memory."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) * 4


def from_network(x: Tensor) -> Tensor:
    """Network output (N, C, H, W) to uint8 pixels (N, H, W, C)."""
    pixels = (x / 4 + 0.5).mul_(255).round_().clamp_(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1)
