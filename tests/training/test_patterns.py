"""Drawn patterns: what they are, and that crops have as many of them as asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aecodec.training import patterns
from aecodec.training.data import Crops
from aecodec.training.pictures import TrainingPicture


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("size", [16, 64, 256])
def test_patterns_of_every_size_are_pictures(size: int, colours: int) -> None:
    for seed in range(60):
        pattern = patterns.draw(np.random.default_rng(seed), size, colours)
        assert pattern.shape == (size, size, colours)
        assert pattern.dtype == np.uint8


def test_the_same_seed_draws_the_same_pattern_and_another_one_another() -> None:
    first, again, other = (patterns.draw(np.random.default_rng(seed), 64, 3) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_pixel_stripes_and_checks_are_among_them() -> None:
    def alternates(pattern: np.ndarray) -> bool:
        change = np.abs(np.diff(pattern.astype(int), axis=1)).max(-1)
        return bool((change > 64).mean() > 0.9)

    for kind in (patterns.stripes, patterns.checks):
        drawn = (kind(np.random.default_rng(seed), 64, 3) for seed in range(60))
        assert any(alternates(pattern) for pattern in drawn)


def test_a_share_of_the_crops_are_patterns() -> None:
    pictures = [TrainingPicture(Path("grey.png"), np.full((64, 64, 3), 77, np.uint8))]
    for share, low, high in ((0.0, 0, 0), (0.25, 35, 65), (1.0, 200, 200)):
        crops, _ = Crops(pictures, 64, pattern_share=share).batch(0, 200)
        assert low <= (crops != 77).any((1, 2, 3)).sum() <= high


def test_patterns_do_not_change_which_crops_the_others_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    pictures = [TrainingPicture(Path("noise.png"), pixels)]
    plain, some = (Crops(pictures, 64, pattern_share=share).batch(3, 40) for share in (0.0, 0.2))
    same = (plain[0] == some[0]).all((1, 2, 3))
    assert 20 < same.sum() < 40
    assert np.array_equal(plain[1], some[1])
