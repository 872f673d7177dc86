"""The files that arguments name: each by itself, or all below a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from aecodec.cli.failures import Failures
from aecodec.errors import AecError, ImageError
from aecodec.folders import Passed, find_files
from aecodec.format.archive import is_foreign

OURS = frozenset({".aec", ".zip", ".safetensors"})


class Finder:
    """Collects source files, each once."""

    def __init__(self, suffixes: Collection[str], ignored: Collection[str] = ()) -> None:
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
        found = find_files(source, self._suffixes, self._ignored)
        self.passed.reasons.update(found.passed.reasons)
        self.failures += map(ImageError, found.unreadable)
        if not found.files:
            self.failures.append(ImageError(f"{source}: no files of a known kind below it"))
        for path in found.files:
            self._add(path, path.relative_to(source))

    def _add(self, path: Path, below: Path) -> None:
        self._found.setdefault(Path(os.path.realpath(path.parent), path.name), (path, below))


def files_below(paths: Sequence[Path], failures: Failures, suffixes: Collection[str] = OURS) -> list[Path]:
    """Paths as they are, but for folders the files of ``suffixes`` below them, without archives of other things."""
    found = []
    for path in paths:
        finder = Finder(suffixes)
        finder.take(path, recursive=True)
        for error in finder.failures:
            failures.add(error)
        found += [file for file, _ in finder.places if file == path or not is_foreign(file)]
    return found
