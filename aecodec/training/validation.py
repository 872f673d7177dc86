"""Validation on held-out pictures: real files, real bytes, real decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aecodec.card import Card, TrainingRecord
from aecodec.codec import Codec
from aecodec.evaluation.curves import Curve, CurveError, bd_rate, mean_curve
from aecodec.evaluation.measure import Measurement, measure_all
from aecodec.evaluation.metrics import PSNR, SSIMULACRA2, Metric
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.rivals import JPEG
from aecodec.evaluation.verdict import EXACT, QUALITIES, cut
from aecodec.networks.config import SharedConfig
from aecodec.training import ssimulacra2
from aecodec.training.data import Pictures, all_grey, judged_by
from aecodec.training.pictures import PictureArray, Pixels
from aecodec.weights import ID_BYTES, Arrays, Weights

# The reference takes four times as long; on pictures of six scales they agree, see tests/training/test_ssimulacra2.py.
FAST_SSIMULACRA2 = replace(SSIMULACRA2, compute=ssimulacra2.score, smallest_side=ssimulacra2.SIX_SCALES)
METRICS = (PSNR, FAST_SSIMULACRA2)
PICTURES = 24
SMALL_PICTURE = 64 * 64  # pixels; of smaller pictures more are taken, to see as many pixels
ENLARGEMENT = 4  # times at most: a picture takes its time whatever its size


@dataclass(frozen=True)
class Level:
    """Means over the pictures at one quality."""

    quality: float
    bpp: float
    psnr: float
    ssimulacra2: float | None


@dataclass(frozen=True)
class Validation:
    """What a model does at each quality; its BD-rates against JPEG in percent, None where they cannot be computed."""

    points: tuple[Level, ...]
    bd_rate: float | None  # at equal PSNR
    bd_rate_ssimulacra2: float | None


class Validator:
    """Holds the pictures and JPEG's curves on them."""

    def __init__(self, pictures: Pictures) -> None:
        most = PICTURES * enlargement(pictures)
        chosen = pixels_of(pictures[:: max(1, len(pictures) // most)][:most])
        self.pictures = [np.ascontiguousarray(cut(pixels)) for pixels in chosen]
        self._reference = measure_all(JPEG, self.pictures, METRICS)

    def __call__(self, codec: Codec) -> Validation:
        """Measure a codec on the held-out pictures, by real files."""
        measured = measure_all(Aecodec(codec, effort=0, qualities=QUALITIES), self.pictures, METRICS)
        scores = {point.quality: point.score for point in _curve(measured, FAST_SSIMULACRA2).points}
        points = _curve(measured, PSNR).points
        levels = tuple(Level(p.quality, p.bpp, p.score, scores.get(p.quality)) for p in points)
        return Validation(levels, *(_bd_rate(self._reference, measured, metric) for metric in METRICS))


def _curve(measured: Sequence[Measurement], metric: Metric) -> Curve:
    return mean_curve(measured[0].codec, measured, metric, EXACT if metric is PSNR else metric.exact)


def _bd_rate(reference: Sequence[Measurement], measured: Sequence[Measurement], metric: Metric) -> float | None:
    try:
        return bd_rate(*(_curve(each, metric).rising() for each in (reference, measured)))
    except (CurveError, ModuleNotFoundError):
        return None


def codec_of(arrays: Arrays, config: SharedConfig) -> Codec:
    """A codec of exported arrays that are not in a file yet."""
    return Codec(Weights(Card("training", config, 0, TrainingRecord()), bytes(ID_BYTES), arrays))


def pixels_of(pictures: Pictures) -> list[Pixels] | Pixels:
    """The pixels of pictures: (H, W, 3) each, (H, W) where all are grey; of an array (N, H, W[, 3])."""
    if isinstance(pictures, PictureArray):
        grey = pictures.pixels.ndim == 4 and all_grey(pictures)
        return pictures.pixels[..., 0] if grey else pictures.pixels
    if all_grey(pictures):
        return [picture.pixels[..., 0] for picture in judged_by(pictures)]
    return [picture.pixels for picture in judged_by(pictures)]


def enlargement(pictures: Pictures) -> int:
    """How many times more pictures than usual it takes to see as much, where they are small."""
    area = float(np.median([picture.pixels[..., 0].size for picture in pictures[:PICTURES]]))
    return min(ENLARGEMENT, max(1, int(SMALL_PICTURE / area)))
