"""Native kernels against the reference, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aecodec.engine import (
    Dense,
    DepthToSpace,
    FromPixels,
    Layer,
    Neighbourhoods,
    Network,
    Phased,
    SpaceToDepth,
    Sum,
    ToPixels,
    available,
    reference,
)
from tests.engine.networks import block, dense, depthwise, image


@pytest.fixture(params=available())
def kernels(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(layers: Sequence[Layer], x: np.ndarray, kernels: str) -> None:
    expected = reference.run(layers, x)
    result = Network(layers, kernels)(x)
    assert result.dtype == expected.dtype
    assert np.array_equal(result, expected)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("outputs", [1, 7, 16, 33, 64, 100])
@pytest.mark.parametrize("inputs", [1, 2, 37, 64])
def test_dense(kernels: str, inputs: int, outputs: int, extreme: bool) -> None:
    rng = np.random.default_rng(inputs * outputs)
    for positions in (1, 5, 6, 7, 29):
        x = image(rng, (1, 1, positions, inputs), extreme)
        check([dense(rng, inputs, outputs, None, extreme)], x, kernels)


@pytest.mark.parametrize("slope", [0, 1, 3277, 4096, 32767])
@pytest.mark.parametrize("extreme", [False, True])
def test_leaky_and_sums(kernels: str, slope: int, extreme: bool) -> None:
    rng = np.random.default_rng(slope)
    layers: list[Layer] = [Sum((), (dense(rng, 48, 48, slope, extreme),)), dense(rng, 48, 48, slope, extreme)]
    check(layers, image(rng, (2, 5, 7, 48), extreme), kernels)


def test_every_int16_through_a_leaky_layer(kernels: str) -> None:
    x = np.arange(-(2**15), 2**15).astype(np.int16).reshape(1, 256, 256, 1)
    identity = np.ones((1, 1), np.int16), np.zeros(1, np.int32), np.zeros(1, np.uint8)
    for slope in (1, 3277, 16385, 32767):
        check([Dense(*identity, slope)], x, kernels)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("channels", [1, 8, 16, 31, 48])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (7, 6)])
def test_depthwise(kernels: str, channels: int, size: tuple[int, int], extreme: bool) -> None:
    rng = np.random.default_rng(channels)
    check([depthwise(rng, channels, extreme)], image(rng, (3, *size, channels), extreme), kernels)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (9, 9)])
def test_strided(kernels: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    layers: list[Layer] = [Neighbourhoods(), dense(rng, 45, 6, 3277), Neighbourhoods(), dense(rng, 54, 5)]
    check(layers, image(rng, (3, *size, 5)), kernels)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_phases(kernels: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    before = dense(rng, 20, 20, 4096)
    phases = Phased((dense(rng, 20, 18), dense(rng, 20, 18), dense(rng, 20, 18), dense(rng, 20, 18)))
    check([before, phases], image(rng, (2, *size, 20)), kernels)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 40)])
def test_convolutional_synthesis(kernels: str, n: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    layers: list[Layer] = [
        *block(rng, 24),
        dense(rng, 24, 80),
        DepthToSpace(2),
        *block(rng, 20),
        dense(rng, 20, 192),
        ToPixels(8, 5),
    ]
    check(layers, image(rng, (n, *size, 24)), kernels)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("size", [(16, 16), (48, 32), (144, 336)])
def test_convolutional_analysis(kernels: str, n: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    layers: list[Layer] = [
        FromPixels(8),
        dense(rng, 192, 20),
        *block(rng, 20),
        SpaceToDepth(2),
        dense(rng, 80, 24),
        *block(rng, 24),
    ]
    check(layers, rng.integers(0, 256, (n, *size, 3), np.uint8), kernels)


def test_many_wide_rows_pass_through_little_memory(kernels: str) -> None:
    rng = np.random.default_rng(5)
    layers: list[Layer] = [*block(rng, 32), Neighbourhoods(), dense(rng, 288, 32), *block(rng, 32)]
    check(layers, image(rng, (2, 61, 200, 32)), kernels)


def test_branches_on_both_sides(kernels: str) -> None:
    rng = np.random.default_rng(6)
    deep = (dense(rng, 49, 40, 3277), dense(rng, 40, 40, 3277), dense(rng, 40, 12))
    layers: list[Layer] = [FromPixels(7), Sum((dense(rng, 49, 12),), deep)]
    check(layers, rng.integers(0, 256, (9, 28, 28, 1), np.uint8), kernels)


def test_branches_with_different_delays(kernels: str) -> None:
    rng = np.random.default_rng(7)
    first = (depthwise(rng, 16), depthwise(rng, 16))
    second = (dense(rng, 16, 16, 3277), depthwise(rng, 16), Sum((), (dense(rng, 16, 16),)), dense(rng, 16, 16))
    check([Sum(first, second)], image(rng, (2, 40, 70, 16)), kernels)


def test_saturating_network(kernels: str) -> None:
    rng = np.random.default_rng(8)
    layers: list[Layer] = [
        *block(rng, 32, extreme=True),
        dense(rng, 32, 64, 4096, True),
        DepthToSpace(2),
        ToPixels(2, 7),
    ]
    check(layers, image(rng, (2, 12, 12, 32), extreme=True), kernels)


def test_views_are_taken(kernels: str) -> None:
    rng = np.random.default_rng(9)
    x = image(rng, (2, 20, 20, 16))
    layers = list(block(rng, 16))
    assert np.array_equal(Network(layers, kernels)(x[:, 3:-2, ::2]), reference.run(layers, x[:, 3:-2, ::2].copy()))


@pytest.mark.parametrize("rows", [slice(0, 1), slice(7, 40), slice(33, 34), slice(40, None), slice(5, 5)])
@pytest.mark.parametrize("n", [1, 2])
def test_some_rows(kernels: str, n: int, rows: slice) -> None:
    rng = np.random.default_rng(11)
    up: list[Layer] = [*block(rng, 16), DepthToSpace(2), *block(rng, 4), dense(rng, 4, 8), DepthToSpace(2)]
    down: list[Layer] = [
        *block(rng, 8),
        Neighbourhoods(),
        dense(rng, 72, 8),
        SpaceToDepth(2),
        *block(rng, 32),
        dense(rng, 32, 16),
    ]
    for layers, shape in (
        (up, (n, 11, 6, 16)),
        (up[:-1], (n, 21, 6, 16)),
        (down, (n, 180, 8, 8)),
        (down, (n, 175, 8, 8)),
    ):
        x = image(rng, shape)
        assert np.array_equal(Network(layers, kernels)(x, rows), reference.run(layers, x)[:, rows])
    pixels: list[Layer] = [*block(rng, 16), dense(rng, 16, 64), ToPixels(4, 5)]
    x = image(rng, (n, 11, 6, 16))
    assert np.array_equal(Network(pixels, kernels)(x, rows), reference.run(pixels, x)[:, rows])


def test_threads_share_a_network(kernels: str) -> None:
    rng = np.random.default_rng(10)
    network = Network(block(rng, 32), kernels)
    inputs = [image(rng, (1, 8 + i, 12, 32)) for i in range(16)]
    expected = [reference.run(network.layers, x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for result, right in zip(pool.map(network, inputs), expected, strict=True):
            assert np.array_equal(result, right)


def test_environment_chooses(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_KERNELS", kernels)
    assert Network([SpaceToDepth(2)]).kernels == kernels


def test_fastest_kernels_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AECODEC_KERNELS", raising=False)
    assert Network([SpaceToDepth(2)]).kernels == available()[0]


def test_unknown_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_KERNELS", "mmx")
    with pytest.raises(ValueError, match=r"AECODEC_KERNELS=mmx: this machine can run .*numpy"):
        Network([SpaceToDepth(2)])


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([dense(np.random.default_rng(0), 4, 4)], (1, 2, 2, 5), "Dense cannot take 2 rows, 2 columns, 5 channels"),
        ([SpaceToDepth(2)], (1, 3, 2, 5), "SpaceToDepth cannot take 3 rows"),
        ([DepthToSpace(2)], (1, 3, 2, 6), "DepthToSpace cannot take"),
        ([Sum((), (dense(np.random.default_rng(0), 4, 5),))], (1, 2, 2, 4), "branches of a sum give"),
    ],
)
def test_misfits(layers: list[Layer], shape: tuple[int, ...], message: str, kernels: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(layers, kernels)(np.zeros(shape, np.int16))


def test_wrong_types(kernels: str) -> None:
    with pytest.raises(ValueError, match="int32, not 4 and int16"):
        Network([SpaceToDepth(2)], kernels)(np.zeros((1, 2, 2, 1), np.int32))
    with pytest.raises(ValueError, match="int16, not 4 and uint8"):
        Network([FromPixels(2)], kernels)(np.zeros((1, 2, 2, 1), np.int16))


def test_no_pictures(kernels: str) -> None:
    assert Network([DepthToSpace(2)], kernels)(np.zeros((0, 2, 2, 8), np.int16)).shape == (0, 4, 4, 2)


def test_layers_out_of_range() -> None:
    weight, bias, shift = np.ones((2, 2), np.int16), np.zeros(2, np.int32), np.zeros(2, np.uint8)
    with pytest.raises(ValueError, match="beyond"):
        Dense(weight * np.int16(-32768), bias, shift)
    with pytest.raises(ValueError, match="beyond"):
        Dense(weight, bias, shift + np.uint8(32))
    with pytest.raises(ValueError, match="slope"):
        Dense(weight, bias, shift, 2**15)
    with pytest.raises(ValueError, match="not int16"):
        Dense(weight, bias.astype(np.int64), shift)
    with pytest.raises(ValueError, match="do not fit together"):
        Dense(weight, bias[:1], shift)
    with pytest.raises(ValueError, match="in the middle"):
        Network([SpaceToDepth(2), FromPixels(2)])
