"""Processes that are ended: nothing unfinished is left, or it is found by the next run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aecodec import files
from aecodec.errors import OutputError
from tests.commands import ENVIRONMENT, GREY, compress, listing, save

PARTS = f"{files.PART_PREFIX}*{files.PART_SUFFIX}"


def ended_amid(folder: Path, number: signal.Signals) -> subprocess.CompletedProcess[bytes]:
    """A process that writes an archive of many pictures, and gets a signal when there is a part of it."""
    command = [sys.executable, "-m", "aecodec", "compress", "--model", "tiny", "in", "-r", "-o", "out/a.zip"]
    environment = os.environ | ENVIRONMENT
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        while run.poll() is None and not [*(folder / "out").glob(PARTS)]:
            time.sleep(0.02)
        run.send_signal(number)
        out, error = run.communicate(timeout=60)
        return subprocess.CompletedProcess(command, run.returncode, out, error)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for i in range(200):
        save(tmp_path / "in" / f"{i}.png", GREY)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_like_ctrl_c(many: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("ignored by whoever started the tests, and so by what they start")
    ended = ended_amid(many, number)
    assert (ended.returncode, ended.stderr) == (128 + number, b"aecodec: interrupted\n")
    assert listing(many / "out") == set()


def test_what_a_killed_run_leaves_is_removed_by_the_next(many: Path) -> None:
    assert ended_amid(many, signal.SIGKILL).returncode == -signal.SIGKILL
    assert len(listing(many / "out")) == 1
    said = compress(many / "in" / "1.png", "-o", many / "out" / "a.zip").stderr
    assert said.startswith("aecodec: removed 1 unfinished file of runs that were killed\n")
    assert listing(many / "out") == {"a.zip"}


def test_what_is_being_written_is_no_leftover(here: Path) -> None:
    with files.new_file(here / "a") as file:
        assert files.remove_abandoned(here) == 0
        file.write(b"mine")
    assert (here / "a").read_bytes() == b"mine"
    (here / f"{files.PART_PREFIX}0{files.PART_SUFFIX}").mkdir()
    (here / "of-another-program.part").write_bytes(b"dear")
    assert files.remove_abandoned(here) == 1
    assert listing(here) == {"a", "of-another-program.part"}


def test_a_folder_is_written_as_a_whole_or_not_at_all(here: Path) -> None:
    files.write_folder_atomically(here / "new", {"a": b"1", "b": b"2"})
    assert listing(here) == {"new/a", "new/b"}
    with pytest.raises(OutputError, match="new: exists already"):
        files.write_folder_atomically(here / "new", {"c": b""})
    with pytest.raises(OutputError, match="other: cannot write"):
        files.write_folder_atomically(here / "other", {"a": b"1", "no/such": b"2"})
    assert listing(here) == {"new/a", "new/b"}
