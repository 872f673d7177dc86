"""Work spread over threads."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

from aecodec.threads import spans, spread


@pytest.mark.parametrize(("size", "most", "least"), [(1, 64, 1), (5, 64, 8), (48, 64, 8), (129, 64, 8), (64, 64, 65)])
def test_spans_cover_everything_once(size: int, most: int, least: int) -> None:
    parts = spans(size, most, least)
    assert [i for part in parts for i in range(size)[part]] == list(range(size))
    assert all(part.stop - part.start <= most for part in parts)
    assert (len(parts) > 1) == (size > most or size >= 2 * least)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_parts(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        seen = spread(lambda part: (part, torch.get_num_threads(), threading.get_ident()), range(20))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [part for part, _, _ in seen] == list(range(20))
    assert {count for _, count, _ in seen} == {1}
    assert (threading.get_ident() in {ident for _, _, ident in seen}) == (threads == 1)


def test_a_failure_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        spread(lambda part: 1 // part, [2, 1, 0])


def test_a_forked_process_has_threads_of_its_own() -> None:
    code = """
import os, torch
from aecodec.threads import spread
torch.set_num_threads(2)
spread(abs, [-1, -2])
child = os.fork()
if not child:
    os._exit(0 if spread(abs, [-3, -4]) == [3, 4] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
