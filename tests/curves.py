"""Rate-distortion curves of real files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aecodec.codec import Codec, Pixels
from aecodec.evaluation.curves import Curve, mean_curve
from aecodec.evaluation.rivals import Aecodec, measure

QUALITIES = (5, 30, 55, 80)


@dataclass(frozen=True)
class _Plain(Aecodec):
    """Without the lossless fallback."""

    codec: Codec

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        return self.codec.encode(pixels, quality, effort=self.effort, fallback=False)


def curve(codec: Codec, pictures: Sequence[Pixels], effort: int = 0) -> Curve:
    """The mean of pictures (H, W, 3)."""
    rival = _Plain(codec, name=f"effort {effort}", effort=effort)
    return mean_curve(rival.name, [row for i, p in enumerate(pictures) for row in measure(rival, str(i), p, QUALITIES)])
