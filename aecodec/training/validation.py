"""Validation on held-out pictures: real files, real bytes, real decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aecodec.codec import Codec
from aecodec.evaluation.curves import CurveError, Point, bd_rate
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.rivals import JPEG
from aecodec.evaluation.verdict import QUALITIES, curve_of, cut
from aecodec.networks.config import SharedConfig
from aecodec.training.data import PictureArray, Pictures, Pixels, all_grey
from aecodec.weights import ID_BYTES, Arrays, Card, TrainingRecord, Weights

PICTURES = 24
SMALL_PICTURE = 64 * 64  # pixels; of smaller pictures more are taken, to see as many pixels
ENLARGEMENT = 4  # times at most: a picture takes its time whatever its size


@dataclass(frozen=True)
class Validation:
    """Mean points of a model; its BD-rate against JPEG in percent, None where it cannot be computed."""

    points: tuple[Point, ...]
    bd_rate: float | None


class Validator:
    """Holds the pictures and JPEG's curve on them."""

    def __init__(self, pictures: Pictures) -> None:
        most = PICTURES * enlargement(pictures)
        chosen = pixels_of(pictures[:: max(1, len(pictures) // most)][:most])
        self._pictures = [np.ascontiguousarray(cut(pixels)) for pixels in chosen]
        self._reference = curve_of(JPEG, self._pictures).rising()

    def __call__(self, codec: Codec) -> Validation:
        """Measure ``codec``."""
        curve = curve_of(Aecodec(codec, effort=0, qualities=QUALITIES), self._pictures)
        try:
            return Validation(curve.points, bd_rate(self._reference, curve.rising()))
        except (CurveError, ModuleNotFoundError):
            return Validation(curve.points, None)


def codec_of(arrays: Arrays, config: SharedConfig) -> Codec:
    """A codec of exported arrays that are not in a file yet."""
    return Codec(Weights(Card("training", config, 0, TrainingRecord()), bytes(ID_BYTES), arrays))


def pixels_of(pictures: Pictures) -> list[Pixels] | Pixels:
    """The pixels of pictures: (H, W, 3) each, (H, W) where all are grey; of an array (N, H, W[, 3])."""
    if isinstance(pictures, PictureArray):
        grey = pictures.pixels.ndim == 4 and all_grey(pictures)
        return pictures.pixels[..., 0] if grey else pictures.pixels
    if all_grey(pictures):
        return [picture.pixels[..., 0] for picture in pictures]
    return [picture.pixels for picture in pictures]


def enlargement(pictures: Pictures) -> int:
    """How many times more pictures than usual it takes to see as much, where they are small."""
    area = float(np.median([picture.pixels[..., 0].size for picture in pictures[:PICTURES]]))
    return min(ENLARGEMENT, max(1, int(SMALL_PICTURE / area)))
