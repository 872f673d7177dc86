"""The convolutional networks: what an image becomes, and what the decoder makes of it.

::

     x (3, H, W)                                                          x^ (3, H, W)
     |  PixelUnshuffle(8)                                                 ^  PixelShuffle(8)
     |  1x1 to C                            1/8                           |  1x1 to 192
     |  Block(C) x analysis_blocks          1/8        Block(C) x synthesis_blocks
     |  2x2, stride 2, to M                 1/16                          |  1x1 to 4 C, PixelShuffle(2)
     |  Block(M)                            1/16                          |  Block(M)
     v                                                                    |
     y (M, H/16, W/16) -> * gain(q) -> round(y - mean) -> + mean -> / gain'(q)
     |                                   ^ mean, index     | latents of earlier steps
     v                                   |                 v
     hyper analysis -> z (1/64) -> round -> hyper synthesis -> context -> latents of the next step

Everything runs at 1/8 and 1/16 of the resolution: speed follows the size of the activations rather than the number of
multiplications (DCVC-RT, Jia et al., CVPR 2025). Mean and scale from a hyperprior: Minnen, Ballé, Toderici, NeurIPS
2018. Coding in steps: :mod:`aecodec.networks.coding_order`. Channel gains for every rate in one model: Cui et al.,
CVPR 2021.

After training only the versions in fixed point are used, see :mod:`aecodec.networks.fixed_point`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from aecodec.networks.config import PATCH, ConvolutionalConfig
from aecodec.networks.layers import Pointwise

SLOPE = 0.1  # below zero, of the float networks


class Block(nn.Module):
    """Residual pair: depthwise-separable 3x3, then a 1x1 feed-forward. (N, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = Pointwise(channels, channels)
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.leave = Pointwise(channels, channels)
        self.widen = Pointwise(channels, 2 * channels)
        self.narrow = Pointwise(2 * channels, channels)

    def mixed(self, x: Tensor) -> Tensor:
        """After the first of the pair."""
        result: Tensor = x + self.leave(self.spatial(F.leaky_relu(self.enter(x), SLOPE)))
        return result

    def fed_forward(self, x: Tensor) -> Tensor:
        """What the second one adds to what the first one gives."""
        result: Tensor = self.narrow(F.leaky_relu(self.widen(x), SLOPE))
        return result

    def forward(self, x: Tensor) -> Tensor:
        x = self.mixed(x)
        return x + self.fed_forward(x)


def analysis(c: ConvolutionalConfig) -> nn.Sequential:
    """Pixels (N, colours, H, W) in -2..2, H and W multiples of 16, to latents (N, M, H/16, W/16)."""
    return nn.Sequential(
        nn.PixelUnshuffle(PATCH),
        Pointwise(c.colours * PATCH**2, c.channels),
        *(Block(c.channels) for _ in range(c.analysis_blocks)),
        nn.Conv2d(c.channels, c.latent_channels, 2, stride=2),
        Block(c.latent_channels),
    )


def synthesis(c: ConvolutionalConfig) -> nn.Sequential:
    """Latents (N, M, h, w) to pixels (N, colours, 16 h, 16 w) in about -2..2. The mirror image of :func:`analysis`."""
    return nn.Sequential(
        Block(c.latent_channels),
        Pointwise(c.latent_channels, 4 * c.channels),
        nn.PixelShuffle(2),
        *(Block(c.channels) for _ in range(c.synthesis_blocks)),
        Pointwise(c.channels, c.colours * PATCH**2),
        nn.PixelShuffle(PATCH),
    )


def hyper_analysis(c: ConvolutionalConfig) -> nn.Sequential:
    """Scaled latents (N, M, h, w) to hyper latents (N, Z, ceil(h/4), ceil(w/4))."""
    return nn.Sequential(
        nn.Conv2d(c.latent_channels, c.hyper_channels, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(c.hyper_channels, c.hyper_channels, 3, stride=2, padding=1),
    )


def hyper_synthesis(c: ConvolutionalConfig) -> nn.Sequential:
    """Rounded hyper latents (N, Z, h, w) to parameters (N, 2M, 4h, 4w): means, then scale indices / 8."""
    return nn.Sequential(
        Pointwise(c.hyper_channels, 4 * c.hyper_width),
        nn.PixelShuffle(2),
        nn.LeakyReLU(1 / 8),
        Pointwise(c.hyper_width, 4 * c.hyper_width),
        nn.PixelShuffle(2),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.hyper_width, c.hyper_width, 3, padding=1, groups=c.hyper_width),
        Pointwise(c.hyper_width, 2 * c.latent_channels),
    )


def context(c: ConvolutionalConfig) -> nn.Sequential:
    """Parameters and the latents of earlier steps (N, 3M, h, w) to the correction of the parameters (N, 2M, h, w)."""
    return nn.Sequential(
        Pointwise(3 * c.latent_channels, c.context_width),
        nn.LeakyReLU(1 / 8),
        nn.Conv2d(c.context_width, c.context_width, 3, padding=1, groups=c.context_width),
        Pointwise(c.context_width, c.context_width),
        nn.LeakyReLU(1 / 8),
        Pointwise(c.context_width, 2 * c.latent_channels),
    )
