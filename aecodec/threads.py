"""Work spread over threads, each with single-threaded operations.

That is faster than one thread with operations of many threads: nothing waits for the slowest thread in every operation,
and on a busy machine speed falls in proportion rather than to a fraction.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def set_threads(count: int) -> None:
    """Use so many threads from now on."""
    torch.set_num_threads(count)


def spread(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """``work`` of each part, in their order, on as many threads as PyTorch has been given, the caller's among them."""
    count = torch.get_num_threads()
    if count == 1 or len(parts) < 2:
        return [work(part) for part in parts]
    results: dict[int, Result] = {}
    waiting = deque(enumerate(parts))

    def take() -> None:
        while waiting:
            try:
                index, part = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            results[index] = work(part)

    pool = _pool(count - 1, os.getpid())
    helpers = [pool.submit(take) for _ in range(min(count, len(parts)) - 1)]
    torch.set_num_threads(1)
    try:
        take()
    finally:
        torch.set_num_threads(count)
        wait(helpers)
    for helper in helpers:
        helper.result()
    return [results[index] for index in range(len(parts))]


def spans(size: int, most: int, least: int = 1) -> list[slice]:
    """Equal parts of ``size``, none longer than ``most``; at least two where they are not shorter than ``least``."""
    count = max(-(-size // most), min(2, size // least), 1)
    return [slice(size * i // count, size * (i + 1) // count) for i in range(count)]


@lru_cache
def _pool(count: int, process: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked one has none of its parent's."""
    # The C library goes on to keep blocks of the size of the largest one freed so far; otherwise it would give every
    # activation back to the system, which fills new ones with zeros, page by page.
    np.empty(31 * 2**20, np.uint8)
    return ThreadPoolExecutor(count, initializer=_single)


def _single() -> None:
    torch.get_num_threads()  # takes over the default, which would otherwise happen after it was set
    torch.set_num_threads(1)
