"""Runs hostile files in a process of their own, with a limit of memory and time, and says what went wrong."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import numpy as np

from aecodec.errors import AecError
from aecodec.threads import set_threads
from tests.attack.trials import KINDS

SECONDS = 5  # that one file may take
MEMORY = 2**30  # bytes, beyond what the process has when it begins


@dataclass
class Findings:
    """What became of the files of a kind."""

    kind: str
    files: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by the error
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0  # seconds
    memory: int = 0  # bytes, more than at the beginning

    def __str__(self) -> str:
        """One line."""
        refused = ", ".join(f"{count} {name}" for name, count in self.refused.most_common())
        more = f"slowest {self.slowest:.2f} s, {self.memory / 2**20:.0f} MiB more memory"
        taken = self.files - self.refused.total() - len(self.wrong)
        return f"{self.kind}: {self.files} files, {len(self.wrong)} wrong, {taken} taken, refused: {refused}; {more}"


class _TooSlow(BaseException):
    """A file took more than SECONDS; no handler of the code under attack catches it."""


def attack(kind: str, seeds: Sequence[int]) -> Findings:
    """Try the files of a kind with these seeds. A process that dies is noted, and the next one goes on after it."""
    findings, position = Findings(kind), 0
    while position < len(seeds):
        ours, theirs = Pipe(duplex=False)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _work(kind, seeds[position:], theirs)
        theirs.close()
        position = _listen(ours, findings, position)
        _, status = os.waitpid(child, 0)
        if position < len(seeds):
            findings.wrong.append(f"seed {seeds[position]}: the process died ({status})")
            findings.files += 1
            position += 1
    return findings


def _listen(connection: Connection, findings: Findings, position: int) -> int:
    """Note what a process reports; how far it got."""
    while True:
        try:
            seed, outcome, seconds, memory = connection.recv()
        except EOFError:
            return position
        position += 1
        findings.files += 1
        findings.slowest, findings.memory = max(findings.slowest, seconds), max(findings.memory, memory)
        if outcome.startswith("!"):
            findings.wrong.append(f"seed {seed}: {outcome[1:]}")
        elif outcome:
            findings.refused[outcome] += 1


def _work(kind: str, seeds: Sequence[int], report: Connection) -> None:
    """Try one file after the other. Ends the process."""
    signal.signal(signal.SIGALRM, _too_slow)
    set_threads(1)
    warnings.simplefilter("ignore")
    try:
        _try_all(kind, seeds, report)
    finally:
        os._exit(0)  # whatever happened: this is not the process that goes on


def _try_all(kind: str, seeds: Sequence[int], report: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="aecodec-attack-") as folder:
        before = 0
        for index, seed in enumerate(seeds):
            began = time.process_time()
            outcome = _outcome(kind, seed, Path(folder))
            seconds = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if index == 0:  # which made the sound files, and loaded what they need
                before, seconds = peak, 0.0
                resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, resource.RLIM_INFINITY))
            report.send((seed, outcome, seconds, peak - before))


def _outcome(kind: str, seed: int, folder: Path) -> str:
    """The name of our error, nothing where the file was taken, or what is wrong with an exclamation mark before it."""
    began = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_REAL, 30 * SECONDS)
        KINDS[kind](np.random.default_rng(seed), folder)
        return "" if time.process_time() - began < SECONDS else f"!took {time.process_time() - began:.1f} s"
    except AecError as error:
        said = str(error)
        if not said:
            return f"!{type(error).__name__} without a word"
        return type(error).__name__ if time.process_time() - began < SECONDS else "!slow to refuse"
    except _TooSlow:
        return f"!more than {30 * SECONDS} s"
    except MemoryError:
        return "!MemoryError"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"!{type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_slow(_: int, __: FrameType | None) -> None:
    raise _TooSlow


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
