"""Start from the data's own Karhunen-Loève transform: before the first step the model is a plain KLT coder.

The first 1x1 convolution takes the principal components of 8x8 blocks of the training pictures, the stride-2
convolution those of 2x2 groups of them, the synthesis their transposes; residual branches end in zeros.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecodec.networks.config import INDEX_UNIT, PATCH, SCALE_MIN, SCALE_STEP, ConvolutionalConfig, FullyConnectedConfig
from aecodec.networks.convolutional import Block
from aecodec.networks.fully_connected import Connected
from aecodec.networks.model import Model, to_network

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
def draw(network: nn.Module) -> None:
    """Random parameters: orthogonal matrices, depthwise kernels near the identity, residual branches that are zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            nn.init.orthogonal_(module.weight)
        elif isinstance(module, nn.Conv2d):
            module.weight.normal_(0, 0.1)
            module.weight[:, 0, 1, 1] = 1
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.zero_()
    for module in network.modules():
        if isinstance(module, Block):
            module.leave.weight.zero_()
            module.narrow.weight.zero_()


@torch.no_grad()
def initialize(model: Model, pixels: Tensor) -> None:
    """Set every parameter of ``model`` from sample crops (N, H, W, C) uint8, sides multiples of the stride."""
    draw(model)
    x = to_network(pixels)
    if isinstance(model.config, FullyConnectedConfig):
        deviation = _start_connected(model, x)
    else:
        deviation = _start_convolutional(model, x)
    _start_prior(model, x, deviation)


def _start_convolutional(model: Model, x: Tensor) -> Tensor:
    """The transform in two steps; standard deviations of the latents (M,)."""
    c = model.config
    assert isinstance(c, ConvolutionalConfig)
    patches = F.pixel_unshuffle(x, PATCH)
    mean, basis, _ = _principal(patches.permute(0, 2, 3, 1).flatten(0, 2))
    enter, down = _layers(model.analysis)
    basis = _resize_rows(basis, c.channels)
    _set(enter, basis, -basis @ mean)

    groups = F.pixel_unshuffle(enter(patches), 2)  # channel c at offset (i, j) becomes 4 c + 2 i + j
    _, components, deviation = _principal(groups.permute(0, 2, 3, 1).flatten(0, 2))
    components = _resize_rows(components, c.latent_channels)
    down.weight.copy_(components.reshape(c.latent_channels, c.channels, 2, 2))

    up, leave = _layers(model.synthesis)
    _set(up, components.T, None)
    _set(leave, basis.T, mean)
    return deviation


def _start_connected(model: Model, x: Tensor) -> Tensor:
    """The transform in the straight maps, which the layers do not touch yet."""
    c = model.config
    assert isinstance(c, FullyConnectedConfig)
    blocks = F.pixel_unshuffle(x, c.block).permute(0, 2, 3, 1).flatten(0, 2)
    mean, basis, deviation = _principal(blocks)
    basis = _resize_rows(basis, c.latent_channels)
    for end, weight, bias in ((model.analysis[1], basis, -basis @ mean), (model.synthesis[0], basis.T, mean)):
        assert isinstance(end, Connected)
        _set(end.straight, weight, bias)
        if end.layers is not None:
            _layers(end.layers)[-1].weight.zero_()
    return deviation


def _set(layer: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
    """Set a 1x1 convolution to a matrix (outputs, inputs) and a bias (outputs,)."""
    layer.weight.copy_(weight[:, :, None, None])
    if bias is not None:
        assert layer.bias is not None
        layer.bias.copy_(bias)


def _start_prior(model: Model, x: Tensor, deviation: Tensor) -> None:
    """Scales that fit the middle quality, and hyper latents whose rounding says something from the start."""
    m = model.config.latent_channels
    gain = model.gains.encode[1].exp()
    spread = F.pad(deviation[:m], (0, max(0, m - len(deviation)))) * gain
    parameter = _layers(model.hyper_synthesis)[-1]
    parameter.weight.mul_(0.1)
    assert parameter.bias is not None
    index = torch.log(spread.clamp(min=SCALE_MIN) / SCALE_MIN) / SCALE_STEP
    parameter.bias.copy_(torch.cat([torch.zeros_like(index), index / INDEX_UNIT]))
    for context in model.contexts:
        _layers(context)[-1].weight.zero_()
    scaled = model.analysis(x) * gain[:, None, None]
    last = _layers(model.hyper_analysis)[-1]
    hyper = model.hyper_analysis(scaled)
    size = hyper.std((0, 2, 3)).clamp(min=TINY)
    last.weight.mul_((2 / size)[:, None, None, None])
    hyper = model.hyper_analysis(scaled)
    assert last.bias is not None
    last.bias.sub_(hyper.mean((0, 2, 3)))
    model.hyper_prior.mean.mul_(2)
    model.hyper_prior.log_scale.fill_(math.log(1.0))
