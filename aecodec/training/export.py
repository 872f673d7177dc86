"""From a trained model to a weights file: float16 transforms, integer networks and tables of integer frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aecodec.config import context_names
from aecodec.exact import FRACTION_BITS, exact_type
from aecodec.latents import CONTEXT_LIMIT, HYPER_LIMIT
from aecodec.networks import Model, coding_steps, entropy_parameters, to_network
from aecodec.training.tables import fitted, ideal
from aecodec.weights import Arrays

WEIGHT_BITS = range(12, 7, -1)  # fractional bits of the weights, best first; fewer where that allows float32
HEADROOM = 4  # activations may grow this much beyond those seen in calibration before they are clamped

Integers = npt.NDArray[np.int64]


@torch.no_grad()
def export(model: Model, calibration: Tensor) -> Arrays:
    """Arrays of a weights file.

    ``calibration`` are crops (N, H, W, 3) uint8 that show how large activations get and how often symbols occur.
    """
    arrays: Arrays = {}
    for part in ("analysis", "synthesis", "hyper_analysis"):
        for name, parameter in getattr(model, part).named_parameters():
            arrays[f"{part}.{name}"] = parameter.numpy().astype(np.float16)
    for name, parameter in model.gains.named_parameters():
        arrays[f"gains.{name}"] = parameter.numpy().astype(np.float32)
    seen = _calibrate(model, calibration)
    arrays |= _exact(model.hyper_synthesis, seen.hyper_synthesis, "hyper_synthesis", HYPER_LIMIT, 0)
    for name, context, largest in zip(context_names(model.config), model.contexts, seen.contexts, strict=True):
        arrays |= _exact(context, largest, name, CONTEXT_LIMIT, FRACTION_BITS)
    arrays |= ideal(model.hyper_prior)
    return arrays | fitted(model.config, arrays, model.hyper_prior, calibration.numpy())


@dataclass(frozen=True)
class _Seen:
    """Largest absolute outputs of the convolutions of both networks."""

    hyper_synthesis: list[float]
    contexts: list[list[float]]


def _calibrate(model: Model, pixels: Tensor) -> _Seen:
    def run(network: nn.Sequential, x: Tensor, largest: list[float]) -> Tensor:
        i = 0
        for layer in network:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                largest[i] = max(largest[i], float(x.abs().max()))
                i += 1
        return x

    seen = _Seen(
        [0.0] * _convolutions(model.hyper_synthesis),
        [[0.0] * _convolutions(context) for context in model.contexts],
    )
    for q in (0.0, 0.5, 1.0):
        for part in torch.split(pixels, 16):
            at = torch.full((len(part),), q)
            y = model.analysis(to_network(part)) * model.gains.forward_gain(at)
            first = run(model.hyper_synthesis, model.hyper_analysis(y).round(), seen.hyper_synthesis)
            first = first[:, :, : y.shape[2], : y.shape[3]]

            def restored(mean: Tensor, _: Tensor, y: Tensor = y) -> Tensor:
                return (y - mean).round() + mean

            known = restored(*entropy_parameters(model, first, restored))
            step_of = coding_steps(model.config, *y.shape[2:])
            for step, (context, largest) in enumerate(zip(model.contexts, seen.contexts, strict=True), start=1):
                run(context, torch.cat([first, known * (step_of < step)], 1), largest)
    return seen


def _convolutions(network: nn.Sequential) -> int:
    return sum(isinstance(layer, nn.Conv2d) for layer in network)


def _exact(network: nn.Sequential, seen: Sequence[float], prefix: str, limit_in: int, bits_in: int) -> Arrays:
    """Integer layers; inputs of the first have ``bits_in`` fractional bits, all others FRACTION_BITS."""
    arrays: Arrays = {}
    layers = list(network)
    largest = iter(seen)
    for i, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        assert layer.bias is not None
        weight, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
        matrix = weight[:, :, 0, 0].T if layer.groups == 1 else weight[:, 0].reshape(len(weight), 9).T
        if i + 1 < len(layers) and isinstance(layers[i + 1], nn.PixelShuffle):
            order = np.arange(len(bias)).reshape(-1, 4).T.ravel()  # from (c, row, column) to (row, column, c)
            matrix, bias = matrix[:, order], bias[order]
        magnitude = max(0, math.ceil(math.log2(HEADROOM * next(largest) + 1e-9)))
        limit = min(2 ** (FRACTION_BITS + magnitude), CONTEXT_LIMIT)
        shift, integers, offsets = _quantize(matrix, bias, limit_in, bits_in)
        arrays[f"{prefix}.{i}.weight"] = _narrow(integers)
        arrays[f"{prefix}.{i}.bias"] = offsets
        arrays[f"{prefix}.{i}.scale"] = np.array([shift, limit], np.int32)
        limit_in, bits_in = limit, FRACTION_BITS
    return arrays


def _quantize(
    matrix: npt.NDArray[np.float64], bias: npt.NDArray[np.float64], limit_in: int, bits_in: int
) -> tuple[int, Integers, Integers]:
    """Shift, weights and biases with the most fractional bits that float32 computes exactly, or else with 12."""

    def at(bits: int) -> tuple[int, Integers, Integers]:
        shift = bits + bits_in - FRACTION_BITS
        half = 2 ** (shift - 1)
        return (
            shift,
            np.rint(matrix * 2.0**bits).astype(np.int64),
            np.rint(bias * 2.0 ** (bits + bits_in)).astype(np.int64) + half,
        )

    for bits in WEIGHT_BITS:
        candidate = at(bits)
        if exact_type(candidate[1], candidate[2], limit_in) is np.float32:
            return candidate
    return at(WEIGHT_BITS[0])


def _narrow(integers: Integers) -> npt.NDArray[np.generic]:
    return integers.astype(np.int16) if np.abs(integers).max() < 2**15 else integers.astype(np.int32)
