"""Advice at the end of a run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aecodec.evaluation.verdict import Extent, Other, Verdict
from aecodec.training.advice import better_start, more_minutes


def records(losses: np.typing.NDArray[np.float64]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [{"step": i, "loss": float(loss)} for i, loss in enumerate(losses)]
    return [*found, {"step": 1, "bd_rate": -3.0}]


def test_a_falling_loss_asks_for_more_minutes() -> None:
    steps, noise = np.arange(1, 201), np.random.default_rng(0).normal(0, 0.01, 200)
    assert "the loss still falls, 8% in the last fifth" in more_minutes(records(2 * steps**-0.35 + noise))
    assert more_minutes(records(1 + steps**-1.5 + noise)) == ""


def test_a_short_run_says_nothing() -> None:
    assert more_minutes(records(np.linspace(2, 1, 39))) == ""
    assert more_minutes([]) == ""


@pytest.mark.parametrize(
    ("percent", "said"),
    [
        (7.0, "6.5 % fewer bytes than this model"),
        (0.0, "needs no more bytes than this model"),
        (-4.0, "only 4.2 % more bytes than this model"),
        (-8.0, ""),
        (None, ""),
        (math.inf, "photo makes better ones at all qualities"),
    ],
)
def test_a_start_from_the_photo_model_is_advised(percent: float | None, said: str) -> None:
    rate = None if percent == math.inf else percent
    others = (Other("JPEG", 2.0, -50.0), Other("photo model", None, rate, beyond=percent == math.inf))
    advice = better_start(Verdict(Extent(4, 40_000), Extent(100, 800_000), 35.0, 1.0, others, 50_000))
    assert advice.startswith("--init photo would suit these pictures: ") == bool(said)
    assert advice.endswith(said)
