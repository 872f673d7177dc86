"""Work spread over threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from aecodec import threads
from aecodec.threads import set_threads, spans, spread


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    set_threads(None)


@pytest.mark.parametrize(("size", "most", "least"), [(1, 64, 1), (5, 64, 8), (48, 64, 8), (129, 64, 8), (64, 64, 65)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_spans_cover_everything_once(size: int, most: int, least: int, count: int) -> None:
    set_threads(count)
    parts = spans(size, most, least)
    assert [i for part in parts for i in range(size)[part]] == list(range(size))
    assert all(part.stop - part.start <= most for part in parts)
    assert (len(parts) > 1) == (size > most or (count > 1 and size >= 2 * least))


@pytest.mark.parametrize("count", [1, 3])
def test_results_come_in_the_order_of_the_parts(count: int) -> None:
    set_threads(count)
    seen = spread(lambda part: (part, threading.get_ident()), range(20))
    assert [part for part, _ in seen] == list(range(20))
    assert len({ident for _, ident in seen}) <= count


def test_work_may_be_spread_again() -> None:
    set_threads(3)
    assert spread(lambda i: spread(lambda j: 10 * i + j, range(3)), range(3)) == [[0, 1, 2], [10, 11, 12], [20, 21, 22]]


def test_a_failure_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        spread(lambda part: 1 // part, [2, 1, 0])


def test_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_THREADS", "7")
    assert threads.threads() == 7
    set_threads(2)
    assert threads.threads() == 2
    set_threads(None)
    for nonsense in ("", "0", "-1", "many"):
        monkeypatch.setenv("AECODEC_THREADS", nonsense)
        assert threads.threads() >= 1
    with pytest.raises(ValueError, match="at least 1"):
        set_threads(0)


def test_a_forked_process_has_threads_of_its_own() -> None:
    code = """
import os
from aecodec.threads import set_threads, spread
set_threads(2)
spread(abs, [-1, -2])
child = os.fork()
if not child:
    os._exit(0 if spread(abs, [-3, -4]) == [3, 4] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
