"""Files in and out: nothing is ever half written, and nothing overwritten unasked."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aecodec.errors import ImageError, OutputError


@dataclass(frozen=True)
class Task:
    """One file to make of another."""

    source: Path
    target: Path


def write_atomically(target: Path, data: bytes, overwrite: bool) -> None:
    """Write beside ``target``, then rename. Raises OutputError, and then leaves neither a part nor a temporary file.

    Without ``overwrite`` an existing target is an error, also one that appears meanwhile. Devices and pipes, which
    cannot be replaced, are written to.
    """
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(data)
            return
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error
    with new_file(target, overwrite) as file:
        file.write(data)


@contextmanager
def new_file(target: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """A file beside ``target`` to write to, which takes its place where the block ends without an error.

    Errors as :func:`write_atomically`, also of what the block writes.
    """
    try:
        with _beside(target, overwrite) as file:
            yield file
    except FileExistsError:
        raise OutputError(f"{target}: exists already; -f overwrites it") from None
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error


def write_folder_atomically(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder of files: all of them, or nothing. Raises OutputError, also where ``target`` exists."""
    if target.exists():
        raise OutputError(f"{target}: exists already; choose another folder with -o")
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        beside.mkdir()
        for name, data in files.items():
            (beside / name).write_bytes(data)
        os.rename(beside, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raise OutputError where :func:`write_atomically` would, as far as can be told before the work is done."""
    try:
        folder, file = target.is_dir(), target.is_file()
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error
    if folder:
        raise OutputError(f"{target}: exists already, a folder")
    if file and not overwrite:
        raise OutputError(f"{target}: exists already; -f overwrites it")


def plan(
    sources: Sequence[Path],
    output: Path | None,
    recursive: bool,
    suffixes: Collection[str],
    new_suffix: str,
    into_folder: bool = False,
) -> list[Task]:
    """What to make of ``sources``: files, and with ``recursive`` folders, whose files of ``suffixes`` are taken.

    Targets have ``new_suffix``; they stand beside their sources or, with ``output``, in that folder, where the tree of
    a source folder is mirrored. A single source file may have a file as its output, unless ``into_folder``. A source
    named twice is taken once. Raises ImageError for folders without files, OutputError where two sources have one
    target or a target is another source.
    """
    single = len(sources) == 1 and not sources[0].is_dir() and not into_folder
    found: dict[Path, tuple[Path, Path]] = {}
    for path, below in _find(sources, recursive, suffixes):
        found.setdefault(path.resolve(), (path, below))
    tasks = []
    for path, below in found.values():
        if output is None:
            tasks.append(Task(path, path.with_suffix(new_suffix)))
        elif single and not output.is_dir():
            tasks.append(Task(path, output))
        else:
            tasks.append(Task(path, (output / below).with_suffix(new_suffix)))
    if output is not None and output.exists() and not output.is_dir() and not single:
        raise OutputError(f"{output}: not a folder, but there are several files to write")
    refuse_collisions(tasks)
    return tasks


def refuse_collisions(tasks: Sequence[Task]) -> None:
    """Raise OutputError where two sources have one target, or a target is another source.

    A target that is its own source is left to the conversion, which knows better what is wrong with that file.
    """
    made_of: dict[Path, Path] = {}
    originals = {task.source.resolve() for task in tasks}
    for task in tasks:
        target = task.target.resolve()
        other = made_of.setdefault(target, task.source)
        if other != task.source:
            raise OutputError(f"{task.target}: would be made of both {other} and {task.source}")
        if target in originals and task.target != task.source:
            raise OutputError(f"{task.target}: made of {task.source}, would overwrite a source; choose another with -o")


@contextmanager
def _beside(target: Path, overwrite: bool) -> Iterator[BinaryIO]:
    if target.exists() and not overwrite:
        raise FileExistsError
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(beside, target)
        else:
            _rename_to_new(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _rename_to_new(beside: Path, target: Path) -> None:
    """Unlike a plain rename, fail where the target has appeared in the meantime."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError from None
        os.replace(beside, target)


def _find(sources: Sequence[Path], recursive: bool, suffixes: Collection[str]) -> Iterator[tuple[Path, Path]]:
    """Each file, and its place below the output folder."""
    for source in sources:
        if not source.is_dir():
            yield source, Path(source.name)
        elif not recursive:
            raise ImageError(f"{source}: a folder; -r takes the files below it")
        else:
            files = sorted(p for p in source.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
            if not files:
                raise ImageError(f"{source}: no files of a known kind below it")
            yield from ((path, path.relative_to(source)) for path in files)
