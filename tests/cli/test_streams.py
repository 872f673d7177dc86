"""Streams, terminals and processes."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec.cli.progress import Progress
from aecodec.codec import Codec
from tests.commands import (
    COLOUR,
    ENVIRONMENT,
    GREY,
    answer_without_pytorch,
    cli,
    compress,
    listing,
    load,
    process,
    save,
)
from tests.conftest import TINY


def test_streams(here: Path, tiny: Codec) -> None:
    source = save(here / "a.png").read_bytes()
    data = tiny.encode(COLOUR)
    assert compress("-", stdin=source).stdout_bytes == data
    assert compress("a.png", "-o", "-").stdout_bytes == data
    compress("-", "-o", "b.aec", stdin=source)
    assert (here / "b.aec").read_bytes() == data
    restored = cli("decompress", "-", stdin=data).stdout_bytes
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(restored))), tiny.decode(data))
    assert cli("decompress", "b.aec", "-o", "-", "--format", "webp").stdout_bytes.startswith(b"RIFF")
    assert "stdin: not a picture" in compress("-", stdin=b"nonsense", code=1).stderr
    assert "stdin: the file is empty" in cli("decompress", "-", stdin=b"", code=1).stderr
    assert "b.aec: exists already" in compress("-", "-o", "b.aec", stdin=source, code=1).stderr
    assert listing(here) == {"a.png", "b.aec"}


@pytest.mark.parametrize("command", ["decompress", "test", "info"])
def test_a_named_pipe_is_read_once(here: Path, tiny: Codec, command: str) -> None:
    os.mkfifo(here / "pipe.aec")
    writer = threading.Thread(target=(here / "pipe.aec").write_bytes, args=(tiny.encode(COLOUR),))
    writer.start()
    cli(command, "pipe.aec", *(["-o", "out/"] if command == "decompress" else []))
    writer.join()
    if command == "decompress":
        assert np.array_equal(np.asarray(Image.open(here / "out" / "pipe.png")), tiny.decode(tiny.encode(COLOUR)))


def test_a_stream_without_an_end_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aecodec.cli.sources.MAX_STREAM_BYTES", 10**6)
    for arguments in (("compress", "/dev/zero", "-o", "x.aec"), ("test", "/dev/zero")):
        assert cli(*arguments, code=1).stderr == "aecodec: /dev/zero: more than 1000000 bytes\n"


def test_a_pipe_of_processes_says_nothing_but_the_picture(tmp_path: Path, tiny: Codec) -> None:
    source = save(tmp_path / "a.png").read_bytes()
    coded = process("compress", "--model", "tiny", "-", input=source)
    assert (coded.returncode, coded.stdout, coded.stderr) == (0, tiny.encode(COLOUR), b"")
    restored = process("decompress", "-", "-o", "-", input=coded.stdout)
    assert (restored.returncode, restored.stderr) == (0, b"")
    assert Image.open(io.BytesIO(restored.stdout)).size == (90, 60)


def test_a_full_stdout_is_one_line(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    command = [sys.executable, "-m", "aecodec"]
    compress(tmp_path / "a.png")
    for arguments in (["info", "a.aec"], ["compress", "--model", "tiny", "a.png", "-o", "-"]):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                [*command, *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=tmp_path,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)},
                check=False,
            )
        assert (result.returncode, result.stderr) == (1, b"aecodec: stdout: No space left on device\n")


def test_a_reader_that_leaves_is_not_an_error_message(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    compress(tmp_path / "a.png")
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "aecodec", "info", str(tmp_path / "a.aec")]
    result = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert result.stderr == b""
    assert result.returncode == 1


def on_a_terminal(*arguments: object, program: Sequence[str] = ("-m", "aecodec")) -> tuple[int, str]:
    """Exit code and what a process showed, with stdout and stderr on a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, *program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=os.environ | ENVIRONMENT) as running:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 4096):
                shown += part
        except OSError:  # how Linux says that the terminal is closed
            pass
        code = running.wait()
    os.close(leader)
    return code, shown.decode()


def test_a_terminal_gets_progress_but_no_binary_data(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / "in" / f"{name}.png", GREY)
    code, shown = on_a_terminal("compress", "--model", "tiny", tmp_path / "in" / "a.png", "-o", "-")
    assert (code, shown.count("\n")) == (1, 1)
    assert "aecodec: refusing to write binary data to a terminal; use -o FILE" in shown
    code, shown = on_a_terminal("compress", "--model", "tiny", tmp_path / "in", "-r")
    assert code == 0
    assert "1/2  " in shown and "2/2  " in shown and "2 files: " in shown


IMPATIENT = (  # a picture that takes a tenth of a second is shown as one that takes a minute is
    "from aecodec.cli import main, progress; progress.PERIOD, progress.PATIENCE = 0.002, 0.0; main.main()"
)


def test_one_large_picture_says_how_much_of_it_is_done(tmp_path: Path) -> None:
    large = np.asarray(Image.fromarray(COLOUR).resize((2200, 2400)))  # many windows, and tiles
    source = save(tmp_path / "large.png", large)
    for command in (["compress", "--model", "tiny", source], ["decompress", source.with_suffix(".aec")]):
        code, shown = on_a_terminal(*command, program=("-c", IMPATIENT))
        assert code == 0
        shares = list(map(int, re.findall(r"(\d+) %  \d+ s  ", shown)))
        assert shares == sorted(shares)
        assert len(set(shares)) >= 2
        assert shares[0] > 0 and shares[-1] < 100
    assert shown.rindex(" %  ") < shown.index("finishing  ")  # the PNG is not counted
    assert load(tmp_path / "large.restored.png").shape == large.shape
    assert " %  " not in compress("-f", source).stderr


def test_a_small_picture_is_done_before_it_says_how_much() -> None:
    progress = Progress(1)
    progress.begin("a.png")
    progress.listen(0.5)
    assert str(progress) == "a.png"


def test_an_interrupted_process_is_130(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "aecodec", "test", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | ENVIRONMENT,
    ) as running:
        assert running.stdin is not None and running.stdout is not None and running.stderr is not None
        wait_until_it_reads(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr.read() == b"aecodec: interrupted\n"


def wait_until_it_reads(pid: int) -> None:
    """Until the process waits for its standard input, a pipe."""
    import time

    for _ in range(600):
        call = Path(f"/proc/{pid}/wchan").read_text()
        if "pipe" in call:
            return
        time.sleep(0.05)
    pytest.skip("cannot see what a process waits for")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["compress", "-h"], ["info"], ["info", "--json"]])
def test_answers_that_need_no_pytorch(tmp_path: Path, arguments: list[str]) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    compress(tmp_path / "a.png")
    if arguments[0] == "info":
        arguments = [*arguments, str(tmp_path / "a.aec"), str(TINY)]
    assert answer_without_pytorch(*arguments)


def test_version_and_help() -> None:
    assert cli("--version").stdout.startswith("aecodec, version ")
    assert "Exit codes: 0 done; 1 something failed" in cli("--help").stdout.replace("\n ", "")
