"""Advice at the end of a run."""

from __future__ import annotations

import numpy as np

from aecodec.training.advice import more_minutes


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
