"""Files in and out: nothing is ever half written, and nothing overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aecodec.errors import ImageError, OutputError


@dataclass(frozen=True)
class Task:
    """One file to make of another."""

    source: Path
    target: Path


def write_atomically(target: Path, data: bytes, overwrite: bool) -> None:
    """Write beside ``target``, then rename. Raises OutputError, and then leaves neither a part nor a temporary file.

    Without ``overwrite`` an existing target is an error, also one that appears meanwhile.
    """
    if not overwrite and target.exists():
        raise OutputError(f"{target}: exists already; -f overwrites it")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror})") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        if overwrite:
            os.replace(name, target)
        else:
            _rename_to_new(name, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror})") from error
    finally:
        if os.path.exists(name):
            os.unlink(name)


def _rename_to_new(name: str, target: Path) -> None:
    try:
        os.link(name, target)  # unlike a rename it fails where the target has appeared
    except FileExistsError:
        raise OutputError(f"{target}: exists already; -f overwrites it") from None
    except OSError:  # a file system without hard links
        os.replace(name, target)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def plan(
    sources: Sequence[Path], output: Path | None, recursive: bool, suffixes: Collection[str], new_suffix: str
) -> list[Task]:
    """What to make of ``sources``: files, and with ``recursive`` folders, whose files of ``suffixes`` are taken.

    Targets have ``new_suffix``; they stand beside their sources or, with ``output``, in that folder, where the tree of
    a source folder is mirrored. A single source file may have a file as its output. Raises ImageError and OutputError.
    """
    found = list(_find(sources, recursive, suffixes))
    single = len(sources) == 1 and not sources[0].is_dir() and (output is None or not output.is_dir())
    if output is None:
        tasks = [Task(path, path.with_suffix(new_suffix)) for path, _ in found]
    elif single:
        tasks = [Task(path, output) for path, _ in found]
    else:
        tasks = [Task(path, (output / below).with_suffix(new_suffix)) for path, below in found]
    _refuse_collisions(tasks)
    return tasks


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


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    made_of: dict[Path, Path] = {}
    originals = {task.source.resolve() for task in tasks}
    for task in tasks:
        target = task.target.resolve()
        if target in originals:
            raise OutputError(f"{task.target}: would overwrite a source; choose another target with -o")
        other = made_of.setdefault(target, task.source)
        if other != task.source:
            raise OutputError(f"{task.target}: would be made of both {other} and {task.source}")
