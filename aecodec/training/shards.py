"""Training pictures that do not fit into memory: those of webdataset shards (.tar), read where a crop needs them.

Only where each picture begins is kept, twenty bytes a picture. A batch depends on the seed and the step alone, as
everywhere, so that a resumed run and one with another number of processes see the same batches; a sequential stream
with a shuffled buffer, as shards are often read, could not promise that.
"""

from __future__ import annotations

import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from aecodec.errors import AecError, DataError
from aecodec.sampling import evenly
from aecodec.training.pictures import SMALLEST, SUFFIXES, Pixels, TrainingPicture, load

SAMPLE = 128  # pictures by which all are judged: colours, sizes
CACHE = 2**28  # bytes of decoded pictures that are kept
TRIES = 100  # pictures in a row that cannot be used


class ShardPictures(Sequence[TrainingPicture]):
    """The pictures of shards. One that cannot be used stands for the next one that can, and is reported once.

    ``grey``: all pictures of a sample are, and those that are not, cannot be used.
    """

    def __init__(self, shards: Sequence[Path], report: Callable[[str], None] = print) -> None:
        """Reads the headers of all members. Raises DataError for a shard that cannot be read or is damaged."""
        self.shards = tuple(shards)
        found = [_members(shard) for shard in self.shards]
        self._numbers = np.repeat(np.arange(len(found), dtype=np.int32), [len(each) for each in found])
        self._places = np.concatenate([np.empty((0, 2), np.int64), *found])
        self._report, self._smallest, self.grey = report, SMALLEST, False
        self._kept: OrderedDict[int, TrainingPicture] = OrderedDict()
        self._bytes = 0  # of those
        self._reported: set[int] = set()
        self._lock = threading.Lock()
        if len(self._places):
            self.grey = all(_is_grey(picture.pixels) for picture in self.sample())

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> TrainingPicture: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrainingPicture]: ...
    def __getitem__(self, index: int | slice) -> TrainingPicture | list[TrainingPicture]:
        """Raises DataError where a hundred pictures in a row cannot be used."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        for i in range(index, index + min(TRIES, len(self))):
            picture = self._usable(i % len(self))
            if picture is not None:
                return picture
        raise DataError(f"{self.shards[self._numbers[index]]}: no picture that can be used among {TRIES} in a row")

    def sample(self) -> list[TrainingPicture]:
        """Some pictures from all over the shards."""
        return [self[i] for i in evenly(range(len(self)), min(SAMPLE, len(self)))]

    def divided(self, every: int) -> tuple[ShardPictures, list[TrainingPicture]]:
        """All but every k-th picture, and those, in memory, less those whose file is another one's, too."""
        held = np.arange(0, len(self), every)
        rest = np.delete(np.arange(len(self)), held)
        unique = [int(i) for i in held if not self._has_copy(int(i), rest)]
        if len(unique) < len(held):
            self._report(f"left out of the held-out pictures: {len(held) - len(unique)} duplicate(s)")
        return self._at(rest), [picture for i in unique if (picture := self._usable(i)) is not None]

    def at_least(self, side: int) -> ShardPictures:
        """Without those that have a shorter one."""
        usable = self._at(np.arange(len(self)))
        usable._smallest = side
        return usable

    def _at(self, indexes: npt.NDArray[np.int64]) -> ShardPictures:
        part = ShardPictures([], self._report)
        part.shards, part.grey, part._smallest = self.shards, self.grey, self._smallest
        part._numbers, part._places = self._numbers[indexes], self._places[indexes]
        return part

    def _has_copy(self, index: int, others: npt.NDArray[np.int64]) -> bool:
        """Whether another picture has the same bytes; only those of equal length are read."""
        alike = others[self._places[others, 1] == self._places[index, 1]]
        try:
            return len(alike) > 0 and any(self._member(index)[1] == self._member(int(i))[1] for i in alike)
        except OSError:  # which is reported where the picture is used
            return False

    def _usable(self, index: int) -> TrainingPicture | None:
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        picture = self._read(index)
        fault = self._fault(picture)
        if isinstance(picture, AecError) or fault:
            with self._lock:
                if index not in self._reported:
                    self._reported.add(index)
                    self._report(f"left out: {fault or picture}")
            return None
        with self._lock:
            self._bytes += picture.pixels.nbytes - (self._kept[index].pixels.nbytes if index in self._kept else 0)
            self._kept[index] = picture
            while len(self._kept) > 1 and self._bytes > CACHE:
                self._bytes -= self._kept.popitem(last=False)[1].pixels.nbytes
        return picture

    def _fault(self, picture: TrainingPicture | AecError) -> str:
        if isinstance(picture, AecError):
            return ""
        if min(picture.pixels.shape[:2]) < self._smallest:
            return f"{picture.path}: smaller than {self._smallest} pixels"
        return f"{picture.path}: in colour, among grey ones" if self.grey and not _is_grey(picture.pixels) else ""

    def _read(self, index: int) -> TrainingPicture | AecError:
        shard = self.shards[self._numbers[index]]
        try:
            header, data = self._member(index)
            name = tarfile.TarInfo.frombuf(header, "utf-8", "replace").name
        except OSError as error:
            return DataError(f"{shard}: cannot read ({error.strerror or error})")
        except tarfile.TarError as error:
            return DataError(f"{shard}: not what it was ({error})")
        return load(shard / name, data)

    def _member(self, index: int) -> tuple[bytes, bytes]:
        """Header and data. Raises OSError."""
        start, size = (int(number) for number in self._places[index])
        with self.shards[self._numbers[index]].open("rb") as file:
            file.seek(start - tarfile.BLOCKSIZE)
            return file.read(tarfile.BLOCKSIZE), file.read(size)


def shards_at(source: Path) -> list[Path]:
    """The shards that a path stands for: one, or those below a folder; none where it is something else."""
    if source.is_dir():
        return sorted(source.rglob("*.tar"))
    return [source] if source.suffix.lower() == ".tar" else []


def _members(shard: Path) -> npt.NDArray[np.int64]:
    """Where pictures begin in a shard, and how many bytes they have, (N, 2)."""
    try:
        with tarfile.open(shard, "r:") as opened:
            found = [
                (member.offset_data, member.size)
                for member in opened
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
            ]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{shard}: not a shard that can be read ({error})") from error
    return np.array(found, np.int64).reshape(-1, 2)


def _is_grey(pixels: Pixels) -> bool:
    return bool(np.array_equal(pixels[..., :2], pixels[..., 1:]))
