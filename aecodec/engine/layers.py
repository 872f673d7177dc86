"""The layers of fixed-point networks, as values. What they compute is defined at the head of :mod:`aecodec.engine`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Shifts = npt.NDArray[np.uint8]

WEIGHT_LIMIT = 2**15 - 1  # of absolute weights: the sum of two products fits 32 bits
SLOPE_BITS = 15  # fractional bits of leaky slopes


@dataclass(frozen=True, eq=False)
class Dense:
    """1x1 convolution: (..., inputs) to (..., outputs). ``slope`` 0..32767 makes it leaky.

    Raises ValueError where weight (inputs, outputs), bias (outputs,) and shift (outputs,) do not fit together or are
    out of range.
    """

    weight: Int16
    bias: Int32
    shift: Shifts
    slope: int | None = None

    def __post_init__(self) -> None:
        _check(self.weight, self.bias, self.shift)
        if self.slope is not None and not 0 <= self.slope < 2**SLOPE_BITS:
            raise ValueError(f"leaky slope {self.slope}, not in 0..32767")


@dataclass(frozen=True, eq=False)
class Depthwise:
    """3x3 convolution of each channel by itself, zeros around. ``weight`` is (9, channels), taps row by row."""

    weight: Int16
    bias: Int32
    shift: Shifts

    def __post_init__(self) -> None:
        _check(self.weight, self.bias, self.shift)
        if len(self.weight) != 9:
            raise ValueError(f"depthwise weights of {len(self.weight)} taps, not 9")


@dataclass(frozen=True)
class SpaceToDepth:
    """(h, w, c) to (h / block, w / block, block * block * c), channels ordered (row, column, c)."""

    block: int


@dataclass(frozen=True)
class DepthToSpace:
    """The inverse of :class:`SpaceToDepth`."""

    block: int


@dataclass(frozen=True)
class Neighbourhoods:
    """(h, w, c) to (ceil(h / 2), ceil(w / 2), 9 c): what a 3x3 convolution of stride 2 and padding 1 sees."""


@dataclass(frozen=True)
class FromPixels:
    """uint8 pixels (h, w, c) to (h / block, w / block, block * block * c) in -128..127. Only the first layer."""

    block: int


@dataclass(frozen=True)
class ToPixels:
    """Grey levels less 128, with ``fraction`` fractional bits (0..15), to uint8 pixels. Only the last layer."""

    block: int
    fraction: int

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 16:
            raise ValueError(f"{self.fraction} fractional bits, not 0..15")


@dataclass(frozen=True)
class Phased:
    """A Dense for each of the phases (even, even), (even, odd), (odd, even), (odd, odd) of row and column."""

    phases: tuple[Dense, Dense, Dense, Dense]

    def __post_init__(self) -> None:
        if len({(dense.weight.shape, dense.slope) for dense in self.phases}) != 1:
            raise ValueError("layers of different phases differ in shape")


@dataclass(frozen=True)
class Sum:
    """Saturating sum of two branches; the empty one is the identity. The second ends with a Dense."""

    first: tuple[Layer, ...]
    second: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.second or not isinstance(self.second[-1], Dense):
            raise ValueError("the second branch of a sum does not end with a dense layer")


Layer = Dense | Depthwise | SpaceToDepth | DepthToSpace | Neighbourhoods | FromPixels | ToPixels | Phased | Sum

Shape = tuple[int, int, int]  # rows, columns, channels


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """What becomes of (rows, columns, channels). Raises ValueError where they do not fit the layer."""
    rows, columns, channels = shape
    match layer:
        case Dense(weight=weight) | Phased(phases=(Dense(weight=weight), *_)):
            _fit(channels == len(weight), layer, shape)
            return rows, columns, weight.shape[1]
        case Depthwise(weight=weight):
            _fit(channels == weight.shape[1], layer, shape)
            return shape
        case SpaceToDepth(block=b) | FromPixels(block=b):
            _fit(rows % b == 0 and columns % b == 0, layer, shape)
            return rows // b, columns // b, b * b * channels
        case DepthToSpace(block=b) | ToPixels(block=b):
            _fit(channels % (b * b) == 0, layer, shape)
            return rows * b, columns * b, channels // (b * b)
        case Neighbourhoods():
            return -(-rows // 2), -(-columns // 2), 9 * channels
        case Sum(first=first, second=second):
            one, other = shapes(first, shape)[-1], shapes(second, shape)[-1]
            if one != other:
                raise ValueError(f"branches of a sum give {one} and {other}")
            return one


def shapes(layers: tuple[Layer, ...], shape: Shape) -> list[Shape]:
    """Before each of the layers, and after the last one."""
    result = [shape]
    for layer in layers:
        result.append(shape_after(layer, result[-1]))
    return result


def _fit(fits: bool, layer: Layer, shape: Shape) -> None:
    if not fits:
        raise ValueError(f"{type(layer).__name__} cannot take {shape[0]} rows, {shape[1]} columns, {shape[2]} channels")


def _check(weight: Int16, bias: Int32, shift: Shifts) -> None:
    if not (weight.dtype == np.int16 and bias.dtype == np.int32 and shift.dtype == np.uint8):
        raise ValueError(f"weight, bias, shift of {weight.dtype}, {bias.dtype}, {shift.dtype}; not int16, int32, uint8")
    if weight.ndim != 2 or not weight.size or not bias.shape == shift.shape == weight.shape[1:]:
        raise ValueError(f"weight {weight.shape}, bias {bias.shape} and shift {shift.shape} do not fit together")
    if np.abs(weight.astype(np.int32)).max() > WEIGHT_LIMIT or shift.max() > 31:
        raise ValueError(f"weights beyond {WEIGHT_LIMIT} or shifts beyond 31")
