"""The networks of a model as layers of :mod:`aecodec.engine`: what coding runs. Imports no PyTorch.

Each function below describes one network of :mod:`aecodec.networks.model`, in the order of its layers, and asks
``layer`` for every convolution: to read it from a weights file (:func:`stored`), or to make it of float parameters
(:mod:`aecodec.networks.quantization`).

Real numbers and the integers that stand for them are related by a :class:`Scale`. Activations have a number of
fractional bits: those of analysis, synthesis and hyper analysis are each network's own, stored with it as ``fraction``,
and so are those of the part of analysis and synthesis that runs at 1/8 of the resolution, whose activations are smaller
(``analysis_fine``, ``synthesis_fine``); those of hyper synthesis and contexts are PRIOR_BITS, hyper latents have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from aecodec.engine import (
    Dense,
    DepthToSpace,
    Depthwise,
    FromPixels,
    Layer,
    Neighbourhoods,
    SpaceToDepth,
    Sum,
    ToPixels,
)
from aecodec.errors import ModelError
from aecodec.networks.config import PATCH, ConvolutionalConfig, FullyConnectedConfig, SharedConfig, context_names
from aecodec.weights import Arrays

Layers = tuple[Layer, ...]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Number = TypeVar("Number", bound=np.generic)

PRIOR_BITS = 6  # fractional bits of hyper synthesis and contexts; more change the rate by less than 0.03 %
FINE = "_fine"  # the part at 1/8 of the resolution; without fractional bits of its own it has those of the rest
FRACTIONAL = (
    "analysis",
    "analysis_fine",
    "synthesis",
    "synthesis_fine",
    "hyper_analysis",
)  # that have bits of their own
PARTS = ("weight", "bias", "shift")  # of a convolution
FRACTIONS = range(5, 11)  # fractional bits that these may have
GREY_BITS = 6  # of the grey levels that the synthesis puts out
SLOPE = round(0.1 * 2**15)  # below zero, of the transforms and the hyper analysis
PRIOR_SLOPE = 2**12  # 1/8, of hyper synthesis and contexts
GREY_LEVELS = 255 / 4  # in a unit of the float networks


@dataclass(frozen=True)
class Scale:
    """How integers stand for real numbers: integer = real * factor + offset."""

    factor: float
    offset: float = 0.0


def fractional(bits: int) -> Scale:
    """Integers with so many fractional bits."""
    return Scale(2.0**bits)


FROM_PIXELS = Scale(GREY_LEVELS, -0.5)  # grey levels less 128, of -2..2
TO_PIXELS = Scale(GREY_LEVELS * 2**GREY_BITS, -(2.0 ** (GREY_BITS - 1)))
HYPER_LATENTS = Scale(1.0)
PRIOR = fractional(PRIOR_BITS)


@dataclass(frozen=True)
class Convolution:
    """One convolution of a network: the name of its parameters, and what its integers stand for."""

    name: str
    takes: Scale
    gives: Scale
    slope: int | None = None  # of the leaky unit after it
    depthwise: bool = False
    unshuffled: int = 1  # the block of the PixelUnshuffle before it; PyTorch orders channels (channel, row, column)
    shuffled: int = 1  # the block of the PixelShuffle after it


Make = Callable[[Convolution], Dense | Depthwise]


def analysis(c: SharedConfig, bits: Mapping[str, int], layer: Make) -> Layers:
    """Pixels to latents; ``bits``: as :func:`fractions`."""
    a, fine = fractional(bits["analysis"]), fractional(bits["analysis_fine"])
    if isinstance(c, FullyConnectedConfig):
        connected = _connected("analysis.1", c.layers, FROM_PIXELS, a, a, layer, unshuffled=c.block)
        return FromPixels(c.block), *connected
    assert isinstance(c, ConvolutionalConfig)
    down = 2 + c.analysis_blocks
    return (
        FromPixels(PATCH),
        layer(Convolution("analysis.1", FROM_PIXELS, fine, unshuffled=PATCH)),
        *(part for i in range(2, down) for part in _block(f"analysis.{i}", fine, layer)),
        SpaceToDepth(2),
        layer(Convolution(f"analysis.{down}", fine, a)),
        *_block(f"analysis.{down + 1}", a, layer),
    )


def synthesis(c: SharedConfig, bits: Mapping[str, int], layer: Make) -> Layers:
    """Latents to pixels; ``bits``: as :func:`fractions`."""
    a, fine = fractional(bits["synthesis"]), fractional(bits["synthesis_fine"])
    if isinstance(c, FullyConnectedConfig):
        connected = _connected("synthesis.0", c.layers, a, a, TO_PIXELS, layer, shuffled=c.block)
        return *connected, ToPixels(c.block, GREY_BITS)
    assert isinstance(c, ConvolutionalConfig)
    last = 3 + c.synthesis_blocks
    return (
        *_block("synthesis.0", a, layer),
        layer(Convolution("synthesis.1", a, fine, shuffled=2)),
        DepthToSpace(2),
        *(part for i in range(3, last) for part in _block(f"synthesis.{i}", fine, layer)),
        layer(Convolution(f"synthesis.{last}", fine, TO_PIXELS, shuffled=PATCH)),
        ToPixels(PATCH, GREY_BITS),
    )


def hyper_analysis(c: SharedConfig, bits: int, layer: Make) -> Layers:
    """Scaled latents with so many fractional bits to hyper latents."""
    a = fractional(bits)
    first, last = Convolution("hyper_analysis.0", a, a, SLOPE), Convolution("hyper_analysis.2", a, HYPER_LATENTS)
    if isinstance(c, FullyConnectedConfig):
        return layer(first), layer(last)
    return Neighbourhoods(), layer(first), Neighbourhoods(), layer(last)


def hyper_synthesis(c: SharedConfig, layer: Make) -> Layers:
    """Rounded hyper latents to parameters: means, then scale indices / 8."""
    name = "hyper_synthesis"
    if isinstance(c, FullyConnectedConfig):
        return (
            layer(Convolution(f"{name}.0", HYPER_LATENTS, PRIOR, PRIOR_SLOPE)),
            layer(Convolution(f"{name}.2", PRIOR, PRIOR)),
        )
    return (
        layer(Convolution(f"{name}.0", HYPER_LATENTS, PRIOR, PRIOR_SLOPE, shuffled=2)),
        DepthToSpace(2),
        layer(Convolution(f"{name}.3", PRIOR, PRIOR, PRIOR_SLOPE, shuffled=2)),
        DepthToSpace(2),
        layer(Convolution(f"{name}.6", PRIOR, PRIOR, depthwise=True)),
        layer(Convolution(f"{name}.7", PRIOR, PRIOR)),
    )


def context(c: SharedConfig, name: str, layer: Make) -> Layers:
    """Parameters and the latents of earlier steps to the correction of the parameters."""
    first = layer(Convolution(f"{name}.0", PRIOR, PRIOR, PRIOR_SLOPE))
    if isinstance(c, FullyConnectedConfig):
        return (
            first,
            layer(Convolution(f"{name}.2", PRIOR, PRIOR, PRIOR_SLOPE)),
            layer(Convolution(f"{name}.4", PRIOR, PRIOR)),
        )
    return (
        first,
        layer(Convolution(f"{name}.2", PRIOR, PRIOR, depthwise=True)),
        layer(Convolution(f"{name}.3", PRIOR, PRIOR, PRIOR_SLOPE)),
        layer(Convolution(f"{name}.5", PRIOR, PRIOR)),
    )


def _block(name: str, a: Scale, layer: Make) -> Layers:
    """A residual pair: depthwise-separable 3x3, then a 1x1 feed-forward."""
    mixing = (
        layer(Convolution(f"{name}.enter", a, a, SLOPE)),
        layer(Convolution(f"{name}.spatial", a, a, depthwise=True)),
        layer(Convolution(f"{name}.leave", a, a)),
    )
    feeding = (
        layer(Convolution(f"{name}.widen", a, a, SLOPE)),
        layer(Convolution(f"{name}.narrow", a, a)),
    )
    return Sum((), mixing), Sum((), feeding)


def _connected(
    name: str,
    layers: int,
    takes: Scale,
    hidden: Scale,
    gives: Scale,
    layer: Make,
    unshuffled: int = 1,
    shuffled: int = 1,
) -> Layers:
    """Layers with a linear map beside them."""
    straight = layer(Convolution(f"{name}.straight", takes, gives, unshuffled=unshuffled, shuffled=shuffled))
    if not layers:
        return (straight,)
    first = layer(Convolution(f"{name}.layers.0", takes, hidden, SLOPE, unshuffled=unshuffled))
    deeper = (layer(Convolution(f"{name}.layers.{2 * i}", hidden, hidden, SLOPE)) for i in range(1, layers))
    last = layer(Convolution(f"{name}.layers.{2 * layers}", hidden, Scale(gives.factor), shuffled=shuffled))
    return (Sum((straight,), (first, *deeper, last)),)


def convolutions(c: SharedConfig, bits: Mapping[str, int]) -> list[Convolution]:
    """Those of all networks; ``bits``: as :func:`fractions`."""
    found: list[Convolution] = []
    nothing = np.zeros((9, 1), np.int16), np.zeros(1, np.int32), np.zeros(1, np.uint8)

    def note(convolution: Convolution) -> Dense | Depthwise:
        found.append(convolution)
        return Depthwise(*nothing) if convolution.depthwise else Dense(*nothing)

    describe(c, bits, note)
    return found


def describe(c: SharedConfig, bits: Mapping[str, int], layer: Make) -> None:
    """Ask for the layers of all networks."""
    analysis(c, bits, layer)
    synthesis(c, bits, layer)
    hyper_analysis(c, bits["hyper_analysis"], layer)
    hyper_synthesis(c, layer)
    for name in context_names(c):
        context(c, name, layer)


def tensors(c: SharedConfig) -> set[str]:
    """The names of all tensors of a weights file."""
    names = {each.name for each in convolutions(c, dict.fromkeys(FRACTIONAL, 0))}
    tables = ("latent_tables", "hyper_tables")
    return {
        *(f"{name}.{part}" for name in names for part in PARTS),
        *(f"{name}.fraction" for name in FRACTIONAL),
        *(f"gains.{part}" for part in ("encode", "decode", "positions")),
        *(f"{name}.{part}" for name in tables for part in ("minimum", "size", "frequencies")),
    }


def fractions(arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, int]:
    """The fractional bits of the activations of each of FRACTIONAL. Raises ModelError."""
    return {name: _fraction(arrays, name) for name in FRACTIONAL}


def _fraction(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> int:
    stored = arrays.get(f"{name}.fraction", arrays.get(f"{name.removesuffix(FINE)}.fraction"))
    if stored is None or stored.shape != (1,) or stored.dtype != np.uint8 or stored[0] not in FRACTIONS:
        raise ModelError(f"weights do not fit their configuration ({name}.fraction)")
    return int(stored[0])


def stored(arrays: Arrays) -> Make:
    """Makes the layers that a weights file has stored. They raise ModelError where tensors are missing or unfit."""

    def make(convolution: Convolution) -> Dense | Depthwise:
        name = convolution.name
        try:
            weight = _typed(arrays[f"{name}.weight"], np.int16)
            bias = _typed(arrays[f"{name}.bias"], np.int32)
            shift = _typed(arrays[f"{name}.shift"], np.uint8)
            if convolution.depthwise:
                return Depthwise(weight, bias, shift)
            return Dense(weight, bias, shift, convolution.slope)
        except (KeyError, ValueError) as error:
            raise ModelError(f"weights do not fit their configuration ({name}: {error})") from error

    return make


def _typed(array: npt.NDArray[np.generic], kind: type[Number]) -> npt.NDArray[Number]:
    if array.dtype != kind:
        raise ValueError(f"{array.dtype} rather than {np.dtype(kind)}")
    return array.view(kind)
