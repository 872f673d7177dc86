"""The arithmetic of the fixed-point engine, against sums and products of Python's integers and PyTorch's layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from aecodec.engine import (
    Dense,
    DepthToSpace,
    FromPixels,
    Neighbourhoods,
    Phased,
    SpaceToDepth,
    Sum,
    ToPixels,
    reference,
)
from tests.engine.networks import dense, depthwise, image


def wrapped(total: int) -> int:
    return (total + 2**31) % 2**32 - 2**31


def saturated(value: int) -> int:
    return max(-(2**15), min(2**15 - 1, value))


def leaky(value: int, slope: int) -> int:
    return max(value, (value * slope + 2**14) >> 15)


@pytest.mark.parametrize("slope", [None, 0, 3277, 4096, 32767])
@pytest.mark.parametrize("extreme", [False, True])
def test_dense_is_what_the_definition_says(slope: int | None, extreme: bool) -> None:
    layer = dense(np.random.default_rng(1), 37, 11, slope, extreme)
    x = image(np.random.default_rng(2), (1, 3, 4, 37), extreme)
    result = reference.run([layer], x)
    for position in np.ndindex(3, 4):
        for output in range(11):
            products = (int(a) * int(b) for a, b in zip(x[0][position], layer.weight[:, output], strict=True))
            value = saturated(wrapped(int(layer.bias[output]) + sum(products)) >> int(layer.shift[output]))
            assert result[0][position][output] == (value if slope is None else leaky(value, slope))


def test_sums_wrap() -> None:
    layer = Dense(np.full((32, 1), 4096, np.int16), np.array([2**31 - 1], np.int32), np.array([16], np.uint8))
    x = np.full((1, 1, 1, 32), 32767, np.int16)
    total = 2**31 - 1 + 32 * 4096 * 32767
    assert total > 2**32
    assert reference.run([layer], x) == wrapped(total) >> 16


def test_depthwise_is_a_convolution() -> None:
    rng = np.random.default_rng(3)
    layer = depthwise(rng, 5)
    x = image(rng, (2, 4, 6, 5))
    kernel = torch.from_numpy(layer.weight.T.reshape(5, 1, 3, 3).astype(np.float64))
    total = F.conv2d(torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2), kernel, padding=1, groups=5)
    expected = np.floor((total.permute(0, 2, 3, 1).numpy() + layer.bias) / 2.0**layer.shift)
    assert np.array_equal(reference.run([layer], x), np.clip(expected, -(2**15), 2**15 - 1))


def test_space_to_depth_is_a_convolution_with_a_dense_layer() -> None:
    rng = np.random.default_rng(4)
    layer = dense(rng, 2 * 2 * 3, 7)
    x = image(rng, (2, 6, 4, 3))
    kernel = torch.from_numpy(layer.weight.T.reshape(7, 2, 2, 3).astype(np.float64)).permute(0, 3, 1, 2)
    total = F.conv2d(torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2), kernel, stride=2)
    expected = np.floor((total.permute(0, 2, 3, 1).numpy() + layer.bias) / 2.0**layer.shift)
    assert np.array_equal(reference.run([SpaceToDepth(2), layer], x), np.clip(expected, -(2**15), 2**15 - 1))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (4, 5), (5, 4)])
def test_neighbourhoods_are_a_strided_convolution_with_a_dense_layer(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    layer = dense(rng, 9 * 3, 7)
    x = image(rng, (2, *size, 3))
    kernel = torch.from_numpy(layer.weight.T.reshape(7, 3, 3, 3).astype(np.float64)).permute(0, 3, 1, 2)
    total = F.conv2d(torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2), kernel, stride=2, padding=1)
    expected = np.floor((total.permute(0, 2, 3, 1).numpy() + layer.bias) / 2.0**layer.shift)
    assert np.array_equal(reference.run([Neighbourhoods(), layer], x), np.clip(expected, -(2**15), 2**15 - 1))


def test_depth_to_space_is_a_pixel_shuffle_with_channels_last() -> None:
    x = image(np.random.default_rng(6), (2, 3, 4, 12))
    result = reference.run([DepthToSpace(2)], x)
    of_colour = x.reshape(2, 3, 4, 4, 3).swapaxes(3, 4).reshape(x.shape)  # PyTorch's order of channels
    expected = nn.PixelShuffle(2)(torch.from_numpy(of_colour).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert np.array_equal(result, expected.numpy())
    assert np.array_equal(reference.run([SpaceToDepth(2)], result), x)


@pytest.mark.parametrize("block", [1, 2, 8])
def test_pixels_come_back(block: int) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (2, 16, 24, 3), np.uint8)
    assert np.array_equal(reference.run([FromPixels(block), ToPixels(block, 0)], pixels), pixels)


def test_pixels_are_rounded_and_clipped() -> None:
    levels = np.array([-32768, -128 * 32 - 17, -17, -16, -15, 15, 16, 127 * 32 + 15, 127 * 32 + 16, 32767], np.int16)
    result = reference.run([ToPixels(1, 5)], levels.reshape(1, 1, 10, 1))
    assert result.ravel().tolist() == [0, 0, 127, 128, 128, 128, 129, 255, 255, 255]


def test_phases_alternate() -> None:
    rng = np.random.default_rng(8)
    layers = tuple(dense(rng, 6, 4) for _ in range(4))
    x = image(rng, (2, 5, 3, 6))
    result = reference.run([Phased((layers[0], layers[1], layers[2], layers[3]))], x)
    for row, column in np.ndindex(5, 3):
        alone = x[:, row : row + 1, column : column + 1]
        expected = reference.run([layers[2 * (row % 2) + column % 2]], alone)
        assert np.array_equal(result[:, row : row + 1, column : column + 1], expected)


def test_sums_saturate() -> None:
    rng = np.random.default_rng(9)
    layer = dense(rng, 8, 8, extreme=True)
    x = image(rng, (1, 4, 4, 8), extreme=True)
    expected = np.clip(x.astype(np.int64) + reference.run([layer], x), -(2**15), 2**15 - 1)
    assert {-(2**15), 2**15 - 1} <= set(expected.ravel().tolist())
    assert np.array_equal(reference.run([Sum((), (layer,))], x), expected)


def test_sums_are_watched_before_they_wrap() -> None:
    layer = Dense(np.full((32, 1), 4096, np.int16), np.zeros(1, np.int32), np.array([16], np.uint8))
    seen = []
    x = np.full((1, 1, 1, 32), 32767, np.int16)
    reference.run([layer], x, lambda of, total: seen.append((of, total.item())))
    assert seen == [(layer, 32 * 4096 * 32767)]
