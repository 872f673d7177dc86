"""Rate-distortion curves of real files."""

from __future__ import annotations

from collections.abc import Sequence

from aecodec.codec import Codec, Pixels
from aecodec.evaluation.curves import Curve, mean_curve
from aecodec.evaluation.measure import measure_all
from aecodec.evaluation.ours import Aecodec

QUALITIES = (5, 30, 55, 80)


def curve(codec: Codec, pictures: Sequence[Pixels], effort: int = 0) -> Curve:
    """The mean of pictures (H, W, 3), without the lossless fallback."""
    measured = Aecodec(codec, f"effort {effort}", effort=effort, qualities=QUALITIES, fallback=False)
    return mean_curve(measured.name, measure_all(measured, pictures))
