"""Start from the data's own Karhunen-Loève transform: before the first step the model is a plain KLT coder.

The first 1x1 convolution takes the principal components of 8x8 blocks of the training pictures, the stride-2
convolution those of 2x2 groups of them, the synthesis their transposes; residual branches end in zeros.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecodec.config import INDEX_UNIT, PATCH, SCALE_MIN, SCALE_STEP
from aecodec.networks import Block, Model, to_network

TINY = 1e-3


def _principal(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), components (D, D) in rows by falling variance and standard deviations (D,) of vectors (N, D)."""
    x = x.double()
    mean = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    return mean.float(), vectors.flip(1).T.float(), values.flip(0).clamp(min=0).sqrt().float()


def _resize_rows(matrix: Tensor, rows: int) -> Tensor:
    """The first ``rows`` rows; tiny noise where there are fewer."""
    result = torch.randn(rows, matrix.shape[1]) * TINY
    result[: min(rows, len(matrix))] = matrix[:rows]
    return result


def _layers(sequence: nn.Sequential) -> list[nn.Conv2d]:
    return [layer for layer in sequence if isinstance(layer, nn.Conv2d)]


@torch.no_grad()
def initialize(model: Model, pixels: Tensor) -> None:
    """Set every parameter of ``model`` from sample crops (N, H, W, 3) uint8, sides multiples of 16."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            nn.init.orthogonal_(module.weight)
        elif isinstance(module, nn.Conv2d):
            module.weight.normal_(0, 0.1)
            module.weight[:, 0, 1, 1] = 1
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.zero_()
    for module in model.modules():
        if isinstance(module, Block):
            module.leave.weight.zero_()
            module.narrow.weight.zero_()

    c = model.config
    patches = F.pixel_unshuffle(to_network(pixels), PATCH)
    mean, basis, _ = _principal(patches.permute(0, 2, 3, 1).flatten(0, 2))
    enter, down = _layers(model.analysis)
    basis = _resize_rows(basis, c.channels)
    enter.weight.copy_(basis[:, :, None, None])
    assert enter.bias is not None
    enter.bias.copy_(-basis @ mean)

    groups = F.pixel_unshuffle(enter(patches), 2)  # channel c at offset (i, j) becomes 4 c + 2 i + j
    _, components, deviation = _principal(groups.permute(0, 2, 3, 1).flatten(0, 2))
    components = _resize_rows(components, c.latent_channels)
    down.weight.copy_(components.reshape(c.latent_channels, c.channels, 2, 2))

    up, leave = _layers(model.synthesis)
    up.weight.copy_(components.T[:, :, None, None])
    leave.weight.copy_(basis.T[:, :, None, None])
    assert leave.bias is not None
    leave.bias.copy_(mean)

    # Middle quality: the scale of each latent is its deviation times the middle gain.
    gain = model.gains.encode[1].exp()
    spread = F.pad(deviation[: c.latent_channels], (0, max(0, c.latent_channels - len(deviation)))) * gain
    parameter = _layers(model.hyper_synthesis)[-1]
    parameter.weight.mul_(0.1)
    assert parameter.bias is not None
    index = torch.log(spread.clamp(min=SCALE_MIN) / SCALE_MIN) / SCALE_STEP
    parameter.bias.copy_(torch.cat([torch.zeros_like(index), index / INDEX_UNIT]))
    _layers(model.context)[-1].weight.zero_()
    # Hyper latents of unit size, so that their rounding says something from the start.
    scaled = down(enter(patches)) * gain[:, None, None]
    last = _layers(model.hyper_analysis)[-1]
    hyper = model.hyper_analysis(scaled)
    size = hyper.std((0, 2, 3)).clamp(min=1e-6)
    last.weight.mul_((2 / size)[:, None, None, None])
    hyper = model.hyper_analysis(scaled)
    assert last.bias is not None
    last.bias.sub_(hyper.mean((0, 2, 3)))
    model.hyper_prior.mean.mul_(2)
    model.hyper_prior.log_scale.fill_(math.log(1.0))
