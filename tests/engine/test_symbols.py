"""Compiled loops over latents equal NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aecodec.engine import _symbols, symbols
from aecodec.engine.symbols import MAX_VALUE, Native, Numpy, Step, kernels

if not symbols.native():
    pytest.skip("built without a C compiler", allow_module_level=True)

STEPS = (Step(6, 0, 6), Step(8, 2, 3), Step(64, 48, 16), Step(5, 4, 1))
SHAPE = 2, 3, 5


def integers(low: int, high: int, shape: tuple[int, ...], kind: type[Any], seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).integers(low, high, shape, kind, endpoint=True)


def same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    assert a.dtype == b.dtype
    assert np.array_equal(a, b)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_means_and_scales(step: Step, corrected: bool) -> None:
    for limit in (600, 2**15 - 1):
        parameters = integers(-limit, limit, (*SHAPE, 2 * step.all), np.int16)
        correction = integers(-limit, limit, (*SHAPE, 2 * step.count), np.int16, 1) if corrected else None
        for one, other in zip(
            *(each.expect(step, parameters, correction) for each in (Native(), Numpy())), strict=True
        ):
            same(one, other)


@pytest.mark.parametrize("step", STEPS)
def test_what_contexts_see(step: Step) -> None:
    parameters = integers(-(2**15), 2**15 - 1, (*SHAPE, 2 * step.all), np.int16)
    latents = integers(-(2**17), 2**17, (*SHAPE, step.all), np.int32)
    same(Native().known(step, parameters, latents), Numpy().known(step, parameters, latents))


@pytest.mark.parametrize("step", STEPS)
def test_latents_of_symbols(step: Step) -> None:
    values = integers(-MAX_VALUE, MAX_VALUE, (*SHAPE, step.count), np.int32)
    mean = integers(-(2**16), 2**16, (*SHAPE, step.count), np.int32, 1)
    results = []
    for each in (Native(), Numpy()):
        results.append(np.full((*SHAPE, step.all), 7, np.int32))
        each.restore(step, values, mean, results[-1])
    same(*results)


@pytest.mark.parametrize("limit", [2**9, 2**20, 2**29])
@pytest.mark.parametrize("step", STEPS)
def test_rounding(step: Step, limit: int) -> None:
    latents = integers(-limit, limit, (*SHAPE, step.all), np.int32)
    mean = integers(-64, 64, (*SHAPE, step.count), np.int32, 1)
    index = integers(0, 63, (*SHAPE, step.count), np.uint8, 2) * integers(0, 1, (*SHAPE, step.count), np.uint8, 3)
    zone = integers(512, 700, (64,), np.int32, 4)
    (one, lost), (other, expected) = (each.quantise(step, latents, mean, index, zone) for each in (Native(), Numpy()))
    same(one, other)
    assert lost == pytest.approx(expected)
    assert (lost > 0) == bool(one[index == 0].any())


@pytest.mark.parametrize("shift", [0, 1, 19, 23])
def test_gains(shift: int) -> None:
    factor = integers(0, 2**28 if shift > 16 else 2**14, (24,), np.int64)
    y = integers(-(2**15), 2**15 - 1, (*SHAPE, 24), np.int16)
    latents = integers(-(2**26), 2**26, (*SHAPE, 24), np.int32)
    same(Native().scale(y, factor, shift), Numpy().scale(y, factor, shift))
    same(Native().scale_saturated(y, factor, shift), Numpy().scale_saturated(y, factor, shift))
    same(Native().unscale(latents, factor, shift), Numpy().unscale(latents, factor, shift))


def test_parts_of_arrays_are_taken_as_they_are() -> None:
    step = STEPS[1]
    parameters = integers(-600, 600, (2, 5, 7, 16), np.int16)[:, 1:4, ::2]
    for one, other in zip(*(each.expect(step, parameters, None) for each in (Native(), Numpy())), strict=True):
        same(one, other)


def test_numpy_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels() == Native()
    monkeypatch.setenv("AECODEC_KERNELS", "numpy")
    assert kernels() == Numpy()


STEP = 4, 8, 2, 3
GOOD = (np.array([0, 3], np.int32), np.zeros(1, np.int32), np.array([0, 9, 2**24], np.uint32), np.zeros(512, np.uint16))


@pytest.mark.parametrize("step", [(-1, 8, 2, 3), (4, 8, 6, 3), (4, 8, -1, 3), (2**62, 8, 2, 3), (4, 8, 2, 4)])
def test_steps_that_do_not_fit_their_arrays_are_refused(step: tuple[int, int, int, int]) -> None:
    arrays = np.zeros((4, 3), np.int32), np.zeros((4, 3), np.int32), np.zeros((4, 8), np.int32)
    _symbols.restore(STEP, *arrays)
    with pytest.raises(ValueError, match=r"step|bytes"):
        _symbols.restore(step, *arrays)


@pytest.mark.parametrize(
    "tables",
    [
        (GOOD[0][:1], *GOOD[1:]),
        (np.array([0, 4], np.int32), *GOOD[1:]),
        (np.array([1, 3], np.int32), *GOOD[1:]),
        (*GOOD[:2], np.array([0, 0, 2**24], np.uint32), GOOD[3]),
        (*GOOD[:2], np.array([1, 9, 2**24], np.uint32), GOOD[3]),
        (*GOOD[:2], np.array([0, 9, 2**24 - 1], np.uint32), GOOD[3]),
        (*GOOD[:3], np.full(512, 2, np.uint16)),
        (*GOOD[:3], GOOD[3][:-1]),
    ],
)
def test_tables_that_are_none_are_refused(tables: symbols.Tables) -> None:
    one = np.zeros(1, np.int32), np.zeros(1, np.uint8)
    symbols.encode(np.array([0, 2**64 - 1, 0, 0], np.uint64), GOOD, 0, *one)
    with pytest.raises(ValueError, match=r"tables|bytes"):
        symbols.encode(np.array([0, 2**64 - 1, 0, 0], np.uint64), tables, 0, *one)


def test_indexes_beyond_the_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="index"):
        symbols.encode(np.array([0, 2**64 - 1, 0, 0], np.uint64), GOOD, 0, np.zeros(1, np.int32), np.ones(1, np.uint8))
    with pytest.raises(ValueError, match="state"):
        symbols.decode(np.zeros(4, np.uint64), np.zeros(2, np.uint32), GOOD, 0, np.zeros(1, np.uint8))
