"""Work spread over threads. What it calls is NumPy's or native, runs on one thread and does not hold the interpreter.

How many threads there are is decided, in this order, by :func:`set_threads`, the environment variable AECODEC_THREADS
and the number of processors that this process may use. Results do not depend on it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

import numpy as np

ENVIRONMENT = "AECODEC_THREADS"

Part = TypeVar("Part")
Result = TypeVar("Result")

_chosen: int | None = None


def set_threads(count: int | None) -> None:
    """Use so many threads from now on; None: as many as the environment or the machine says. Raises ValueError."""
    global _chosen
    if count is not None and count < 1:
        raise ValueError(f"{count} threads; at least 1 is needed")
    _chosen = count


def threads() -> int:
    """How many threads work is spread over."""
    if _chosen is not None:
        return _chosen
    given = os.environ.get(ENVIRONMENT, "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    usable = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(usable(0)) if usable else os.cpu_count() or 1


def spread(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """``work`` of each part, in their order, on up to :func:`threads` threads, the caller's among them."""
    count = min(threads(), len(parts))
    if count < 2:
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

    helpers = [_pool(threads() - 1).submit(take) for _ in range(count - 1)]
    try:
        take()
    finally:
        # What has not begun would find nothing to do. It is not waited for: where work is spread again, the thread that
        # would take it out of the queue may itself be one that waits.
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()
    return [results[index] for index in range(len(parts))]


def spans(size: int, most: int, least: int = 1) -> list[slice]:
    """Equal parts of ``size``, none longer than ``most``; one a thread where they are not shorter than ``least``."""
    count = max(-(-size // most), min(threads(), size // least), 1)
    return [slice(size * i // count, size * (i + 1) // count) for i in range(count)]


@lru_cache
def _pool(count: int) -> ThreadPoolExecutor:
    # The C library goes on to keep blocks of the size of the largest one freed so far; otherwise it would give every
    # activation back to the system, which fills new ones with zeros, page by page.
    np.empty(31 * 2**20, np.uint8)
    return ThreadPoolExecutor(count)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of its parent's threads
