"""The float networks: what an image becomes, and what the decoder makes of it.

::

     x (3, H, W)                                                          x^ (3, H, W)
     |  PixelUnshuffle(8)                                                 ^  PixelShuffle(8)
     |  1x1 to C                            1/8                           |  1x1 to 192
     |  Block(C) x analysis_blocks          1/8        Block(C) x synthesis_blocks
     |  2x2, stride 2, to M                 1/16                          |  1x1 to 4 C, PixelShuffle(2)
     |  Block(M)                            1/16                          |  Block(M)
     v                                                                    |
     y (M, H/16, W/16) -> * gain(q) -> round(y - mean) -> + mean -> / gain'(q)
     |                                   ^ mean, index     | first half of the checkerboard
     v                                   |                 v
     hyper analysis -> z (1/64) -> round -> hyper synthesis -> context -> second half

Everything runs at 1/8 and 1/16 of the resolution: speed follows the size of the activations rather than the number of
multiplications (DCVC-RT, Jia et al., CVPR 2025). Mean and scale from a hyperprior: Minnen, Ballé, Toderici, NeurIPS
2018. Checkerboard context: He et al., CVPR 2021. Channel gains for every rate in one model: Cui et al., CVPR 2021.

The two networks that decide probabilities, hyper synthesis and context, are built of the few layers that
:mod:`aecodec.exact` can evaluate on integers; after training only those integer versions are used.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecodec.config import GAIN_KNOTS, PATCH, ModelConfig

Part = TypeVar("Part", bound=nn.Module)


class Block(nn.Module):
    """Residual pair: depthwise-separable 3x3, then a 1x1 feed-forward. (N, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.leave = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.leave(self.spatial(F.leaky_relu(self.enter(x), 0.1)))
        result: Tensor = x + self.narrow(F.leaky_relu(self.widen(x), 0.1))
        return result


def analysis(c: ModelConfig) -> nn.Sequential:
    """Pixels (N, 3, H, W) in -2..2, H and W multiples of 16, to latents (N, M, H/16, W/16)."""
    return nn.Sequential(
        nn.PixelUnshuffle(PATCH),
        nn.Conv2d(3 * PATCH**2, c.channels, 1),
        *(Block(c.channels) for _ in range(c.analysis_blocks)),
        nn.Conv2d(c.channels, c.latent_channels, 2, stride=2),
        Block(c.latent_channels),
    )


def synthesis(c: ModelConfig) -> nn.Sequential:
    """Latents (N, M, h, w) to pixels (N, 3, 16 h, 16 w) in about -2..2. The mirror image of :func:`analysis`."""
    return nn.Sequential(
        Block(c.latent_channels),
        nn.Conv2d(c.latent_channels, 4 * c.channels, 1),
        nn.PixelShuffle(2),
        *(Block(c.channels) for _ in range(c.synthesis_blocks)),
        nn.Conv2d(c.channels, 3 * PATCH**2, 1),
        nn.PixelShuffle(PATCH),
    )


def hyper_analysis(c: ModelConfig) -> nn.Sequential:
    """Scaled latents (N, M, h, w) to hyper latents (N, Z, ceil(h/4), ceil(w/4))."""
    return nn.Sequential(
        nn.Conv2d(c.latent_channels, c.hyper_channels, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(c.hyper_channels, c.hyper_channels, 3, stride=2, padding=1),
    )


def hyper_synthesis(c: ModelConfig) -> nn.Sequential:
    """Rounded hyper latents (N, Z, h, w) to parameters (N, 2M, 4h, 4w): means, then scale indices / 8."""
    return nn.Sequential(
        nn.Conv2d(c.hyper_channels, 4 * c.hyper_width, 1),
        nn.PixelShuffle(2),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.hyper_width, 4 * c.hyper_width, 1),
        nn.PixelShuffle(2),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.hyper_width, c.hyper_width, 3, padding=1, groups=c.hyper_width),
        nn.Conv2d(c.hyper_width, 2 * c.latent_channels, 1),
    )


