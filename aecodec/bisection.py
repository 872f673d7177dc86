"""Bisection over integers whose results grow with them, such as files with the quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def last_that_fits(low: int, high: int, make: Callable[[int], T], fits: Callable[[T], bool]) -> T:
    """What ``make`` gives for the largest integer of ``low .. high`` that fits; for ``low`` where none does."""
    best = make(low)
    while low < high and fits(best):
        middle = (low + high + 1) // 2
        tried = make(middle)
        if fits(tried):
            low, best = middle, tried
        else:
            high = middle - 1
    return best


def most_tries(low: int, high: int) -> int:
    """How often :func:`last_that_fits` calls ``make``, at most."""
    return 1 + (high - low).bit_length()
