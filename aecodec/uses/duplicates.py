"""Pictures that are copies of each other, however they were coded or resized since.

Each picture is made small and measured; the predicted means of the small pictures, a few thousand numbers, are compared
by their cosine. Copies that were turned or mirrored are other pictures here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.codec import Codec, Pixels
from aecodec.uses.features import features
from aecodec.uses.meter import measure

SIDE = 64  # pixels of the small pictures
QUALITY = 60.0
CLOSE = 0.015  # 1 - cosine up to which two pictures are taken for copies
ROWS = 1024  # pictures that are compared with all others at once

Marks = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Two pictures, by their names, and 1 - cosine of their marks."""

    first: str
    second: str
    distance: float


def marks(codec: Codec, pictures: Iterable[Pixels]) -> Marks:
    """What pictures are compared by, (N, K), each of length 1."""
    found, batch = [], []
    for pixels in pictures:
        batch.append(small(pixels))
        if len(batch) == 64:
            found.append(features(measure(codec, np.stack(batch), QUALITY)))
            batch = []
    if batch:
        found.append(features(measure(codec, np.stack(batch), QUALITY)))
    values = np.concatenate(found)
    return np.asarray(values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-9), np.float32)


def small(pixels: Pixels) -> Pixels:
    """A picture squeezed into a square, in grey levels of the whole range."""
    image = Image.fromarray(pixels).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(image)


def pairs(names: Sequence[str], found: Marks, close: float = CLOSE) -> Iterator[Pair]:
    """Pairs of pictures whose marks are as close, nearest first."""
    result = []
    for start in range(0, len(found), ROWS):
        distance = 1 - found[start : start + ROWS] @ found.T
        for i, j in zip(*np.nonzero(distance <= close), strict=True):
            if start + i < j:
                result.append(Pair(names[start + i], names[j], max(0.0, float(distance[i, j]))))
    return iter(sorted(result, key=lambda pair: pair.distance))
