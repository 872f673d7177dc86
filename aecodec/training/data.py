"""Training pictures: a folder, decoded once and kept as uint8; crops drawn at random, the same for the same step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.errors import DataError

Pixels = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2", ".gif"})
LARGE = 1600  # longer sides are scaled down at random to between half of this and this
SMALLEST = 64


@dataclass(frozen=True)
class TrainingPicture:
    path: Path
    pixels: Pixels  # (H, W, 3)


def find_pictures(folder: Path) -> list[Path]:
    """Picture files below ``folder``, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _load(path: Path) -> TrainingPicture | None:
    try:
        with Image.open(path) as file:
            image: Image.Image = file.convert("RGB")
            long = max(image.size)
            if long > LARGE:  # scaling down hides the traces of an earlier lossy coding
                random = np.random.default_rng([ord(letter) for letter in path.name])
                factor = LARGE * random.uniform(0.5, 1) / long
                size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
                image = image.resize(size, Image.Resampling.LANCZOS)
            return TrainingPicture(path, np.asarray(image, np.uint8))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def load_pictures(paths: Iterable[Path], report: Callable[[str], None] = print) -> list[TrainingPicture]:
    """Decode ``paths``; unreadable and tiny pictures are reported and left out."""
    paths = list(paths)
    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(_load, paths))
    good = []
    for path, picture in zip(paths, loaded, strict=True):
        if picture is None:
            report(f"{path}: not a readable picture, left out")
        elif min(picture.pixels.shape[:2]) < SMALLEST:
            report(f"{path}: smaller than {SMALLEST} pixels, left out")
        else:
            good.append(picture)
    return good


def split(paths: Sequence[Path], held_out: float) -> tuple[list[Path], list[Path]]:
    """Training and validation part; every k-th path is held out, so that both see every sub-folder."""
    if len(paths) < 4:
        raise DataError(f"training needs at least 4 pictures, found {len(paths)}")
    every = max(2, round(1 / held_out))
    return [p for i, p in enumerate(paths) if i % every], list(paths[::every])


class Crops:
    """Draws batches; batch ``step`` depends on the seed and the step alone, so a resumed run sees the same data.

    Sub-folders are sampled in proportion to the square root of their size: a large one does not drown the others.
    """

    def __init__(self, pictures: Sequence[TrainingPicture], size: int, seed: int = 0) -> None:
        if not pictures:
            raise DataError("no picture to train on")
        self.pictures = pictures
        self.size = size
        self.seed = seed
        folders = [p.path.parent for p in pictures]
        count = Counter(folders)
        weight = np.array([count[folder] ** -0.5 for folder in folders])
        self.weight = weight / weight.sum()

    def _crop(self, pixels: Pixels, random: np.random.Generator) -> Pixels:
        size = self.size
        down, right = (max(0, size - side) for side in pixels.shape[:2])
        if down or right:
            pixels = np.pad(pixels, ((0, down), (0, right), (0, 0)), "symmetric")
        top, left = (int(random.integers(side - size + 1)) for side in pixels.shape[:2])
        crop = pixels[top : top + size, left : left + size]
        if random.random() < 0.5:
            crop = crop[:, ::-1]
        if random.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return crop

    def batch(self, step: int, count: int) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Crops (count, size, size, 3) and qualities (count,) in 0..1, spread evenly over the range."""
        random = np.random.default_rng((self.seed, step))
        chosen = random.choice(len(self.pictures), count, p=self.weight)
        crops = np.stack([self._crop(self.pictures[i].pixels, random) for i in chosen])
        strata = (random.permutation(count) + random.random(count)) / count
        return crops, strata.astype(np.float32)
