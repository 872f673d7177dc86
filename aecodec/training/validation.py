"""Validation on held-out pictures: real files, real bytes, real decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aecodec.codec import Codec
from aecodec.config import ModelConfig
from aecodec.evaluation.curves import Curve, CurveError, Point, bd_rate, mean_curve
from aecodec.evaluation.rivals import REFERENCE, Aecodec, Rival, measure
from aecodec.training.data import Pixels, TrainingPicture
from aecodec.weights import Arrays, Card, TrainingRecord, Weights

QUALITIES = (1, 20, 40, 60, 80, 100)
SIDE = 512  # pictures are cut to this, to keep validation short
PICTURES = 24


@dataclass(frozen=True)
class Validation:
    """Mean points of a model; its BD-rate against JPEG in percent, None where it cannot be computed."""

    points: tuple[Point, ...]
    bd_rate: float | None


class Validator:
    """Holds the pictures and JPEG's curve on them."""

    def __init__(self, pictures: Sequence[TrainingPicture]) -> None:
        chosen = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
        self._pictures = [_cut(picture.pixels) for picture in chosen]
        self._reference = self._curve(REFERENCE)

    def _curve(self, rival: Rival) -> Curve:
        rows = [measure(rival, str(i), pixels, rival.qualities) for i, pixels in enumerate(self._pictures)]
        return mean_curve(rival.name, [row for each in rows for row in each])

    def __call__(self, codec: Codec) -> Validation:
        """Measure ``codec``."""
        curve = self._curve(Aecodec(codec, QUALITIES))
        try:
            return Validation(curve.points, bd_rate(self._reference, curve))
        except (CurveError, ModuleNotFoundError):
            return Validation(curve.points, None)


def codec_of(arrays: Arrays, config: ModelConfig) -> Codec:
    """A codec of exported arrays that are not in a file yet."""
    return Codec(Weights(Card("training", config, 0, TrainingRecord()), bytes(8), arrays))


def _cut(pixels: Pixels) -> Pixels:
    top, left = (max(0, side - SIDE) // 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
