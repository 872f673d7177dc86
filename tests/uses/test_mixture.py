"""A mixture over hyper latents: fitted, stored, drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.errors import ModelError
from aecodec.uses.mixture import ROUNDING, _maximise, fit, stored
from aecodec.weights import Arrays


def test_two_clouds_are_found() -> None:
    random = np.random.default_rng(0)
    clouds = np.concatenate([random.normal(0, 1, (300, 3)), random.normal(9, 2, (100, 3))])
    weight, mean, covariance = _maximise(clouds, 2, random)
    order = np.argsort(mean[:, 0])
    assert np.allclose(weight[order], [0.75, 0.25], atol=0.02)
    assert np.allclose(mean[order], [[0] * 3, [9] * 3], atol=0.8)
    assert np.allclose(np.diagonal(covariance[order], axis1=1, axis2=2).mean(1), [1, 4], rtol=0.4, atol=ROUNDING)


def test_a_mixture_is_stored_and_draws_what_it_was_fitted_to(tiny: Codec) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (120, 24, 24), np.uint8)
    mixture = fit(tiny, pictures)
    assert mixture is not None
    again = stored(mixture.tensors())
    assert again is not None
    assert again.size == (24, 24)
    drawn = again.draw(2000, np.random.default_rng(0))
    assert np.allclose(drawn.mean(0), (mixture.weight[:, None] * mixture.mean).sum(0), atol=0.3)
    assert stored({}) is None
    damaged: Arrays = {name: part for name, part in mixture.tensors().items() if name != "sampler.mean"}
    with pytest.raises(ModelError, match="does not fit together"):
        stored(damaged)


def test_few_or_large_pictures_have_no_mixture(tiny: Codec) -> None:
    assert fit(tiny, np.zeros((10, 24, 24), np.uint8)) is None
    assert fit(tiny, np.zeros((60, 2000, 2000), np.uint8)) is None
