"""Training pictures: how one is read, and many of one size as one array."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.errors import AecError
from aecodec.inputs import named
from aecodec.pictures.images import read, size_of

Pixels = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2", ".gif"})
LARGE = 1600  # longer sides are scaled down at random to between half of this and this
SMALLEST = 8  # sides of a picture


@dataclass(frozen=True)
class TrainingPicture:
    path: Path
    pixels: Pixels  # (H, W, 3)


class PictureArray(Sequence[TrainingPicture]):
    """Many pictures of one size, kept as one array (N, H, W) or (N, H, W, 3): a grey one is not tripled in memory."""

    def __init__(self, path: Path, pixels: Pixels) -> None:
        self.path, self.pixels = path, pixels

    def __len__(self) -> int:
        return len(self.pixels)

    @overload
    def __getitem__(self, index: int) -> TrainingPicture: ...
    @overload
    def __getitem__(self, index: slice) -> PictureArray: ...
    def __getitem__(self, index: int | slice) -> TrainingPicture | PictureArray:
        if isinstance(index, slice):
            return PictureArray(self.path, self.pixels[index])
        pixels = self.pixels[index]
        colour = pixels if pixels.ndim == 3 else np.broadcast_to(pixels[:, :, None], (*pixels.shape, 3))
        return TrainingPicture(self.path, colour)

    def without(self, index: slice) -> PictureArray:
        """All pictures but those of a slice."""
        return PictureArray(self.path, np.delete(self.pixels, index, axis=0))


def _kept_size(path: Path, width: int, height: int) -> tuple[int, int]:
    """Width and height that a picture is scaled down to, which hides the traces of an earlier lossy coding."""
    long = max(width, height)
    if long <= LARGE:
        return width, height
    random = np.random.default_rng([ord(letter) for letter in path.name])
    factor = LARGE * random.uniform(0.5, 1) / long
    return max(1, round(width * factor)), max(1, round(height * factor))


def load(path: Path, data: bytes | None = None) -> TrainingPicture | AecError:
    """The picture of a file, or of the ``data`` that are called so; or why it cannot be had.

    What cannot be compressed is no example of what will be.
    """
    try:
        if data is None:
            pixels = read(path).pixels
        else:
            with named(path):
                pixels = read(io.BytesIO(data)).pixels
    except AecError as error:
        return error
    image = Image.fromarray(pixels).convert("RGB")
    size = _kept_size(path, *image.size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return TrainingPicture(path, np.asarray(image, np.uint8))


def bytes_kept(path: Path) -> int:
    """Of the pixels of a picture in memory; 0 where its size cannot be had."""
    try:
        width, height = _kept_size(path, *size_of(path))
    except AecError:
        return 0
    return 3 * width * height
