"""Validation on held-out pictures: real files, real bytes, real decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from aecodec.codec import Codec
from aecodec.config import ModelConfig
from aecodec.evaluation.metrics import psnr
from aecodec.evaluation.rivals import Jpeg
from aecodec.training.data import Pixels, TrainingPicture
from aecodec.weights import Card, TrainingRecord, Weights

QUALITIES = (1.0, 20.0, 40.0, 60.0, 80.0, 100.0)
JPEG_QUALITIES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
SIDE = 512  # pictures are cut to this, to keep validation short
PICTURES = 24


@dataclass(frozen=True)
class RatePoint:
    """Mean over the pictures at one quality."""

    quality: float
    bpp: float
    psnr: float


@dataclass(frozen=True)
class Validation:
    """Points of a model; ``bd_rate`` against JPEG in percent, None without the package that computes it."""

    points: tuple[RatePoint, ...]
    bd_rate: float | None

    def record(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


class Validator:
    """Holds the pictures and JPEG's points on them."""

    def __init__(self, pictures: Sequence[TrainingPicture]) -> None:
        chosen = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
        self.pictures = [_cut(p.pixels) for p in chosen]
        self._jpeg = [self._jpeg_point(q) for q in JPEG_QUALITIES]

    def _jpeg_point(self, quality: int) -> RatePoint:
        rival = Jpeg()
        coded = [rival.encode(p, quality) for p in self.pictures]
        return self._mean(quality, coded, [rival.decode(data) for data in coded])

    def _mean(self, quality: float, coded: Sequence[bytes], decoded: Sequence[Pixels]) -> RatePoint:
        pairs = list(zip(self.pictures, coded, decoded, strict=True))
        bpp = np.mean([8 * len(data) / (p.shape[0] * p.shape[1]) for p, data, _ in pairs])
        return RatePoint(quality, float(bpp), float(np.mean([psnr(p, d) for p, _, d in pairs])))

    def __call__(self, codec: Codec) -> Validation:
        """Measure ``codec``."""
        points = []
        for quality in QUALITIES:
            coded = [codec.encode(p, quality) for p in self.pictures]
            points.append(self._mean(quality, coded, [codec.decode(data) for data in coded]))
        return Validation(tuple(points), _bd_rate(self._jpeg, points))


def codec_of(arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]], config: ModelConfig) -> Codec:
    """A codec of exported arrays that are not in a file yet."""
    return Codec(Weights(Card("training", config, 0, TrainingRecord()), bytes(8), arrays))


def _cut(pixels: Pixels) -> Pixels:
    top, left = (max(0, side - SIDE) // 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def _bd_rate(reference: Sequence[RatePoint], test: Sequence[RatePoint]) -> float | None:
    try:
        from aecodec.evaluation.curves import Point, bd_rate
    except ImportError:
        return None
    return bd_rate([Point(p.bpp, p.psnr) for p in reference], [Point(p.bpp, p.psnr) for p in test])
