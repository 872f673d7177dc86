"""Rate-distortion curves of real files."""

from __future__ import annotations

from collections.abc import Sequence

from aecodec.codec import Codec, Pixels
from aecodec.evaluation.curves import Curve, Measurement, mean_curve
from aecodec.evaluation.metrics import psnr


def curve(codec: Codec, pictures: Sequence[Pixels], effort: int = 0) -> Curve:
    """The mean of pictures (H, W, 3) at four qualities, without the lossless fallback."""
    rows = []
    for quality in (5, 30, 55, 80):
        for i, pixels in enumerate(pictures):
            data = codec.encode(pixels, quality, effort=effort, fallback=False)
            score = psnr(pixels, codec.decode(data))
            rows.append(Measurement(str(i), "", quality, len(data), pixels.size // 3, score))
    return mean_curve(f"effort {effort}", rows)
