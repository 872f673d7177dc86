"""The integer layers compute what 64-bit integers compute, whatever the order of the sums."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.entropy import exact
from aecodec.entropy.context import split
from aecodec.entropy.latents import Part, Tile
from aecodec.errors import ModelError
from aecodec.networks.coding_order import HALVES, QUARTERS, Order


def integers(rng: np.random.Generator, shape: tuple[int, ...], limit: int) -> np.ndarray:
    return rng.integers(-limit, limit + 1, shape)


def rescaled(total: np.ndarray, shift: int, limit: int) -> np.ndarray:
    return np.clip(total >> shift, -limit, limit)  # >> of a negative integer rounds down, as floor does


@pytest.mark.parametrize("weight_limit", [3, 30_000])
def test_dense_equals_integer_arithmetic(weight_limit: int) -> None:
    rng = np.random.default_rng(weight_limit)
    weight, bias = integers(rng, (40, 7), weight_limit), integers(rng, (7,), 1000)
    x = integers(rng, (5, 6, 40), 2**15)
    layer = exact.Dense(weight.astype(np.float64), bias.astype(np.float64), 6, 5000)
    assert np.array_equal(layer(x.astype(np.float32)), rescaled(x @ weight + bias, 6, 5000))


def test_depthwise_equals_integer_arithmetic() -> None:
    rng = np.random.default_rng(1)
    weight, bias = integers(rng, (9, 4), 2000), integers(rng, (4,), 1000)
    x = integers(rng, (6, 3, 4), 2**12)
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    total = bias + sum(padded[i : i + 6, j : j + 3] * weight[3 * i + j] for i in range(3) for j in range(3))
    layer = exact.Depthwise(weight.astype(np.float64), bias.astype(np.float64), 9, 2**14)
    assert np.array_equal(layer(x.astype(np.float64)), rescaled(total, 9, 2**14))


def test_leaky_and_shuffle() -> None:
    x = np.arange(-20, 20, dtype=np.float64).reshape(1, 5, 8)
    assert np.array_equal(exact.Leaky()(x.copy()), np.where(x < 0, np.floor(x / 8), x))
    shuffled = exact.Shuffle()(x)
    assert shuffled.shape == (2, 10, 2)
    assert np.array_equal(shuffled[1, 2], x[0, 1, 4:6])  # second row, first column of the second cell


def test_sums_do_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(2)
    weight, bias = integers(rng, (500, 3), 2**13), np.zeros(3, np.int64)
    x = integers(rng, (4, 4, 500), 2**19)
    order = rng.permutation(500)
    one = exact.Dense(weight.astype(np.float64), bias.astype(np.float64), 0, 2**23)
    other = exact.Dense(weight[order].astype(np.float64), bias.astype(np.float64), 0, 2**23)
    assert np.array_equal(one(x.astype(np.float32)), other(x[:, :, order].astype(np.float32)))


def test_a_layer_beyond_exact_arithmetic_is_refused() -> None:
    with pytest.raises(ModelError, match="exact"):
        exact.exact_type(np.full((10, 1), 2**40), np.zeros(1, np.int64), 2**19)


def test_the_smallest_type_is_proven_by_the_worst_case() -> None:
    weight, bias = np.array([[1], [-1]]), np.array([0])
    assert exact.exact_type(weight, bias, 2**23 - 1) is np.float32
    assert exact.exact_type(weight, bias, 2**23) is np.float64


def dense(rng: np.random.Generator, inputs: int, outputs: int) -> exact.Dense:
    weight, bias = integers(rng, (inputs, outputs), 30), integers(rng, (outputs,), 100)
    return exact.Dense(weight.astype(np.float64), bias.astype(np.float64), 4, 2**14)


def depthwise(rng: np.random.Generator, channels: int) -> exact.Depthwise:
    return exact.Depthwise(integers(rng, (9, channels), 9).astype(np.float64), np.zeros(channels), 2, 2**14)


@pytest.mark.parametrize("height", [1, 7, 8, 20])
def test_strips_make_no_difference(height: int) -> None:
    rng = np.random.default_rng(height)
    layers = (dense(rng, 5, 24), exact.Shuffle(), depthwise(rng, 6), exact.Leaky(), depthwise(rng, 6), dense(rng, 6, 4))
    x = whole = integers(rng, (2, height, 3, 5), 100).astype(np.float32)
    for layer in layers:
        whole = layer(whole)
    assert np.array_equal(exact.run(layers, x), whole)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (12, 9)])
@pytest.mark.parametrize(("order", "step"), [(HALVES, 1), (QUARTERS, 1), (QUARTERS, 2)])
def test_a_context_that_is_cut_is_the_whole_network_where_it_is_asked(
    size: tuple[int, int], order: Order, step: int
) -> None:
    rng, channels = np.random.default_rng(3), 4
    layers = (dense(rng, 12, 7), exact.Leaky(), depthwise(rng, 7), dense(rng, 7, 7), dense(rng, 7, 8))
    parameters = integers(rng, (2, *size, 8), 500).astype(np.float32)
    latents, seen = integers(rng, (2, *size, 4), 500).astype(np.float32), np.zeros((2, *size, 4), np.float32)
    for before in range(step):
        part = Part(Tile(0, 0, *size), order, before)
        part.put(part.pick(latents), seen)
    means, indices = np.split(exact.run(layers, np.concatenate([parameters, seen], axis=-1)), 2, axis=-1)
    part = Part(Tile(0, 0, *size), order, step)
    expected = np.concatenate([part.pick(means), part.pick(indices)], axis=-1)
    assert np.array_equal(split(layers, order, step, channels)(parameters, latents), expected)
