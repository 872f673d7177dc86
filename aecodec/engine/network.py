"""A network in fixed point, ready to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aecodec.engine import reference
from aecodec.engine.layers import (
    SLOPE_BITS,
    Dense,
    DepthToSpace,
    Depthwise,
    FromPixels,
    Layer,
    Neighbourhoods,
    Phased,
    SpaceToDepth,
    Sum,
    ToPixels,
    shapes,
)

try:
    from aecodec.engine import _native
except ImportError:  # installed where there was no C compiler
    _native = None  # type: ignore[assignment]

VARIABLE = "AECODEC_KERNELS"
NUMPY = "numpy"


def available() -> tuple[str, ...]:
    """The kernels that this machine can run, the fastest first; the last one, numpy, is the reference."""
    return (*(_native.available() if _native else ()), NUMPY)


def chosen() -> str:
    """The kernels that networks use: those that AECODEC_KERNELS names, else the fastest. Raises ValueError."""
    usable = available()
    name = os.environ.get(VARIABLE) or usable[0]
    if name not in usable:
        raise ValueError(f"{VARIABLE}={name}: this machine can run {', '.join(usable)}")
    return name


class Network:
    """Layers, packed for the kernels of this machine. Immutable; threads may run it side by side.

    ``kernels`` is one of :func:`available`; without it, :func:`chosen`. Raises ValueError where there are no such
    kernels.
    """

    def __init__(self, layers: Sequence[Layer], kernels: str | None = None) -> None:
        self.layers = tuple(layers)
        self.kernels = kernels or chosen()
        if self.kernels not in available():
            raise ValueError(f"no kernels {self.kernels}, only {', '.join(available())}")
        _check_ends(self.layers)
        self._packed = None if self.kernels == NUMPY else _native.pack(self.kernels, _program(self.layers))

    def __call__(self, x: npt.NDArray[np.integer], rows: slice | None = None) -> npt.NDArray[Any]:
        """The result (n, h', w', channels') of ``x`` (n, h, w, channels), or only some of its rows.

        Of a single picture, what is needed for those ``rows`` alone is computed.
        ``x`` is uint8 where the first layer is a FromPixels, else int16; the result is uint8 where the last one is a
        ToPixels, else int16. Runs on the caller's thread alone and does not hold the interpreter lock. Raises
        ValueError where ``x`` does not fit the layers.
        """
        expected = np.uint8 if isinstance(self.layers[0], FromPixels) else np.int16
        if x.dtype != expected or x.ndim != 4:
            raise ValueError(f"input of {x.ndim} dimensions and {x.dtype}, not 4 and {np.dtype(expected)}")
        height, width, channels = shapes(self.layers, x.shape[1:])[-1]
        first, end, _ = (rows or slice(None)).indices(height)
        if self._packed is None:
            return reference.run(self.layers, x)[:, first:end]
        if len(x) != 1:  # whole pictures, one below the other
            above, below = 0, height
        else:  # whole blocks of pixels
            last = self.layers[-1]
            block = last.block if isinstance(last, DepthToSpace | ToPixels) else 1
            above, below = first // block * block, -(-end // block) * block
        dtype = np.uint8 if isinstance(self.layers[-1], ToPixels) else np.int16
        result = np.empty((len(x), max(0, below - above), width, channels), dtype)
        if result.size:
            span = above, above + len(x) * (below - above)
            _native.run(self._packed, np.ascontiguousarray(x), result, x.shape, span)
        return result[:, first - above : max(first, end) - above]


def _check_ends(layers: tuple[Layer, ...]) -> None:
    if not layers:
        raise ValueError("a network needs a layer")
    if any(isinstance(layer, FromPixels) for layer in layers[1:]) or any(isinstance(x, ToPixels) for x in layers[:-1]):
        raise ValueError("pixels in the middle of a network")


def _program(layers: tuple[Layer, ...]) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    _append(steps, layers, 0)
    return tuple(steps)


# Kind, stream that is read, stream that is added or -1, block, fraction, slope, weights: see native/network.h.
_Step = tuple[int, int, int, int, int, int, tuple[tuple[npt.NDArray[Any], ...], ...]]

_KINDS = (Dense, Depthwise, SpaceToDepth, DepthToSpace, Neighbourhoods, FromPixels, ToPixels, Phased)


def _append(steps: list[_Step], layers: tuple[Layer, ...], source: int, added: int = -1) -> int:
    """Adds layers that read stream ``source``, the last of which adds stream ``added``; the stream they write."""
    for i, layer in enumerate(layers):
        skip = added if i == len(layers) - 1 else -1
        if isinstance(layer, Sum):
            first = _append(steps, layer.first, source)
            source = _append(steps, layer.second, source, first)
        else:
            steps.append(_step(layer, source, skip))
            source = len(steps)
    return source


def _step(layer: Layer, source: int, skip: int) -> _Step:
    block, fraction, slope = 1, 0, 1 << SLOPE_BITS
    weights: tuple[tuple[npt.NDArray[Any], ...], ...] = ()
    match layer:
        case Dense() | Depthwise():
            weights = (_weights(layer),)
        case Phased(phases=phases):
            weights = tuple(map(_weights, phases))
        case SpaceToDepth() | DepthToSpace() | FromPixels() | ToPixels():
            block = layer.block
    match layer:
        case Dense(slope=int(value)) | Phased(phases=(Dense(slope=int(value)), *_)):
            slope = value
        case ToPixels():
            fraction = layer.fraction
    return _KINDS.index(type(layer)), source, skip, block, fraction, slope, weights


def _weights(layer: Dense | Depthwise) -> tuple[npt.NDArray[Any], ...]:
    return tuple(map(np.ascontiguousarray, (layer.weight, layer.bias, layer.shift)))
