"""The arithmetic of :mod:`aecodec.engine` in NumPy: what the native kernels must equal, and what runs without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from aecodec.engine.layers import (
    SLOPE_BITS,
    Dense,
    DepthToSpace,
    Depthwise,
    FromPixels,
    Int16,
    Int32,
    Layer,
    Neighbourhoods,
    Phased,
    Shifts,
    SpaceToDepth,
    Sum,
    ToPixels,
)

Integers = npt.NDArray[np.integer]
Watch = Callable[[Layer, npt.NDArray[np.float64]], None]

BLOCK = 4096  # positions that are multiplied at once, which bounds memory


def run(layers: Sequence[Layer], x: Integers, watch: Watch | None = None) -> Integers:
    """Apply ``layers`` one after another to (n, h, w, channels).

    ``watch`` is shown the sums of each Dense and Depthwise before they wrap, so that one can see how near they come.
    """
    for layer in layers:
        x = _apply(layer, x, watch)
    return x


def _apply(layer: Layer, x: Integers, watch: Watch | None) -> Integers:
    match layer:
        case Dense():
            return _dense(layer, x, watch)
        case Depthwise():
            return _depthwise(layer, x, watch)
        case SpaceToDepth(block=block):
            return _space_to_depth(x, block)
        case DepthToSpace(block=block):
            return _depth_to_space(x, block)
        case Neighbourhoods():
            return _neighbourhoods(x)
        case FromPixels(block=block):
            return _space_to_depth(x.astype(np.int16) - np.int16(128), block)
        case ToPixels(block=block, fraction=fraction):
            levels = (x.astype(np.int32) + (1 << fraction >> 1) >> fraction) + 128
            return _depth_to_space(np.clip(levels, 0, 255).astype(np.uint8), block)
        case Phased(phases=phases):
            result = np.empty((*x.shape[:-1], phases[0].weight.shape[1]), np.int16)
            for phase, dense in enumerate(phases):
                row, column = divmod(phase, 2)
                result[:, row::2, column::2] = _dense(dense, x[:, row::2, column::2], watch)
            return result
        case Sum(first=first, second=second):
            total = run(first, x, watch).astype(np.int32) + run(second, x, watch)
            return _saturated(total)


def _dense(layer: Dense, x: Integers, watch: Watch | None) -> Int16:
    weight = layer.weight.astype(np.float64)
    flat = x.reshape(-1, x.shape[-1])
    result = np.empty((len(flat), weight.shape[1]), np.int16)
    for start in range(0, len(flat), BLOCK):
        total = flat[start : start + BLOCK].astype(np.float64) @ weight  # exact: far below 2^53
        total += layer.bias
        if watch:
            watch(layer, total)
        result[start : start + BLOCK] = _rescaled(total, layer.shift)
    if layer.slope is not None:
        result = _leaky(result, layer.slope)
    return result.reshape(*x.shape[:-1], weight.shape[1])


def _depthwise(layer: Depthwise, x: Integers, watch: Watch | None) -> Int16:
    height, width = x.shape[1:3]
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = np.broadcast_to(layer.bias, x.shape).astype(np.float64)
    for tap, weight in enumerate(layer.weight):
        row, column = divmod(tap, 3)
        total += padded[:, row : row + height, column : column + width] * weight
    if watch:
        watch(layer, total)
    return _rescaled(total, layer.shift)


def _rescaled(total: npt.NDArray[np.float64], shift: Shifts) -> Int16:
    wrapped = total.astype(np.int64).astype(np.int32)  # the low 32 bits
    return _saturated(wrapped >> shift)


def _saturated(x: Int32) -> Int16:
    return np.clip(x, -(2**15), 2**15 - 1).astype(np.int16)


def _leaky(x: Int16, slope: int) -> Int16:
    less = x.astype(np.int32) * slope + 2 ** (SLOPE_BITS - 1) >> SLOPE_BITS
    return np.asarray(np.maximum(x, less), np.int16)


def _space_to_depth(x: Integers, block: int) -> Integers:
    n, height, width, channels = x.shape
    cells = x.reshape(n, height // block, block, width // block, block, channels).swapaxes(2, 3)
    return cells.reshape(n, height // block, width // block, block * block * channels)


def _depth_to_space(x: Integers, block: int) -> Integers:
    n, height, width, channels = x.shape
    cells = x.reshape(n, height, width, block, block, channels // block**2).swapaxes(2, 3)
    return cells.reshape(n, height * block, width * block, channels // block**2)


def _neighbourhoods(x: Integers) -> Integers:
    height, width = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    taps = [
        padded[:, row : row + 2 * height : 2, column : column + 2 * width : 2]
        for row in range(3)
        for column in range(3)
    ]
    return np.concatenate(taps, axis=-1)
