"""Feed-forwards that have died are given another life.

Where the hidden units of a block hardly ever change their sides of zero, it computes a straight map, and gradients no
longer bring it away from there: both of its matrices shrink to what the noise of the steps leaves of them. Inputs of
very different size are what makes it die: random directions see the largest of them and nothing else. So a dead
feed-forward keeps its straight map in a few pairs of units, and the others are drawn for inputs of equal size, without
any effect yet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aecodec.networks.convolutional import SLOPE, Block
from aecodec.networks.model import Model, to_network

LIVELY = 0.01  # share of the positions at which units of a living block are on the rarer side of zero, on average
RANK = 16  # of the straight map that is kept


@torch.no_grad()
def revive(model: Model, pixels: Tensor) -> int:
    """Draw the dead feed-forwards of the transforms anew; how many there were.

    ``pixels`` (N, H, W, colours) uint8 are crops of what the model will be trained on.
    """
    latents, of_analysis = _revive(model.analysis, to_network(pixels))
    _, of_synthesis = _revive(model.synthesis, latents)
    return of_analysis + of_synthesis


def _revive(network: nn.Sequential, x: Tensor) -> tuple[Tensor, int]:
    """What the network, now alive, makes of ``x``, and how many feed-forwards were dead."""
    count = 0
    for layer in network:
        if isinstance(layer, Block):
            seen = layer.mixed(x)
            if _liveliness(layer, seen) < LIVELY:
                _redraw(layer, seen)
                count += 1
        x = layer(x)
    return x, count


def _liveliness(block: Block, x: Tensor) -> float:
    """How often hidden units are on the rarer side of zero: 0.5 at most, 0 for a straight map."""
    positive = (block.widen(x) > 0).float().mean((0, 2, 3))
    return float(torch.minimum(positive, 1 - positive).mean())


def _redraw(block: Block, x: Tensor) -> None:
    hidden = block.widen(x)
    slope = torch.where((hidden > 0).float().mean((0, 2, 3)) > 0.5, 1.0, SLOPE)
    mean, deviation = x.mean((0, 2, 3)), x.std((0, 2, 3))
    output = block.fed_forward(x).mean((0, 2, 3))
    widen, narrow = block.widen.weight[:, :, 0, 0], block.narrow.weight[:, :, 0, 0]
    rank = min(RANK, widen.shape[0] // 4, widen.shape[1])
    left, size, right = torch.linalg.svd(narrow @ (slope[:, None] * widen), full_matrices=False)
    root = size[:rank].sqrt()
    into, out = root[:, None] * right[:rank], left[:, :rank] * root / (1 + SLOPE)  # u -> leaky(u) - leaky(-u)
    fresh = torch.empty(len(widen) - 2 * rank, widen.shape[1])
    nn.init.orthogonal_(fresh)
    rows = torch.cat([into, -into, fresh / deviation])
    columns = torch.cat([out, -out, torch.zeros(len(narrow), len(fresh))], 1)
    for layer, matrix, bias in ((block.widen, rows, -rows @ mean), (block.narrow, columns, output)):
        assert layer.bias is not None
        layer.weight.copy_(matrix[:, :, None, None])
        layer.bias.copy_(bias)