def context(c: ModelConfig) -> nn.Sequential:
    """Parameters and first-half latents (N, 3M, h, w) to the correction of the parameters (N, 2M, h, w)."""
    return nn.Sequential(
        nn.Conv2d(3 * c.latent_channels, c.context_width, 1),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.context_width, c.context_width, 3, padding=1, groups=c.context_width),
        nn.Conv2d(c.context_width, c.context_width, 1),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.context_width, 2 * c.latent_channels, 1),
    )


def checkerboard(channels: int, height: int, width: int) -> Tensor:
    """Mask (channels, height, width) of the half that is coded first; its phase differs between the channel halves."""
    rows = torch.arange(height)[:, None]
    columns = torch.arange(width)[None, :]
    phase = (torch.arange(channels) >= channels // 2).long()[:, None, None]
    return (rows + columns + phase) % 2 == 0


class Gains(nn.Module):
    """Per-channel factors on the latents, log-linear in the quality between three learned knots."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        # The high-rate optimum of a uniform quantiser: step^2 = 6 / (ln 2 * rate slope), see docs/training.md.
        ends = [0.5 * math.log(677 * value / 4.33) for value in (c.lambda_min, c.lambda_max)]
        start = torch.linspace(ends[0], ends[1] - 0.1, GAIN_KNOTS)[:, None].repeat(1, c.latent_channels)
        self.encode = nn.Parameter(start.clone())
        self.decode = nn.Parameter(-start)

    @staticmethod
    def _at(knots: Tensor, q: Tensor) -> Tensor:
        position = q.clamp(0, 1) * (GAIN_KNOTS - 1)
        below = position.floor().clamp(max=GAIN_KNOTS - 2).long()
        fraction = (position - below)[:, None]
        return torch.exp(torch.lerp(knots[below], knots[below + 1], fraction))[:, :, None, None]

    def forward_gain(self, q: Tensor) -> Tensor:
        """Factors before quantisation, (N, M, 1, 1), for qualities ``q`` (N,) in 0..1."""
        return self._at(self.encode, q)

    def inverse_gain(self, q: Tensor) -> Tensor:
        """Factors after quantisation, (N, M, 1, 1)."""
        return self._at(self.decode, q)


class LogisticMixture(nn.Module):
    """A learned density per channel for the hyper latents: a mixture of logistic distributions."""

    def __init__(self, channels: int, components: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, components))
        self.mean = nn.Parameter(torch.linspace(-1, 1, components).repeat(channels, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, components))

    def cdf(self, x: Tensor) -> Tensor:
        """Cumulative probability of ``x`` (N, channels, ...), same shape."""
        shape = (1, -1) + (1,) * (x.dim() - 2)
        weight = self.weight.softmax(1)
        total = torch.zeros_like(x)
        for k in range(weight.shape[1]):
            standard = (x - self.mean[:, k].reshape(shape)) * torch.exp(-self.log_scale[:, k]).reshape(shape)
            total = total + weight[:, k].reshape(shape) * torch.sigmoid(standard)
        return total

    def probability(self, x: Tensor) -> Tensor:
        """Probability of the unit interval around ``x``."""
        return self.cdf(x + 0.5) - self.cdf(x - 0.5)


class Model(nn.Module):
    """All trainable parts together. Training runs them in float; a codec is exported from the result."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = analysis(config)
        self.synthesis = synthesis(config)
        self.hyper_analysis = hyper_analysis(config)
        self.hyper_synthesis = hyper_synthesis(config)
        self.context = context(config)
        self.gains = Gains(config)
        self.hyper_prior = LogisticMixture(config.hyper_channels)


def channels_last(module: Part) -> Part:
    """The module with its convolution kernels in the memory order that is fastest here."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def to_network(pixels: Tensor) -> Tensor:
    """uint8 pixels (N, H, W, 3) to network input (N, 3, H, W), channels last in memory."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) * 4


def from_network(x: Tensor) -> Tensor:
    """Network output (N, 3, H, W) to uint8 pixels (N, H, W, 3)."""
    pixels = (x / 4 + 0.5).mul_(255).round_().clamp_(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1)
