"""Converting: many files in one loop that goes on past failures, or one stream."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

from aecodec.cli.failures import Failures, named
from aecodec.cli.plan import Plan, Task
from aecodec.cli.progress import Progress
from aecodec.cli.sources import STREAM, Sources
from aecodec.cli.text import plural, say, shown
from aecodec.errors import OutputError, TargetExists
from aecodec.files import (
    Attributes,
    make_folder,
    refuse_existing,
    remove_abandoned,
    write_atomically,
    write_folder_atomically,
)
from aecodec.progress import Listener


@dataclass(frozen=True)
class Sizes:
    """Of a picture, or of several together."""

    pixels: int
    bytes_in: int
    bytes_out: int
    coded_bytes: int  # of the .aec file, whichever of the two it is

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        """In words; with the ratio where the .aec file is what was made."""
        ratio = ""
        if self.bytes_in and self.coded_bytes == self.bytes_out:
            ratio = f" ({100 * self.bytes_out / self.bytes_in:.1f} %)"
        bpp = 8 * self.coded_bytes / self.pixels if self.pixels else 0.0
        return f"{self.pixels:,} pixels, {self.bytes_in:,} -> {self.bytes_out:,} bytes{ratio}, {bpp:.3f} bpp"


@dataclass(frozen=True)
class Result:
    """What a conversion made of a source: a file or a folder of files."""

    data: bytes | Mapping[str, bytes]
    sizes: Sizes
    how: str = ""  # it is coded

    def write(self, target: Path, force: bool, attributes: Attributes) -> None:
        """Write it all or nothing. Raises OutputError."""
        if isinstance(self.data, bytes):
            write_atomically(target, self.data, force, attributes)
        else:
            write_folder_atomically(target, self.data, attributes)


Convert = Callable[[bytes, Task, Listener | None], Result]  # of the source's bytes


@dataclass(frozen=True)
class Manner:
    """How to go about it."""

    force: bool = False
    skip_existing: bool = False
    verbose: bool = False
    quiet: bool = False


def convert_stream(task: Task, sources: Sources, manner: Manner, convert: Convert) -> None:
    """Convert with standard input or output, or both, in the place of files."""
    if task.target == STREAM:
        if sys.stdout.isatty():
            raise OutputError("refusing to write binary data to a terminal; use -o FILE")
    else:
        refuse_existing(task.target, manner.force)
    data = sources.read(task.source)
    with named(task.source):
        result = convert(data, task, None)
    if task.target != STREAM:
        result.write(task.target, manner.force, sources.attributes(task.source))
    elif isinstance(result.data, bytes):
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    else:
        raise OutputError("a folder of pictures does not go to stdout; use -o")


def convert_files(plan: Plan, sources: Sources, manner: Manner, convert: Convert) -> None:
    """Convert file by file, going on past failures; exit code 1 if there was one."""
    clear({task.target.parent for task in plan.tasks}, manner)

    def do(task: Task, progress: Listener | None) -> Result:
        own_place = task.source == task.target  # different names of one file are the plan's to find
        if not own_place:
            refuse_existing(task.target, manner.force)
        data = sources.read(task.source)
        with named(task.source):
            result = convert(data, task, progress)
        if own_place:
            raise OutputError(f"{task.source}: would be overwritten by what is made of it; choose another with -o")
        make_folder(task.target.parent, sources.mode_of_folder(task.source))
        result.write(task.target, manner.force, sources.attributes(task.source))
        return result

    totals = convert_each(plan, manner, do)
    totals.report(str(plan.tasks[0].target) if totals.made == 1 == len(plan.tasks) else "")


def clear(folders: Collection[Path], manner: Manner) -> None:
    """Remove from target folders what killed runs have left there."""
    removed = sum(map(remove_abandoned, folders))
    if removed and not manner.quiet:
        say(f"aecodec: removed {plural(removed, 'unfinished file')} of runs that were killed")


def convert_each(plan: Plan, manner: Manner, do: Callable[[Task, Listener | None], Result]) -> Totals:
    """Do the tasks of a plan one by one with ``do``, going on past failures and past targets that exist."""
    totals = Totals(manner, total=len(plan.tasks) + len(plan.failures))
    for error in plan.failures:
        totals.failures.add(error)
    with Progress(len(plan.tasks), not manner.quiet) as progress:
        for task in plan.tasks:
            listener = progress.begin(task.source)
            began = time.perf_counter()
            with totals.failures.caught():
                try:
                    result = do(task, listener)
                except TargetExists:
                    if totals.total == 1 and not manner.skip_existing:
                        raise
                    totals.there += 1
                    continue
                totals.add(task, result)
                if manner.verbose:
                    seconds = time.perf_counter() - began
                    say(f"{shown(task.source)} -> {task.target}: {_line(result.sizes, result.how, seconds)}")
    if plan.passed.reasons and not manner.quiet:
        say(f"aecodec: {plan.passed}")
    return totals


@dataclass
class Totals:
    """What became of a number of tasks."""

    manner: Manner
    total: int
    made: int = 0
    there: int = 0  # whose targets were there already
    sizes: Sizes = field(default_factory=lambda: Sizes(0, 0, 0, 0))
    how: str = ""  # the last one is coded
    larger: list[str] = field(default_factory=list)  # than their sources
    failures: Failures = field(default_factory=Failures)
    began: float = field(default_factory=time.perf_counter)

    def add(self, task: Task, result: Result) -> None:
        """Count one that was done."""
        sizes = result.sizes
        self.made += 1
        self.sizes += sizes
        self.how = result.how
        if sizes.bytes_in < sizes.bytes_out == sizes.coded_bytes:
            self.larger.append(shown(task.source))

    def report(self, name: str = "") -> None:
        """Say what was made, called ``name``, and what was not; exit code 1 if anything failed."""
        self.failures.say_what_is_missing()
        if not self.manner.quiet:
            self._say_what_was_made(name or plural(self.made, "file"))
        if self.there and not self.manner.skip_existing:
            say(f"aecodec: {self.there:,} of {plural(self.total, 'file')} there already; --skip-existing is for that")
        if self.failures.count and self.total > 1:
            say(f"aecodec: {self.failures.count:,} of {plural(self.total, 'file')} failed")
        if self.failures.count or (self.there and not self.manner.skip_existing):
            raise SystemExit(1)

    def _say_what_was_made(self, name: str) -> None:
        if self.made:
            how = self.how if self.made == 1 else ""
            say(f"{name}: {_line(self.sizes, how, time.perf_counter() - self.began)}")
        if self.there and self.manner.skip_existing:
            say(f"aecodec: {plural(self.there, 'file')} there already")
        if self.larger:
            more = f" and {len(self.larger) - 1:,} more" if self.larger[1:] else ""
            source = "their sources" if more else "its source"
            say(f"aecodec: larger than {source}: what was made of {self.larger[0]}{more}")


def _line(sizes: Sizes, how: str, seconds: float) -> str:
    return ", ".join(filter(None, (str(sizes), how, f"{seconds:.1f} s")))
