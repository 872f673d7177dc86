"""Random layers and pictures for the tests of the fixed-point engine."""

from __future__ import annotations

import numpy as np

from aecodec.engine.layers import Dense, Depthwise, Int16, Int32, Shifts, Sum


def image(rng: np.random.Generator, shape: tuple[int, ...], extreme: bool = False) -> Int16:
    """Activations; extreme ones are mostly at the ends of int16."""
    if extreme:
        return rng.choice(np.array([-32768, -32767, 0, 1, 32767], np.int16), shape, p=[0.4, 0.05, 0.1, 0.05, 0.4])
    return rng.integers(-3000, 3000, shape, np.int16)


def dense(
    rng: np.random.Generator, inputs: int, outputs: int, slope: int | None = None, extreme: bool = False
) -> Dense:
    """A layer whose results are of the size of its inputs; extreme ones wrap and saturate."""
    return Dense(*_row(rng, inputs, outputs, extreme), slope)


def depthwise(rng: np.random.Generator, channels: int, extreme: bool = False) -> Depthwise:
    """The same for 3x3 convolutions."""
    return Depthwise(*_row(rng, 9, channels, extreme))


def _row(rng: np.random.Generator, inputs: int, outputs: int, extreme: bool) -> tuple[Int16, Int32, Shifts]:
    if extreme:
        weight = rng.choice(np.array([-32767, 32767, 1], np.int16), (inputs, outputs))
        bias = rng.choice(np.array([-(2**31), 2**31 - 1, 0], np.int32), outputs)
        return weight, bias, rng.integers(0, 32, outputs, np.uint8)
    shift = rng.integers(8, 13, outputs, np.uint8)
    size = 2.0 ** np.minimum(shift, 12) * min(1, 2 / inputs**0.5)
    weight = (rng.uniform(-1, 1, (inputs, outputs)) * size).astype(np.int16)
    bias = rng.integers(-1000, 1000, outputs, np.int32) << shift
    return weight, (bias + (1 << shift >> 1)).astype(np.int32), shift


def block(rng: np.random.Generator, channels: int, slope: int = 3277, extreme: bool = False) -> tuple[Sum, Sum]:
    """The residual pair of the convolutional networks."""
    enter, leave = dense(rng, channels, channels, slope, extreme), dense(rng, channels, channels, None, extreme)
    widen, narrow = (
        dense(rng, channels, 2 * channels, slope, extreme),
        dense(rng, 2 * channels, channels, None, extreme),
    )
    return Sum((), (enter, depthwise(rng, channels, extreme), leave)), Sum((), (widen, narrow))
