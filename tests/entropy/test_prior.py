"""The networks of the prior, permuted and in strips, compute what the whole networks compute."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.engine import Network
from aecodec.networks import fixed_point
from aecodec.networks.config import context_names
from aecodec.threads import set_threads
from aecodec.weights import load_weights
from tests.conftest import TINY


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_parameters_are_those_of_the_hyper_synthesis(tiny: Codec, size: tuple[int, int]) -> None:
    z = np.random.default_rng(0).integers(-20, 20, (2, *size, tiny.card.config.hyper_channels), np.int16)
    layers = fixed_point.hyper_synthesis(tiny.card.config, fixed_point.stored(load_weights(TINY).arrays))
    expected, found = Network(layers)(z), tiny.prior.hyper_synthesis(z)
    for expected_half, half in zip(np.split(expected, 2, -1), np.split(found, 2, -1), strict=True):
        assert np.array_equal(tiny.prior.restored(half.astype(np.int32)), expected_half)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (12, 9)])
@pytest.mark.parametrize("step", [1, 2])
def test_a_context_says_what_the_whole_network_says(photo: Codec, size: tuple[int, int], step: int) -> None:
    config, prior, rng = photo.card.config, photo.prior, np.random.default_rng(0)
    make = fixed_point.stored(photo.weights.arrays)
    whole = Network(fixed_point.context(config, context_names(config)[step - 1], make))
    parameters = rng.integers(-500, 500, (1, *size, 2 * prior.channels), np.int32)
    latents = rng.integers(-500, 500, (1, *size, prior.channels), np.int32)
    latents[..., prior.order.part(step, prior.channels).start :] = 0  # not known yet
    ordered = [*np.split(parameters, 2, -1), latents]
    expected = whole(np.concatenate([prior.restored(x) for x in ordered], -1).astype(np.int16))
    known = latents[..., : prior.order.part(step, prior.channels).start]
    found = prior.contexts[step - 1](np.concatenate([parameters, known], -1).astype(np.int16))
    for expected_half, half in zip(np.split(expected, 2, -1), np.split(found, 2, -1), strict=True):
        part = prior.ordered(expected_half.astype(np.int32))[..., prior.order.part(step, prior.channels)]
        assert np.array_equal(half, part)


@pytest.mark.parametrize("height", [1, 7, 8, 21])
def test_strips_make_no_difference(tiny: Codec, height: int) -> None:
    channels = tiny.prior.channels
    step = tiny.prior.order.part(1, channels)
    x = np.random.default_rng(0).integers(-900, 900, (2, height, 3, 2 * channels + step.start), np.int16)
    z = np.random.default_rng(0).integers(-9, 9, (2, height, 3, tiny.card.config.hyper_channels), np.int16)
    results = []
    for count in (1, 2, 5):
        set_threads(count)
        try:
            results.append((tiny.prior.contexts[0](x), tiny.prior.hyper_synthesis(z)))
        finally:
            set_threads(None)
    for corrections, parameters in results[1:]:
        assert np.array_equal(corrections, results[0][0])
        assert np.array_equal(parameters, results[0][1])
