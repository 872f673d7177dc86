"""Training pictures: a folder, an array or shards; crops drawn at random, the same for the same step.

Pictures that are smaller than a crop are padded by repeating their last row and column, as the codec itself does. The
padded part counts in rate and distortion like any other: it costs little, but it is not free.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aecodec.errors import AecError, DataError
from aecodec.folders import find_files
from aecodec.pictures.arrays import is_array, read_array
from aecodec.sampling import evenly
from aecodec.training import patterns
from aecodec.training.pictures import SMALLEST, SUFFIXES, PictureArray, Pixels, TrainingPicture, bytes_kept, load
from aecodec.training.shards import ShardPictures, shards_at

MEMORY = 4 * 10**9  # bytes of pixels that are kept; of a folder that has more, a part is taken
FEWEST = 4  # pictures
LARGE_CROP = 64  # side; where pictures are smaller, crops hold them whole

Pictures = Sequence[TrainingPicture]


def load_source(source: Path, report: Callable[[str], None] = print) -> Pictures:
    """The pictures below a folder, or those of an array file, in memory; those of webdataset shards, which are not.

    Raises DataError where there is none; single pictures that cannot be used are reported and left out.
    """
    if source.suffix.lower() == ".tar" and not source.is_dir():
        return ShardPictures([source], report)
    if not source.is_dir():
        if source.suffix.lower() in SUFFIXES:
            raise DataError(f"{source}: a single picture; training needs a folder of them, or an array file")
        pixels = read_array(source, prefer="train")
        short = min(pixels.shape[1:3])
        if short < SMALLEST:
            raise DataError(f"{source}: pictures of {pixels.shape[1:3]}; at least {SMALLEST} x {SMALLEST} are needed")
        return PictureArray(source, pixels)
    found = find_files(source, SUFFIXES)
    for line in (*found.unreadable, str(found.passed)):
        if line:
            report(line)
    if not found.files and (shards := shards_at(source)):
        return ShardPictures(shards, report)
    if not found.files:
        arrays = sorted(path.name for path in source.iterdir() if is_array(path) and "label" not in path.name)
        instead = f", but arrays: give one of them, {', '.join(arrays)}" if arrays else " (PNG, JPEG, WebP, ...)"
        raise DataError(f"{source}: no pictures below it{instead}")
    return load_pictures(found.files, report)


def find_pictures(folder: Path) -> list[Path]:
    """Picture files below ``folder``, sorted."""
    return find_files(folder, SUFFIXES).files


def _affordable(paths: Sequence[Path], report: Callable[[str], None]) -> Sequence[Path]:
    """As many as fit into memory, evenly spread."""
    needed = sum(map(bytes_kept, paths))
    if needed <= MEMORY:
        return paths
    count = max(1, len(paths) * MEMORY // needed)
    report(
        f"{len(paths):,} pictures would take {needed / 1e9:,.1f} GB of memory; {count:,} from all over are used; "
        "shards (.tar) are read as they are needed"
    )
    return evenly(paths, count)


def load_pictures(paths: Sequence[Path], report: Callable[[str], None] = print) -> list[TrainingPicture]:
    """Decode ``paths``; unreadable and tiny pictures are reported and left out, and so are more than memory holds."""
    paths = _affordable(paths, report)
    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(load, paths))
    good = []
    for path, picture in zip(paths, loaded, strict=True):
        if isinstance(picture, AecError):
            report(f"left out: {picture}")
        elif min(picture.pixels.shape[:2]) < SMALLEST:
            report(f"left out: {path}: smaller than {SMALLEST} pixels")
        else:
            good.append(picture)
    return good


def judged_by(pictures: Pictures) -> Sequence[TrainingPicture]:
    """Those that say what all are like: a sample of what is not in memory."""
    return pictures.sample() if isinstance(pictures, ShardPictures) else pictures


def values_of(pictures: Pictures) -> int:
    """Pixels of all of them; of what is not in memory, as a sample has them."""
    sample = judged_by(pictures)
    return sum(picture.pixels[..., 0].size for picture in sample) * len(pictures) // max(1, len(sample))


def split(pictures: Pictures, held_out: float) -> tuple[Pictures, Pictures]:
    """Training and validation part; every k-th picture is held out, so that both see every sub-folder."""
    if len(pictures) < FEWEST:
        raise DataError(f"training needs at least {FEWEST} pictures, found {len(pictures)}")
    every = max(2, round(1 / held_out))
    if isinstance(pictures, ShardPictures):
        return pictures.divided(every)
    if isinstance(pictures, PictureArray):
        return pictures.without(slice(None, None, every)), pictures[::every]
    return [p for i, p in enumerate(pictures) if i % every], pictures[::every]


def unseen(held: Pictures, trained: Pictures, report: Callable[[str], None] = print) -> Pictures:
    """The held-out pictures without exact duplicates of ones that are trained on, which would flatter the model.

    Those that are not in memory are not looked at. Raises DataError where all of them are duplicates.
    """
    if isinstance(trained, ShardPictures):
        return held
    known = {_digest(picture.pixels) for picture in trained}
    new = [i for i, picture in enumerate(held) if _digest(picture.pixels) not in known]
    if len(new) == len(held):
        return held
    if not new:
        raise DataError("all held-out pictures are duplicates of ones that are trained on; give others: --validation")
    report(f"left out of the held-out pictures: {len(held) - len(new)} duplicate(s) of ones that are trained on")
    return PictureArray(held.path, held.pixels[new]) if isinstance(held, PictureArray) else [held[i] for i in new]


def _digest(pixels: Pixels) -> bytes:
    return hashlib.blake2b(pixels.tobytes(), digest_size=16, key=repr(pixels.shape).encode()).digest()


def fitting_crop(pictures: Pictures, largest: int, step: int) -> int:
    """The side of a crop, at most ``largest`` and a multiple of ``step``, that suits at least half of the pictures.

    They fill crops of 64 and more; where they are smaller, all of them fit into a crop, or it has a side of 64.
    """
    if isinstance(pictures, PictureArray):
        short: float = min(pictures.pixels.shape[1:3])
        longest: int = max(pictures.pixels.shape[1:3])
    else:
        sizes = [picture.pixels.shape[:2] for picture in judged_by(pictures)]
        short, longest = float(np.median([min(size) for size in sizes])), max(max(size) for size in sizes)
    large = -(-LARGE_CROP // step) * step
    if short < large:
        return min(large, -(-longest // step) * step)
    return int(min(largest, short)) // large * large


def large_enough(pictures: Pictures, crop: int, report: Callable[[str], None]) -> Pictures:
    """The pictures that are worth a crop: where most fill a large one, icons would be nearly all padding."""
    smallest = crop // 4 if crop > LARGE_CROP else SMALLEST
    if isinstance(pictures, PictureArray):
        if min(pictures.pixels.shape[1:3]) < smallest:
            raise DataError(f"{pictures.path}: smaller than {smallest} x {smallest} pixels, needed for crops of {crop}")
        return pictures
    if isinstance(pictures, ShardPictures):
        return pictures.at_least(smallest)
    good = []
    for picture in pictures:
        if min(picture.pixels.shape[:2]) < smallest:
            report(f"left out: {picture.path}: smaller than {smallest} pixels")
        else:
            good.append(picture)
    return good


def all_grey(pictures: Pictures) -> bool:
    """Whether the three channels of every picture are equal."""
    if isinstance(pictures, PictureArray) and pictures.pixels.ndim == 3:
        return True
    if isinstance(pictures, ShardPictures):
        return pictures.grey
    return all(np.array_equal(p.pixels[..., :2], p.pixels[..., 1:]) for p in pictures)


@dataclass(frozen=True)
class Place:
    """Where a crop comes from; mirrored first, then transposed."""

    picture: int
    top: int
    left: int
    mirrored: bool
    transposed: bool


@dataclass(frozen=True)
class Draw:
    """A batch, not yet cut: places, qualities (count,) in 0..1, and patterns that replace crops, by their index."""

    places: list[Place]
    qualities: npt.NDArray[np.float32]
    patterns: dict[int, Pixels]


class Crops:
    """Draws batches; batch ``step`` depends on the seed and the step alone, so a resumed run sees the same data.

    Sub-folders are sampled in proportion to the square root of their size: a large one does not drown the others.
    With ``colours`` 1 the pictures must be grey. ``turned``: crops are mirrored and transposed at random.
    ``pattern_share`` of the crops are drawn patterns instead.
    """

    def __init__(
        self,
        pictures: Pictures,
        size: int,
        seed: int = 0,
        colours: int = 3,
        turned: bool = True,
        pattern_share: float = 0.0,
    ) -> None:
        if not pictures:
            raise DataError("no picture to train on")
        self.pictures = pictures
        self.size = size
        self.seed = seed
        self.colours = colours
        self.turned = turned
        self.pattern_share = pattern_share
        if isinstance(pictures, PictureArray | ShardPictures):
            weight = np.ones(len(pictures))
        else:
            folders = [p.path.parent for p in pictures]
            count = Counter(folders)
            weight = np.array([count[folder] ** -0.5 for folder in folders])
        self.weight = weight / weight.sum()
        self._cumulative = self.weight.cumsum()
        self._cumulative /= self._cumulative[-1]

    def _place(self, index: int, random: np.random.Generator) -> Place:
        height, width = self.pictures[index].pixels.shape[:2]
        top, left = (int(random.integers(max(0, side - self.size) + 1)) for side in (height, width))
        mirrored, transposed = (random.random() < 0.5, random.random() < 0.5) if self.turned else (False, False)
        return Place(index, top, left, mirrored, transposed)

    def _cut(self, place: Place) -> Pixels:
        size = self.size
        pixels = self.pictures[place.picture].pixels[:, :, : self.colours]
        down, right = (max(0, size - side) for side in pixels.shape[:2])
        if down or right:
            pixels = np.pad(pixels, ((0, down), (0, right), (0, 0)), "edge")
        crop = pixels[place.top : place.top + size, place.left : place.left + size]
        crop = crop[:, ::-1] if place.mirrored else crop
        return crop.transpose(1, 0, 2) if place.transposed else crop

    def draw(self, step: int, count: int) -> Draw:
        """What batch ``step`` is made of, qualities spread evenly over the range."""
        random = np.random.default_rng((self.seed, step))
        chosen = self._cumulative.searchsorted(random.random(count), side="right")
        places = [self._place(int(i), random) for i in chosen]
        strata = (random.permutation(count) + random.random(count)) / count
        drawn = np.flatnonzero(random.random(count) < self.pattern_share)
        instead = {int(i): patterns.draw(random, self.size, self.colours) for i in drawn}
        return Draw(places, strata.astype(np.float32), instead)

    def batch(self, step: int, count: int) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Crops (count, size, size, colours) and their qualities."""
        draw = self.draw(step, count)
        return np.stack([draw.patterns.get(i, self._cut(p)) for i, p in enumerate(draw.places)]), draw.qualities


class StreamedCrops(Crops):
    """The same crops; the next batch is read while the one before is used, for pictures that are not in memory."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pool = ThreadPoolExecutor(1, "crops")
        self._next: tuple[int, int, Future[tuple[Pixels, npt.NDArray[np.float32]]]] | None = None

    def batch(self, step: int, count: int) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Crops (count, size, size, colours) and their qualities."""
        waiting, self._next = self._next, None
        if waiting is not None and waiting[:2] == (step, count):
            result = waiting[2].result()
        else:
            result = super().batch(step, count)
        self._next = step + 1, count, self._pool.submit(super().batch, step + 1, count)
        return result
