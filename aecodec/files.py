"""Writing files: nothing is ever half written, nothing overwritten unasked, nothing more public than it was.

This is the only module that renames. A file is written beside its target, under a name of its own, and takes the
target's place when it is whole. Runs that are killed leave such parts behind; :func:`remove_abandoned` tells them from
those being written by the lock that every writer holds on its own.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from aecodec.errors import OutputError, TargetExists

if sys.platform != "win32":
    import fcntl

PART_PREFIX, PART_SUFFIX = ".aecodec-", ".part"


@dataclass(frozen=True)
class Attributes:
    """What a file gets from the one that it is made of."""

    mode: int = 0o666  # permissions at most; the umask and a replaced file take from them
    modified: float | None = None  # seconds since 1970; None: now


def attributes_of(path: Path) -> Attributes:
    """Those of an existing file; of what is neither file nor folder, a pipe for example, none. Raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return Attributes()
    return Attributes(stat.S_IMODE(status.st_mode) & 0o666, status.st_mtime)


def write_atomically(target: Path, data: bytes, overwrite: bool = False, attributes: Attributes | None = None) -> None:
    """Write beside ``target``, then rename. Raises OutputError, and then leaves neither a part nor a temporary file.

    Without ``overwrite`` an existing target is an error, TargetExists, also one that appears meanwhile. Devices and
    pipes, which cannot be replaced, are written to.
    """
    with _said_of(target):
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(data)
            return
    with new_file(target, overwrite, attributes) as file:
        file.write(data)


@contextmanager
def new_file(target: Path, overwrite: bool = False, attributes: Attributes | None = None) -> Iterator[BinaryIO]:
    """A file beside ``target`` to write to, which takes its place where the block ends without an error.

    Errors as :func:`write_atomically`, also of what the block writes.
    """
    attributes = attributes or Attributes()
    with _said_of(target):
        mode = attributes.mode
        if target.exists():
            if not overwrite:
                raise FileExistsError
            mode &= stat.S_IMODE(target.stat().st_mode)
        with _part_beside(target, lambda part: _make_file(part, mode)) as part:
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _set(part, replace(attributes, mode=mode))
            if overwrite:
                os.replace(part, target)
            else:
                _rename_to_new(part, target)


def write_folder_atomically(target: Path, files: Mapping[str, bytes], attributes: Attributes | None = None) -> None:
    """Write a new folder of files: all of them, or nothing. Raises OutputError, also where ``target`` exists."""
    attributes = attributes or Attributes()
    with _said_of(target):
        if target.exists():
            raise FileExistsError
        with _part_beside(target, lambda part: part.mkdir(folder_of_files(attributes.mode))) as part:
            for name, data in files.items():
                _make_file(part / name, attributes.mode)
                (part / name).write_bytes(data)
                _set(part / name, attributes)
            os.rename(part, target)


def set_aside(path: Path, name: str) -> Path:
    """Give a file another name beside, so that a new one can take its place; what was there under that name is lost.

    Raises OutputError.
    """
    aside = path.with_name(name)
    with _said_of(aside):
        os.replace(path, aside)
    return aside


def folder_of_files(mode: int) -> int:
    """Permissions of a folder of files with this mode: who may read them may enter. Its owner may do everything."""
    return mode | (mode & 0o444) >> 2 | stat.S_IRWXU


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and all that are missing above it, with these permissions at most. Raises OutputError."""
    with _said_of(folder):
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
            if folder == missing[-1]:
                break
        for each in reversed(missing):  # not by recursion: there may be a thousand of them
            with suppress(FileExistsError):  # made by another process, or a file: what follows will say so
                each.mkdir(mode & 0o777 | stat.S_IRWXU)
        if missing and not missing[0].is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raise OutputError where :func:`write_atomically` would, as far as can be told before the work is done."""
    with _said_of(target):
        if target.is_dir():
            raise TargetExists(f"{target}: exists already, a folder")
        if target.is_file() and not overwrite:
            raise FileExistsError


def remove_abandoned(folder: Path) -> int:
    """Remove what killed runs have left in a folder; how many parts that was. Parts being written stay."""
    removed = 0
    for part in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}") if folder.is_dir() else ():
        lock = _lock(part, wait=False)
        if lock is not None:
            with suppress(OSError):
                _remove(part)
                removed += 1
            os.close(lock)
    return removed


@contextmanager
def _said_of(target: Path) -> Iterator[None]:
    """Let errors of the system be errors about ``target``."""
    try:
        yield
    except FileExistsError:
        raise TargetExists(f"{target}: exists already") from None
    except OSError as error:
        raise OutputError(f"{target}: cannot write ({error.strerror or error})") from error


@contextmanager
def _part_beside(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """What is to take the place of ``target``, made and locked; where the block did not rename it, it is removed."""
    lock, part = None, target
    try:
        while part == target or not part.exists():  # again: one was taken for abandoned before it was locked
            part = target.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}")
            make(part)
            lock = _lock(part, wait=True)
        yield part
    finally:
        if part != target:
            _remove(part)
        if lock is not None:
            os.close(lock)


def _make_file(path: Path, mode: int) -> None:
    """An empty new file that its owner can write for now, and that others can do no more with than ``mode`` lets."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode | stat.S_IRUSR | stat.S_IWUSR))


def _set(path: Path, attributes: Attributes) -> None:
    if attributes.modified is not None:
        os.utime(path, (attributes.modified, attributes.modified))
    present = stat.S_IMODE(path.stat().st_mode)
    if present & ~attributes.mode:
        path.chmod(present & attributes.mode)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _lock(path: Path, wait: bool) -> int | None:
    """A descriptor that holds the lock of a file or folder; None where that is held, or where there are no locks."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _rename_to_new(part: Path, target: Path) -> None:
    """Unlike a plain rename, fail where the target has appeared in the meantime."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError from None
        os.replace(part, target)
