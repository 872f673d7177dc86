"""``.aec`` files and stacks as a data set for PyTorch, decoded in the workers of a ``DataLoader``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from aecodec.codec import Pixels, decode
from aecodec.errors import AecError, DataError
from aecodec.format.container import HEADER_BYTES, parse_header
from aecodec.stack import decode_stack

STACKS_KEPT = 4  # decoded, by each process


class AecDataset(Dataset[Any]):
    """The pictures of ``.aec`` files: each is an array (H, W[, channels]) of uint8, or what ``transform`` makes of it.

    A stack counts as all its pictures. It is decoded whole when the first of them is asked for, since in a shuffled
    order they would be decoded many times otherwise; the last few stacks are kept.
    """

    def __init__(
        self,
        files: str | PathLike[str] | Iterable[str | PathLike[str]],
        transform: Callable[[Pixels], Any] | None = None,
        models: Sequence[str | PathLike[str]] = (),
    ) -> None:
        """``files``: a folder, of which all files below are taken, in the order of their names, or a list of files.

        ``models`` are weights files beside the installed ones. Raises DataError for a file that is not of aecodec.
        """
        self.files = _found(files)
        self.transform, self.models = transform, tuple(Path(model) for model in models)
        self._counts = [_count(path) for path in self.files]
        self._ends = list(accumulate(1 if count is None else count for count in self._counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Any:
        """Raises IndexError, and a child of AecError that names the file where it cannot be decoded."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"no picture {index} among {len(self)}")
        number = bisect_right(self._ends, position)
        path, count = self.files[number], self._counts[number]
        try:
            if count is None:
                pixels = decode(path.read_bytes(), self.models)
            else:
                stack = _decode_stack(path, path.stat().st_mtime_ns, self.models)
                pixels = stack[position - self._ends[number] + count].copy()
        except (OSError, AecError) as error:
            raise DataError(f"{path}: {error}") from error
        return pixels if self.transform is None else self.transform(pixels)


def _found(files: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[Path]:
    if not isinstance(files, str | PathLike):
        return [Path(file) for file in files]
    path = Path(files)
    return sorted(path.rglob("*.aec")) if path.is_dir() else [path]


def _count(path: Path) -> int | None:
    """Pictures in a stack; None of a file of one picture."""
    try:
        with path.open("rb") as file:
            return parse_header(file.read(HEADER_BYTES)).count
    except (OSError, AecError) as error:
        raise DataError(f"{path}: {error}") from error


@lru_cache(STACKS_KEPT)
def _decode_stack(path: Path, modified: int, models: tuple[Path, ...]) -> Pixels:
    """``modified`` lets a file that was written anew be decoded anew."""
    return decode_stack(path.read_bytes(), models=models)
