r"""The fully connected networks: every block of pixels, or every whole small picture, by itself.

::

     block of B x B pixels                                                block of B x B pixels
     |   \                                                              ^   ^
     |    nodes, LeakyReLU   x layers              x layers  LeakyReLU, nodes  |
     |   /                                                                  \ |
     v  v                                                                    \|
     y (M) -> * gain(q) -> round(y - mean) -> + mean -> / gain'(q) -> y^ (M) --+

Beside the layers a linear map goes straight from end to end. It starts as the Karhunen-Loève transform of the data, and
the layers learn what a linear map cannot do; without layers the model is the linear autoencoder, which learns the
principal components (Baldi and Hornik, 1989). More than one layer: the deep autoencoder (Hinton and Salakhutdinov,
Science 2006).

In code the blocks are the positions of a grid, and a fully connected layer is a 1x1 convolution on it. There are no
other convolutions, so that no block knows of another one.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from aecodec.networks.config import FullyConnectedConfig
from aecodec.networks.layers import Pointwise


class Connected(nn.Module):
    """Layers with a linear map beside them. (N, inputs, h, w) to (N, outputs, h, w)."""

    def __init__(self, inputs: int, nodes: int, layers: int, outputs: int) -> None:
        super().__init__()
        self.straight = Pointwise(inputs, outputs)
        sizes = [inputs] + [nodes] * layers
        hidden = [layer for a, b in pairwise(sizes) for layer in (Pointwise(a, b), nn.LeakyReLU(0.1))]
        self.layers = nn.Sequential(*hidden, Pointwise(nodes, outputs, bias=False)) if layers else None

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.straight(x)
        return result if self.layers is None else result + self.layers(x)


def analysis(c: FullyConnectedConfig) -> nn.Sequential:
    """Pixels (N, colours, H, W) in -2..2, H and W multiples of the block, to latents (N, M, H/B, W/B)."""
    return nn.Sequential(
        nn.PixelUnshuffle(c.block),
        Connected(c.colours * c.block**2, c.nodes, c.layers, c.latent_channels),
    )


def synthesis(c: FullyConnectedConfig) -> nn.Sequential:
    """Latents (N, M, h, w) to pixels (N, colours, B h, B w). The mirror image of :func:`analysis`."""
    return nn.Sequential(
        Connected(c.latent_channels, c.nodes, c.layers, c.colours * c.block**2),
        nn.PixelShuffle(c.block),
    )


def hyper_analysis(c: FullyConnectedConfig) -> nn.Sequential:
    """Scaled latents (N, M, h, w) to hyper latents (N, Z, h, w)."""
    return nn.Sequential(
        Pointwise(c.latent_channels, c.hyper_width),
        nn.LeakyReLU(0.1),
        Pointwise(c.hyper_width, c.hyper_channels),
    )


def hyper_synthesis(c: FullyConnectedConfig) -> nn.Sequential:
    """Rounded hyper latents (N, Z, h, w) to parameters (N, 2M, h, w): means, then scale indices / 8."""
    return nn.Sequential(
        Pointwise(c.hyper_channels, c.hyper_width),
        nn.LeakyReLU(1 / 8),
        Pointwise(c.hyper_width, 2 * c.latent_channels),
    )


def context(c: FullyConnectedConfig) -> nn.Sequential:
    """Parameters and the latents of earlier steps (N, 3M, h, w) to the correction of the parameters (N, 2M, h, w)."""
    return nn.Sequential(
        Pointwise(3 * c.latent_channels, c.context_width),
        nn.LeakyReLU(1 / 8),
        Pointwise(c.context_width, c.context_width),
        nn.LeakyReLU(1 / 8),
        Pointwise(c.context_width, 2 * c.latent_channels),
    )
