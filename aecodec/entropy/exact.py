"""Layers that compute on exact integers, for the two networks that decide probabilities.

A float network gives slightly different results on another processor, with another thread count or another library
version; a probability that differs in its last bit makes the entropy decoder lose its place and the file unreadable.
Here weights and activations are integers held in floating point. Every layer carries the proof that no partial sum can
exceed what the type represents exactly: the largest row of ``sum |weight| * limit + |bias|`` stays below 2^24 in
float32, or below 2^53 in float64. Sums of such numbers do not depend on their order, so any matrix product will do.
(Integer networks for this purpose: Ballé, Johnston, Minnen, ICLR 2019.)

Activations are float32 with ``FRACTION_BITS`` fractional bits. A layer computes::

    floor((x @ weight + bias) / 2^shift), then clamps to -limit..limit

with the rounding half already in the bias. Matrix products are PyTorch's in float64, for which it has none of the less
exact modes that settings choose for float32 (TF32, bfloat16 products, Winograd convolutions); NumPy does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from aecodec.errors import ModelError
from aecodec.threads import spans, spread

Array = npt.NDArray[np.floating]
Indexes = npt.NDArray[np.intp]

FRACTION_BITS = 6  # more change the rate by less than 0.03 %, and force more layers into float64
LEAK_BITS = 3  # the slope of the leaky layers is 2^-3

ALL = slice(None)


def exact_type(weight: npt.NDArray[np.int64], bias: npt.NDArray[np.int64], limit_in: int) -> type[np.floating]:
    """The smallest float type in which ``x @ weight + bias`` is exact for all integer |x| <= ``limit_in``.

    ``weight`` is (inputs, outputs). Raises ModelError where not even float64 is enough.
    """
    bound = int(np.max(np.sum(np.abs(weight).astype(object), axis=0) * limit_in + np.abs(bias).astype(object)))
    if bound < 2**24:
        return np.float32
    if bound < 2**53:
        return np.float64
    raise ModelError(f"integer layer could reach {bound}, beyond exact arithmetic")


@dataclass(frozen=True)
class Dense:
    """1x1 convolution: (..., h, w, inputs) to (..., h, w, outputs)."""

    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    shift: int
    limit: int

    def __call__(self, x: Array) -> Array:
        weight, bias = torch.from_numpy(self.weight), torch.from_numpy(self.bias)
        total = torch.addmm(bias, torch.from_numpy(x.reshape(-1, x.shape[-1])).double(), weight)
        total.mul_(2.0**-self.shift).floor_().clamp_(-self.limit, self.limit)
        return total.float().numpy().reshape(*x.shape[:-1], total.shape[1])

    def part(self, inputs: slice | Indexes = ALL, outputs: slice | Indexes = ALL) -> Dense:
        """The layer with some of its inputs, the others being zero, and some of its outputs."""
        return Dense(np.ascontiguousarray(self.weight[inputs][:, outputs]), self.bias[outputs], self.shift, self.limit)


@dataclass(frozen=True)
class Depthwise:
    """3x3 convolution of each channel by itself, zeros around: (..., h, w, channels) to the same shape."""

    weight: Array  # (9, channels)
    bias: Array
    shift: int
    limit: int

    def __call__(self, x: Array) -> Array:
        *batch, height, width, channels = x.shape
        padded = np.zeros((*batch, height + 2, width + 2, channels), self.weight.dtype)
        padded[..., 1:-1, 1:-1, :] = x
        total = np.empty(x.shape, self.weight.dtype)
        total[:] = self.bias
        product = np.empty_like(total)
        for tap, weight in enumerate(self.weight):
            row, column = divmod(tap, 3)
            np.multiply(padded[..., row : row + height, column : column + width, :], weight, out=product)
            total += product
        return _rescale(total, self.shift, self.limit).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Leaky:
    """x where x >= 0, floor(x / 8) elsewhere."""

    def __call__(self, x: Array) -> Array:
        small = x * x.dtype.type(2.0**-LEAK_BITS)
        np.floor(small, out=small)
        return np.maximum(x, small, out=small)


@dataclass(frozen=True)
class Shuffle:
    """Depth to space by 2: (..., h, w, 4 c) to (..., 2 h, 2 w, c); input channels ordered (row, column, c)."""

    def __call__(self, x: Array) -> Array:
        *batch, height, width, channels = x.shape
        cells = x.reshape(*batch, height, width, 2, 2, channels // 4).swapaxes(-4, -3)
        return cells.reshape(*batch, 2 * height, 2 * width, channels // 4)


Layer = Dense | Depthwise | Leaky | Shuffle


def _rescale(total: Array, shift: int, limit: int) -> Array:
    total *= total.dtype.type(2.0**-shift)
    np.floor(total, out=total)
    return np.clip(total, -limit, limit, out=total)


def run(layers: Sequence[Layer], x: Array) -> Array:
    """Apply ``layers`` one after another to (n, h, w, channels), in strips of rows that see a little more each."""
    halo = sum(isinstance(layer, Depthwise) for layer in layers)
    scale = 2 ** sum(isinstance(layer, Shuffle) for layer in layers)

    def strip(rows: slice) -> Array:
        top = max(0, rows.start - halo)
        result = x[:, top : rows.stop + halo]
        for layer in layers:
            result = layer(result)
        return result[:, scale * (rows.start - top) : scale * (rows.stop - top)]

    height = x.shape[1]
    return np.concatenate(spread(strip, spans(height, height, least=4)), axis=1)


def build(
    kinds: Sequence[str], tensors: Mapping[str, npt.NDArray[np.generic]], prefix: str, limit_in: int
) -> tuple[Layer, ...]:
    """Layers from stored integers.

    ``tensors`` holds for layer ``i`` of kind dense or depthwise ``{prefix}.{i}.weight`` (inputs or 9, outputs),
    ``.bias`` (outputs,) and ``.scale`` = (shift, limit). Inputs of the first layer are integers of at most
    ``limit_in``. Raises ModelError where a layer cannot be exact.
    """
    layers: list[Layer] = []
    for i, kind in enumerate(kinds):
        if kind == "leaky":
            layers.append(Leaky())
        elif kind == "shuffle":
            layers.append(Shuffle())
        else:
            weight, bias = (tensors[f"{prefix}.{i}.{part}"].astype(np.int64) for part in ("weight", "bias"))
            shift, limit = (int(value) for value in tensors[f"{prefix}.{i}.scale"])
            if not (0 <= shift < 40 and 0 < limit < 2**24):
                raise ModelError(f"layer {prefix}.{i}: shift {shift} or limit {limit} out of range")
            dtype = exact_type(weight, bias, limit_in)
            if kind == "dense":
                layers.append(Dense(weight.astype(np.float64), bias.astype(np.float64), shift, limit))
            else:
                layers.append(Depthwise(weight.astype(dtype), bias.astype(dtype), shift, limit))
            limit_in = limit
    return tuple(layers)
