"""From a trained model to a weights file: networks and gains in fixed point, and tables of integer frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from aecodec.networks.fixed_point import FRACTIONAL, FRACTIONS, describe
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
    bits = {name: _fraction(largest) for name, largest in _largest(model, calibration).items()}
    arrays |= {f"{name}.fraction": np.array([count], np.uint8) for name, count in bits.items()}
    describe(config, bits, quantized(model, arrays))
    for side, knots in (("encode", model.gains.encode), ("decode", model.gains.decode)):
        arrays[f"gains.{side}"] = logarithms(knots.double().numpy())
    arrays["gains.positions"] = quality_map(qualities)
    return arrays


def _fraction(largest: float) -> int:
    """Fractional bits that leave room for an activation of this size."""
    return min(max(14 - math.floor(math.log2(HEADROOM * largest + 1e-9)), FRACTIONS[0]), FRACTIONS[-1])


def _largest(model: Model, pixels: Tensor) -> dict[str, float]:
    """Largest absolute activations of analysis, synthesis (but for the pixels) and hyper analysis."""
    largest = dict.fromkeys(FRACTIONAL, 0.0)

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def look(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            seen = (*inputs, output) if layer is not last else inputs
            largest[name] = max(largest[name], *(float(x.abs().max()) for x in seen))

        return look

    last = [layer for layer in model.synthesis.modules() if isinstance(layer, nn.Conv2d)][-1]
    hooks = [
        layer.register_forward_hook(watch(name))
        for name in largest
        for layer in model.get_submodule(name).modules()
        if not isinstance(layer, nn.Sequential | nn.PixelShuffle | nn.PixelUnshuffle)
    ]
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


def _rounded(y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """What the decoder gets to know of latents, for their means and scale parameters."""
    return lambda mean, _: (y - mean).round() + mean
