"""Qualities are scores, as far as the model reaches."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.networks.gains import quality_map
from aecodec.training.calibration import quality_knots

POSITIONS = np.linspace(0, 1, 15)


@pytest.mark.parametrize(("lowest", "highest"), [(-20, 93), (10, 97), (40, 80)])
def test_a_quality_is_the_score_that_it_gives(lowest: float, highest: float) -> None:
    scores = lowest + (highest - lowest) * POSITIONS**0.7
    knots = quality_knots(list(zip(POSITIONS, scores, strict=True)))
    qualities, positions = zip(*knots, strict=True)
    assert qualities[1] <= max(30, lowest) + 5
    assert qualities[-2] >= min(95, highest) - 5
    for quality in range(int(qualities[1]), int(qualities[-2]) + 1):
        assert np.interp(np.interp(quality, qualities, positions), POSITIONS, scores) == pytest.approx(quality, abs=1)
    assert (knots[0], knots[-1]) == ((1, 0), (100, 1))
    quality_map(knots)  # rises, or it would raise


def test_scores_that_do_not_always_rise_do_no_harm() -> None:
    scores = np.array([0, 20, 15, 40, 60, 59, 70, 80, 80, 85, 90, 89, 91, 92, 91.5])
    quality_map(quality_knots(list(zip(POSITIONS, scores, strict=True))))


def test_a_model_that_reaches_no_score_keeps_its_even_qualities() -> None:
    assert quality_knots([(0, -80), (1, 20)]) == [(1, 0), (100, 1)]
