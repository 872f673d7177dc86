"""What a quality means: of a model for the eye, about the mean SSIMULACRA2 of its pictures from 30 up.

30 is low, 50 medium, 70 good, 90 visually lossless. Below 30 the scores of single pictures differ too much to mean
anything, and qualities go evenly down to the lowest rate that the model knows; beyond what it reaches, up to the
highest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aecodec.codec import Codec
from aecodec.evaluation.curves import mean_curve
from aecodec.evaluation.measure import measure_all
from aecodec.evaluation.ours import Aecodec
from aecodec.training.pictures import Pixels
from aecodec.training.validation import FAST_SSIMULACRA2

SCORED = range(30, 96, 5)  # qualities that are meant to be scores
MEASURED = (1, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 86, 92, 96, 100)  # of a model not yet calibrated
LEAST = 0.002  # between two knots, in positions

Knot = tuple[float, float]  # quality 1..100, position 0..1


def scores_by_position(codec: Codec, pictures: Sequence[Pixels]) -> list[tuple[float, float]]:
    """Pairs (position 0..1, mean SSIMULACRA2) of a codec whose qualities are spread evenly over its positions."""
    measured = measure_all(Aecodec(codec, effort=0, qualities=MEASURED), pictures, (FAST_SSIMULACRA2,))
    points = mean_curve(codec.card.name, measured, FAST_SSIMULACRA2, FAST_SSIMULACRA2.exact).points
    return [((point.quality - 1) / 99, point.score) for point in points]


def quality_knots(scores: Sequence[tuple[float, float]]) -> list[Knot]:
    """The map from qualities to positions, for :func:`aecodec.networks.gains.quality_map`.

    ``scores`` are pairs of a position and its mean SSIMULACRA2.
    """
    positions, found = (np.array(side) for side in zip(*scores, strict=True))
    rising = np.maximum.accumulate(found)
    knots: list[Knot] = [(1.0, 0.0)]
    for quality in SCORED:
        if rising[0] < quality < rising[-1]:
            position = float(np.interp(quality, rising, positions))
            if knots[-1][1] + LEAST < position < 1 - LEAST:
                knots.append((float(quality), position))
    return [*knots, (100.0, 1.0)]
