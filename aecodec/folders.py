"""Files below folders: which are taken, and what is passed over and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEIF = frozenset({".heic", ".heif", ".hif"})
SHADOW = "._"  # begins the names of files that macOS keeps beside others on foreign disks
TAKEN = "link to what is taken already"


@dataclass
class Passed:
    """What was passed over, and why."""

    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """In words; empty where there was nothing."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        total = self.reasons.total()
        return f"passed over {total:,} file{'s' * (total != 1)}: {reasons}" if reasons else ""


@dataclass(frozen=True)
class Found:
    """The files of a folder."""

    files: list[Path]  # sorted
    passed: Passed
    unreadable: list[str]  # sub-folders, with the reasons


def find_files(
    folder: Path,
    suffixes: Collection[str],
    ignored: Collection[str] = (),
    also: Callable[[Path], bool] = lambda path: False,
) -> Found:
    """The files of ``suffixes`` (lower case) below a folder, each once: of files and links to them, the files.

    So are those that ``also`` says to take. Linked folders are followed. Files of suffixes that are ``ignored`` are
    passed over without a word.
    """
    passed, unreadable, files, links = Passed(), list[str](), list[Path](), list[Path]()
    for path in sorted(_walk(folder, passed, unreadable)):
        suffix = path.suffix.lower()
        if path.name.startswith(SHADOW):
            passed.reasons[f"shadow of macOS ({SHADOW}*)"] += 1
        elif not os.path.exists(path):
            passed.reasons["broken link"] += 1
        elif not os.path.isfile(path):
            passed.reasons["pipe or device"] += 1
        elif suffix in suffixes or also(path):
            (links if path.is_symlink() else files).append(path)
        elif suffix in HEIF:
            passed.reasons[f"{suffix} (which the package pillow-heif reads)"] += 1
        elif suffix not in ignored:
            passed.reasons[suffix or "without a suffix"] += 1
    taken = {os.path.realpath(path) for path in files} if links else set()
    for path in links:
        if os.path.realpath(path) in taken:
            passed.reasons[TAKEN] += 1
        else:
            files.append(path)
            taken.add(os.path.realpath(path))
    return Found(sorted(files), passed, unreadable)


def _walk(root: Path, passed: Passed, unreadable: list[str]) -> Iterator[Path]:
    """All files below a folder, with links to folders followed, each folder once and by its own name if it can be.

    Not by recursion: folders may be nested a thousand deep.
    """
    folders, linked, seen = [root], list[Path](), set[tuple[int, int]]()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append(f"{folder}: cannot look into it ({error.strerror or error})")
            continue
        if (status.st_dev, status.st_ino) in seen:
            passed.reasons[TAKEN] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = folder / entry.name
            if not _is_folder(entry):
                yield path
            elif entry.is_symlink():
                linked.append(path)
            else:
                folders.append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links, for example
        return False
