"""Files below folders: which are taken, and what is passed over and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aecodec.cli.failures import Failures
from aecodec.cli.text import plural
from aecodec.errors import AecError, ImageError
from aecodec.format.archive import is_foreign

HEIF = frozenset({".heic", ".heif", ".hif"})
OURS = frozenset({".aec", ".zip", ".safetensors"})
SHADOW = "._"  # begins the names of files that macOS keeps beside others on foreign disks


@dataclass
class Passed:
    """What was passed over in folders, and why."""

    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """In words; empty where there was nothing."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        return f"passed over {plural(self.reasons.total(), 'file')}: {reasons}" if reasons else ""


def files_below(paths: Sequence[Path], failures: Failures, suffixes: Collection[str] = OURS) -> list[Path]:
    """Paths as they are, but for folders the files of ``suffixes`` below them, without archives of other things."""
    found = []
    for path in paths:
        with failures.caught():
            finder = Finder(suffixes, ())
            finder.take(path, recursive=True)
            for error in finder.failures:
                failures.add(error)
            found += [file for file, _ in finder.places if file == path or not is_foreign(file)]
    return found


class Finder:
    """Collects source files, each once."""

    def __init__(self, suffixes: Collection[str], ignored: Collection[str]) -> None:
        self._suffixes = suffixes
        self._ignored = ignored
        self._found: dict[Path, tuple[Path, Path]] = {}  # by where it is: the path, and its place below an output
        self.passed = Passed()
        self.failures: list[AecError] = []

    @property
    def places(self) -> list[tuple[Path, Path]]:
        """Each file, and its place below an output folder."""
        return [*self._found.values()]

    def take(self, source: Path, recursive: bool) -> None:
        """A file, or a folder with all below it. Raises ImageError."""
        if not os.path.isdir(source):
            self._add(source, Path(source.name))
            return
        if not recursive:
            raise ImageError(f"{source}: a folder; -r takes the files below it")
        before = len(self._found)
        links = []
        for path in sorted(self._walk(source)):
            if not self._is_wanted(path):
                continue
            if path.is_symlink():
                links.append(path)
            else:
                self._add(path, path.relative_to(source))
        there = {os.path.realpath(path) for path in self._found} if links else set()
        for path in links:
            if os.path.realpath(path) in there:
                self.passed.reasons["link to what is taken already"] += 1
            else:
                self._add(path, path.relative_to(source))
        if len(self._found) == before:
            self.failures.append(ImageError(f"{source}: no files of a known kind below it"))

    def _add(self, path: Path, below: Path) -> None:
        self._found.setdefault(Path(os.path.realpath(path.parent), path.name), (path, below))

    def _is_wanted(self, path: Path) -> bool:
        suffix = path.suffix.lower()
        if path.name.startswith(SHADOW):
            self.passed.reasons[f"shadow of macOS ({SHADOW}*)"] += 1
        elif not path.exists():
            self.passed.reasons["broken link"] += 1
        elif not path.is_file():
            self.passed.reasons["pipe or device"] += 1
        elif suffix in self._suffixes:
            return True
        elif suffix in HEIF:
            self.passed.reasons[f"{suffix} (which the package pillow-heif reads)"] += 1
        elif suffix not in self._ignored:
            self.passed.reasons[suffix or "without a suffix"] += 1
        return False

    def _walk(self, root: Path) -> Iterator[Path]:
        """All files below a folder, with links to folders followed, each folder once and by its own name if it can be.

        Not by recursion: folders may be nested a thousand deep.
        """
        folders, linked, seen = [root], list[Path](), set[tuple[int, int]]()
        while folders or linked:
            folder = folders.pop() if folders else linked.pop(0)
            try:
                status = folder.stat()
                entries = [*os.scandir(folder)]
            except OSError as error:
                self.failures.append(ImageError(f"{folder}: cannot look into it ({error.strerror or error})"))
                continue
            if (status.st_dev, status.st_ino) in seen:
                self.passed.reasons["link to what is taken already"] += 1
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
