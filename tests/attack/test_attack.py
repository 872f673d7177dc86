"""A small part of the attack of ``python -m tests.attack``, and that it would notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aecodec.errors import FormatError
from tests.attack import runner
from tests.attack.mutations import Random
from tests.attack.trials import KINDS

ROOT = Path(__file__).parent.parent.parent


def test_hostile_files_are_refused_or_harmless() -> None:
    command = [sys.executable, "-m", "tests.attack", "--files", "60", "--kills", "0", "--first", "100000"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [*KINDS]
    assert all(": 60 files, 0 wrong" in line for line in lines)


def _foreign(_: Random, __: Path) -> None:
    raise ZeroDivisionError("of a library")


def _dead(random: Random, _: Path) -> None:
    if random.random() < 0.5:
        os._exit(3)


def _ours(_: Random, __: Path) -> None:
    raise FormatError("wrong")


def _greedy(_: Random, folder: Path) -> None:
    """By the first one the memory is measured that a process has."""
    first = folder / "first"
    if first.exists():
        bytearray(3 * runner.MEMORY)
    first.touch()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes by fork here")
def test_what_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for trial, found in ((_foreign, "ZeroDivisionError: of a library"), (_dead, "the process died")):
        monkeypatch.setitem(KINDS, "odd", trial)
        findings = runner.attack("odd", range(8))
        assert findings.files == 8
        assert findings.wrong
        assert all(found in each for each in findings.wrong)
    monkeypatch.setitem(KINDS, "odd", _ours)
    findings = runner.attack("odd", range(8))
    assert (findings.wrong, findings.refused) == ([], {"FormatError": 8})
    monkeypatch.setitem(KINDS, "odd", _greedy)
    assert runner.attack("odd", range(2)).wrong == ["seed 1: MemoryError"]
