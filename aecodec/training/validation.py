"""Validation on held-out pictures: real files, real bytes, real decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aecodec.codec import Codec
from aecodec.evaluation.curves import Curve, CurveError, Measurement, Point, bd_rate, mean_curve
from aecodec.evaluation.metrics import psnr
from aecodec.evaluation.rivals import REFERENCE, Aecodec, Rival
from aecodec.networks.config import SharedConfig
from aecodec.training.data import Pictures, Pixels, all_grey
from aecodec.weights import Arrays, Card, TrainingRecord, Weights

QUALITIES = (1, 20, 40, 60, 80, 100)
SIDE = 512  # pictures are cut to this, to keep validation short
PICTURES = 24
SMALL_PICTURE = 64 * 64  # pixels; of smaller pictures more are taken, to see as many pixels
ENLARGEMENT = 4  # times at most: a picture takes its time whatever its size
EXACT = 50.0  # dB; differences beyond are invisible, and a picture restored exactly counts as this rather than as inf


@dataclass(frozen=True)
class Validation:
    """Mean points of a model; its BD-rate against JPEG in percent, None where it cannot be computed."""

    points: tuple[Point, ...]
    bd_rate: float | None


class Validator:
    """Holds the pictures and JPEG's curve on them."""

    def __init__(self, pictures: Pictures) -> None:
        most = PICTURES * enlargement(pictures)
        self._pictures = measurable(pictures[:: max(1, len(pictures) // most)][:most])
        self._reference = curve_of(REFERENCE, self._pictures).rising()

    def __call__(self, codec: Codec) -> Validation:
        """Measure ``codec``."""
        curve = curve_of(Aecodec(codec, QUALITIES, effort=0), self._pictures)
        try:
            return Validation(curve.points, bd_rate(self._reference, curve.rising()))
        except (CurveError, ModuleNotFoundError):
            return Validation(curve.points, None)


def codec_of(arrays: Arrays, config: SharedConfig) -> Codec:
    """A codec of exported arrays that are not in a file yet."""
    return Codec(Weights(Card("training", config, 0, TrainingRecord()), bytes(8), arrays))


def curve_of(rival: Rival, pictures: Sequence[Pixels]) -> Curve:
    """The mean curve of a codec on pictures (H, W, 3) or (H, W), with real files."""
    rows = [
        _measure(rival, str(i), pixels, quality) for i, pixels in enumerate(pictures) for quality in rival.qualities
    ]
    return mean_curve(rival.name, rows)


def _measure(rival: Rival, image: str, pixels: Pixels, quality: int) -> Measurement:
    data = rival.encode(pixels, quality)
    restored = rival.decode(data)
    original = pixels if pixels.ndim == restored.ndim else np.repeat(pixels[..., None], 3, axis=-1)
    area = pixels.shape[0] * pixels.shape[1]
    return Measurement(image, rival.name, quality, len(data), area, min(EXACT, psnr(original, restored)))


def measurable(pictures: Pictures) -> list[Pixels]:
    """Pixels to measure codecs on: (H, W, 3) at most 512 x 512, or (H, W) where all pictures are grey."""
    pixels = [np.ascontiguousarray(cut(picture.pixels)) for picture in pictures]
    return [np.ascontiguousarray(p[..., 0]) for p in pixels] if all_grey(pictures) else pixels


def enlargement(pictures: Pictures) -> int:
    """How many times more pictures than usual it takes to see as much, where they are small."""
    area = float(np.median([picture.pixels[..., 0].size for picture in pictures[:PICTURES]]))
    return min(ENLARGEMENT, max(1, int(SMALL_PICTURE / area)))


def cut(pixels: Pixels) -> Pixels:
    """The middle of a picture, at most 512 x 512."""
    top, left = (max(0, side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]
