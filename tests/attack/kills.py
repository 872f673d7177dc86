"""Processes that are killed at any moment: nothing is lost, nothing half written is taken for whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

from aecodec.codec import decode_picture
from aecodec.errors import AecError
from aecodec.files import PART_PREFIX, PART_SUFFIX
from aecodec.weights import load_weights
from tests.conftest import TINY

PICTURES = 12
SIDE = 300
PARTS = f"{PART_PREFIX}*{PART_SUFFIX}"
TRAIN = ["--steps", "12", "--channels", "8", "--code-size", "4", "--crop", "64", "--batch", "2", "--workers", "1"]
TIMEOUT = 600  # seconds, for a run that is let end


@dataclass(frozen=True)
class Command:
    """A command that is killed, and what has to hold after that and after it was run again."""

    arguments: list[str]
    again: list[str]
    result: str  # a file or folder
    check: Callable[[Path, bool], list[str]]  # of the working folder, and whether a run has ended


def kill_all(count: int, first: int = 0) -> list[str]:
    """Kill processes, six of ten of them compress, three an archive and one trains; what is wrong."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="aecodec-kills-") as folder:
        pictures = Path(folder) / "in"
        _make(pictures, PICTURES, SIDE)
        _make(pictures.with_name("few"), 4, 96)  # to train on
        took = {name: _time_of(command, Path(folder) / f"timed-{name}", pictures) for name, command in COMMANDS.items()}
        for seed in range(first, first + count):
            random = np.random.default_rng(seed)
            name = "train" if seed % 10 == 9 else "archive" if seed % 10 in (2, 5, 7) else "compress"
            number = signal.SIGKILL if random.random() < 0.6 else signal.SIGTERM
            delay = float(random.uniform(0, 1.05) * took[name])
            work = Path(folder) / str(seed)
            said = _killed(COMMANDS[name], work, pictures, delay, number)
            wrong += [f"kill {seed}, {name}, {number.name} after {delay:.2f} s: {each}" for each in said]
    return wrong


def _make(folder: Path, count: int, side: int) -> None:
    folder.mkdir()
    y, x = np.mgrid[:side, :side]
    for index in range(count):
        noise = np.random.default_rng(index).normal(0, 6, (side, side, 3))
        waves = np.stack([128 + 90 * np.sin(x / (9 + index)), 128 + 90 * np.cos(y / 13), (x + y) / 3], -1)
        Image.fromarray(np.clip(waves + noise, 0, 255).astype(np.uint8)).save(folder / f"{index:02d}.png")


def _furnish(folder: Path, pictures: Path) -> None:
    folder.mkdir()
    for name in ("in", "few"):
        (folder / name).symlink_to(pictures.with_name(name))


def _start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "aecodec", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "AECODEC_THREADS": "1"}
    root = Path(__file__).parent.parent.parent
    environment["PYTHONPATH"] = os.pathsep.join([str(root), environment.get("PYTHONPATH", "")])
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _time_of(command: Command, folder: Path, pictures: Path) -> float:
    _furnish(folder, pictures)
    began = time.monotonic()
    with _start(command.arguments, folder) as run:
        _, said = _ended(run)
    if run.returncode:
        raise RuntimeError(f"{command.arguments}: {said.decode()}")
    return time.monotonic() - began


def _ended(run: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a process has written, at its end; one that does not end is killed, and so ends in a failure."""
    try:
        return run.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        run.kill()
        return run.communicate()


def _killed(command: Command, folder: Path, pictures: Path, delay: float, number: signal.Signals) -> list[str]:
    """What is wrong after a command was killed, and after it was run again."""
    _furnish(folder, pictures)
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    with _start(command.arguments, folder) as run:
        try:
            _, said = run.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            run.send_signal(number)
            _, said = _ended(run)
    wrong = []
    if run.returncode not in (0, -number, 128 + number):
        wrong.append(f"exit code {run.returncode}: {said.decode(errors='replace')[-300:]}")
    if b"Traceback" in said and run.returncode != -number:
        wrong.append("a traceback")
    if number == signal.SIGTERM and run.returncode == 128 + number and [*folder.rglob(PARTS)]:
        wrong.append("an unfinished file after SIGTERM")
    wrong += command.check(folder, False)
    arguments = command.again if (folder / command.result).exists() or _resumable(folder) else command.arguments
    with _start(arguments, folder) as run:
        _, said = _ended(run)
    if run.returncode:
        wrong.append(f"run again, exit code {run.returncode}: {said.decode(errors='replace')[-300:]}")
    wrong += command.check(folder, True)
    if [*folder.rglob(PARTS)]:
        wrong.append("an unfinished file is left after another run")
    if before != {path.name: path.read_bytes() for path in pictures.iterdir()}:
        wrong.append("sources have changed")
    return wrong


def _resumable(folder: Path) -> bool:
    return any((folder / "w.run").glob("*checkpoint*"))


def _of_folder(folder: Path, ended: bool) -> list[str]:
    files = sorted((folder / "out").glob("*.aec"))
    wrong = [f"{path.name}: {said}" for path in files if (said := _wrong_with(path.read_bytes()))]
    return wrong + [f"{len(files)} files of {PICTURES}"] * (ended and len(files) != PICTURES)


def _of_archive(folder: Path, ended: bool) -> list[str]:
    path = folder / "out.zip"
    if not path.exists():
        return ["no archive"] * ended
    with ZipFile(path) as file:
        names = file.namelist()
        return [f"{name}: {said}" for name in names if (said := _wrong_with(file.read(name)))] + [
            f"{len(names)} entries of {PICTURES}"
        ] * (len(names) != PICTURES)


def _of_training(folder: Path, ended: bool) -> list[str]:
    path = folder / "w.safetensors"
    if not path.exists():
        return ["no weights"] * ended
    try:
        load_weights(path)
    except AecError as error:
        return [str(error)]
    return []


def _wrong_with(data: bytes) -> str:
    try:
        return "" if decode_picture(data, [TINY]).pixels.shape == (SIDE, SIDE, 3) else "another picture"
    except AecError as error:
        return str(error)


_COMPRESS = ["compress", "in", "-r", "--model", str(TINY)]
_TRAIN = ["train", "few", "-o", "w.safetensors", *TRAIN]
COMMANDS = {
    "compress": Command([*_COMPRESS, "-o", "out"], [*_COMPRESS, "-o", "out", "--skip-existing"], "out", _of_folder),
    "archive": Command([*_COMPRESS, "-o", "out.zip"], [*_COMPRESS, "-o", "out.zip", "-f"], "out.zip", _of_archive),
    "train": Command(_TRAIN, [*_TRAIN, "-f", "--resume"], "w.safetensors", _of_training),
}
