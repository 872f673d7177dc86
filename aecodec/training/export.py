"""From a trained model to a weights file: float16 transforms, integer networks and tables of integer frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aecodec.entropy.exact import FRACTION_BITS, exact_type
from aecodec.entropy.latents import CONTEXT_LIMIT, HYPER_LIMIT
from aecodec.networks.config import context_names
from aecodec.networks.model import Model, entropy_parameters, to_network
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
    largest = _calibrate(model, calibration)
    arrays |= _exact(model.hyper_synthesis, largest, "hyper_synthesis", HYPER_LIMIT, 0)
    for name, context in zip(context_names(model.config), model.contexts, strict=True):
        arrays |= _exact(context, largest, name, CONTEXT_LIMIT, FRACTION_BITS)
    arrays |= ideal(model.hyper_prior)
    return arrays | fitted(model.config, arrays, model.hyper_prior, calibration.numpy())


def _calibrate(model: Model, pixels: Tensor) -> dict[nn.Module, float]:
    """Largest absolute outputs of the convolutions of hyper synthesis and contexts."""
    largest: dict[nn.Module, float] = {}

    def look(layer: nn.Module, _: object, output: Tensor) -> None:
        largest[layer] = max(largest.get(layer, 0.0), float(output.abs().max()))

    networks = (model.hyper_synthesis, *model.contexts)
    layers = [layer for network in networks for layer in network if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_hook(look) for layer in layers]
    for q in (0.0, 0.5, 1.0):
        for part in torch.split(pixels, 16):
            y = model.analysis(to_network(part)) * model.gains.forward_gain(torch.full((len(part),), q))
            first = model.hyper_synthesis(model.hyper_analysis(y).round())[:, :, : y.shape[2], : y.shape[3]]
            entropy_parameters(model, first, _rounded(y))
    for hook in hooks:
        hook.remove()
    return largest


def _rounded(y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """What the decoder gets to know of latents, for their means and scale parameters."""
    return lambda mean, _: (y - mean).round() + mean


def _exact(
    network: nn.Sequential, largest: Mapping[nn.Module, float], prefix: str, limit_in: int, bits_in: int
) -> Arrays:
    """Integer layers; inputs of the first have ``bits_in`` fractional bits, all others FRACTION_BITS."""
    arrays: Arrays = {}
    layers = list(network)
    for i, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        assert layer.bias is not None
        weight, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
        matrix = weight[:, :, 0, 0].T if layer.groups == 1 else weight[:, 0].reshape(len(weight), 9).T
        if i + 1 < len(layers) and isinstance(layers[i + 1], nn.PixelShuffle):
            order = np.arange(len(bias)).reshape(-1, 4).T.ravel()  # from (c, row, column) to (row, column, c)
            matrix, bias = matrix[:, order], bias[order]
        magnitude = max(0, math.ceil(math.log2(HEADROOM * largest[layer] + 1e-9)))
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
