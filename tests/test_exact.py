"""The integer layers compute what 64-bit integers compute, whatever the order of the sums."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec import exact
from aecodec.errors import ModelError


def integers(rng: np.random.Generator, shape: tuple[int, ...], limit: int) -> np.ndarray:
    return rng.integers(-limit, limit + 1, shape)


def rescaled(total: np.ndarray, shift: int, limit: int) -> np.ndarray:
    return np.clip(total >> shift, -limit, limit)  # >> of a negative integer rounds down, as floor does


@pytest.mark.parametrize("weight_limit", [3, 30_000])
def test_dense_equals_integer_arithmetic(weight_limit: int) -> None:
    rng = np.random.default_rng(weight_limit)
    weight, bias = integers(rng, (40, 7), weight_limit), integers(rng, (7,), 1000)
    x = integers(rng, (5, 6, 40), 2**15)
    dtype = exact.exact_type(weight, bias, 2**15)
    assert dtype is (np.float32 if weight_limit == 3 else np.float64)
    layer = exact.Dense(weight.astype(dtype), bias.astype(dtype), 6, 5000)
    assert np.array_equal(layer(x.astype(np.float64)), rescaled(x @ weight + bias, 6, 5000))


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
    dtype = exact.exact_type(weight, bias, 2**19)
    order = rng.permutation(500)
    one = exact.Dense(weight.astype(dtype), bias.astype(dtype), 0, 2**23)
    other = exact.Dense(weight[order].astype(dtype), bias.astype(dtype), 0, 2**23)
    assert np.array_equal(one(x.astype(dtype)), other(x[:, :, order].astype(dtype)))


def test_a_layer_beyond_exact_arithmetic_is_refused() -> None:
    with pytest.raises(ModelError, match="exact"):
        exact.exact_type(np.full((10, 1), 2**40), np.zeros(1, np.int64), 2**19)


def test_the_smallest_type_is_proven_by_the_worst_case() -> None:
    weight, bias = np.array([[1], [-1]]), np.array([0])
    assert exact.exact_type(weight, bias, 2**23 - 1) is np.float32
    assert exact.exact_type(weight, bias, 2**23) is np.float64
