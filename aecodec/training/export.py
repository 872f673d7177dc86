"""From a trained model to a weights file: networks and gains in fixed point, and tables of integer frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from aecodec.networks.convolutional import Block
from aecodec.networks.fixed_point import FRACTIONAL, FRACTIONS, convolutions, describe, fractional, fractions
from aecodec.networks.fully_connected import Connected
from aecodec.networks.gains import logarithms, quality_map
from aecodec.networks.model import Model, entropy_parameters, to_network
from aecodec.networks.quantization import quantized
from aecodec.training.tables import fitted, ideal
from aecodec.weights import Arrays

HEADROOM = 1.2  # activations may grow this much beyond those seen in calibration before they are clamped
QUALITIES = (0.0, 0.5, 1.0)  # in 0..1; of calibration


def export(model: Model, calibration: Tensor, qualities: Sequence[tuple[float, float]] = ((1, 0), (100, 1))) -> Arrays:
    """Arrays of a weights file.

    ``calibration`` are crops (N, H, W, C) uint8 that show how large activations get and how often symbols occur.
    ``qualities`` maps those of users, 1..100, to the 0..1 of training: pairs, between which it is linear.
    """
    arrays = in_fixed_point(model, calibration, qualities) | ideal(model.hyper_prior)
    return arrays | fitted(model.config, arrays, model.hyper_prior, calibration.numpy())


@torch.no_grad()
def in_fixed_point(model: Model, calibration: Tensor, qualities: Sequence[tuple[float, float]]) -> Arrays:
    """All arrays of a weights file but the tables."""
    arrays: Arrays = {}
    config = model.config
    for name, largest in _largest(model, calibration).items():
        arrays[f"{name}.fraction"] = np.array([_fraction(largest)], np.uint8)
    describe(config, fractions(arrays), quantized(model, arrays))
    for side, knots in (("encode", model.gains.encode), ("decode", model.gains.decode)):
        arrays[f"gains.{side}"] = logarithms(knots.double().numpy())
    arrays["gains.positions"] = quality_map(qualities)
    return arrays


def _fraction(largest: float) -> int:
    """Fractional bits that leave room for an activation of this size."""
    return min(max(14 - math.floor(math.log2(HEADROOM * largest + 1e-9)), FRACTIONS[0]), FRACTIONS[-1])


def _largest(model: Model, pixels: Tensor) -> dict[str, float]:
    """Largest absolute activations of each of FRACTIONAL that the model has; pixels are none."""
    parts = _parts(model)
    largest = {part: 0.0 for part in FRACTIONAL if part in {part for both in parts.values() for part in both}}

    def look(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        for part, tensors in zip(parts[layer], (inputs, (output,)), strict=True):
            if part in largest:
                largest[part] = max(largest[part], *(float(x.abs().max()) for x in tensors))

    hooks = [layer.register_forward_hook(look) for layer in parts]
    for quality in QUALITIES:
        for part in torch.split(pixels, 16):
            q = torch.full((len(part),), quality)
            y = model.analysis(to_network(part)) * model.gains.forward_gain(q)
            first = model.hyper_synthesis(model.hyper_analysis(y).round())[:, :, : y.shape[2], : y.shape[3]]
            mean, _ = entropy_parameters(model, first, _rounded(y))
            model.synthesis(_rounded(y)(mean, mean) * model.gains.inverse_gain(q))
    for hook in hooks:
        hook.remove()
    return largest


def _parts(model: Model) -> dict[nn.Module, tuple[str, str]]:
    """Of each convolution, and each sum, which of FRACTIONAL its inputs and its outputs are; "" for anything else."""
    marks = {part: 100 + i for i, part in enumerate(FRACTIONAL)}
    part_of = {fractional(mark): part for part, mark in marks.items()}
    parts: dict[nn.Module, tuple[str, str]] = {}
    for each in convolutions(model.config, marks):
        parts[model.get_submodule(each.name)] = part_of.get(each.takes, ""), part_of.get(each.gives, "")
    for module in list(model.modules()):
        if isinstance(module, Block):
            parts[module] = parts[module.enter]
        elif isinstance(module, Connected):
            parts[module] = parts[module.straight]
    return parts


def _rounded(y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """What the decoder gets to know of latents, for their means and scale parameters."""
    return lambda mean, _: (y - mean).round() + mean
