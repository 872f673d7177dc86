"""Converting one stream or many files: what compress and decompress have in common."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from aecodec.errors import AecError, ImageError, OutputError
from aecodec.files import Task, refuse_existing, write_atomically, write_folder_atomically

STREAM = Path("-")


@dataclass(frozen=True)
class Result:
    """What a conversion made: a file or a folder of files, the size of the .aec file, and the pixels in it."""

    data: bytes | Mapping[str, bytes]
    coded_bytes: int
    pixels: int

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data) if isinstance(self.data, bytes) else sum(map(len, self.data.values()))

    def write(self, target: Path, force: bool) -> None:
        """Write it all or nothing. Raises OutputError."""
        if isinstance(self.data, bytes):
            write_atomically(target, self.data, force)
        else:
            write_folder_atomically(target, self.data)


Convert = Callable[[bytes, Path], Result]  # of the source's bytes and the target
Read = Callable[[Path], bytes]


@contextmanager
def named(source: Path) -> Iterator[None]:
    """Let errors begin with the source's name."""
    name = "stdin" if source == STREAM else source
    try:
        yield
    except AecError as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        raise AecError(f"{name}: not enough memory") from error


def read_bytes(source: Path) -> bytes:
    """The bytes of a file or of standard input. Raises ImageError."""
    try:
        return sys.stdin.buffer.read() if source == STREAM else source.read_bytes()
    except OSError as error:
        raise ImageError(f"{source}: cannot read ({error.strerror or error})") from error


def convert_stream(task: Task, force: bool, convert: Convert) -> None:
    """Convert with standard input or output, or both, in the place of files."""
    if task.target == STREAM:
        if sys.stdout.isatty():
            raise OutputError("refusing to write binary data to a terminal; use -o FILE")
    else:
        refuse_existing(task.target, force)
    data = read_bytes(task.source)
    with named(task.source):
        result = convert(data, task.target)
    if task.target != STREAM:
        result.write(task.target, force)
    elif isinstance(result.data, bytes):
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    else:
        raise OutputError("a folder of pictures does not go to stdout; use -o")


def convert_files(tasks: Sequence[Task], force: bool, quiet: bool, convert: Convert, read: Read = read_bytes) -> None:
    """Convert file by file, going on past failures; exit code 1 if there was one."""
    totals = convert_each(tasks, quiet, lambda task: _convert_file(task, force, convert, read))
    totals.report(f"{totals.files} files" if len(tasks) > 1 else str(tasks[0].target), quiet)


def convert_each(tasks: Sequence[Task], quiet: bool, convert: Callable[[Task], tuple[int, Result]]) -> Totals:
    """Do tasks one by one, naming failures and going on past them.

    ``convert`` does all of a task; what it returns, the source's bytes and the result, is only counted.
    """
    totals = Totals()
    hidden = quiet or len(tasks) < 2 or not sys.stderr.isatty()
    with click.progressbar(tasks, file=sys.stderr, hidden=hidden) as bar:
        for task in bar:
            try:
                totals.add(*convert(task))
            except AecError as error:
                totals.failed += 1
                if not hidden:
                    click.echo(err=True)
                click.echo(f"aecodec: {error}", err=True)
    return totals


def make_folder_for(target: Path) -> None:
    """The folder that ``target`` is to stand in. Raises OutputError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error


def _convert_file(task: Task, force: bool, convert: Convert, read: Read) -> tuple[int, Result]:
    own_place = task.source == task.target  # different names of one file are the plan's to find
    if not own_place:
        refuse_existing(task.target, force)
    data = read(task.source)
    with named(task.source):
        result = convert(data, task.target)
    if own_place:
        raise OutputError(f"{task.source}: would be overwritten by what is made of it; choose another target with -o")
    make_folder_for(task.target)
    result.write(task.target, force)
    return len(data), result


@dataclass
class Totals:
    """What became of a number of tasks."""

    files: int = 0
    failed: int = 0
    pixels: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bits_coded: int = 0
    began: float = field(default_factory=time.perf_counter)

    def add(self, bytes_in: int, result: Result) -> None:
        """Count one that was done."""
        self.files += 1
        self.pixels += result.pixels
        self.bytes_in += bytes_in
        self.bytes_out += result.size
        self.bits_coded += 8 * result.coded_bytes

    def report(self, name: str, quiet: bool) -> None:
        """Say what was made, called ``name``, and how many tasks failed; exit code 1 if there was one."""
        total = self.files + self.failed
        if self.files and not quiet:
            click.echo(f"{name}: {self}, {time.perf_counter() - self.began:.1f} s", err=True)
        if self.failed:
            if total > 1:
                click.echo(f"aecodec: {self.failed} of {total} files failed", err=True)
            raise SystemExit(1)

    def __str__(self) -> str:
        """Sizes."""
        bpp = self.bits_coded / self.pixels
        return f"{self.pixels} pixels, {self.bytes_in} -> {self.bytes_out} bytes, {bpp:.3f} bpp"
