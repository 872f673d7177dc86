"""Pictures and codecs for tests of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import PERCENT, WEBP


def picture(height: int, width: int, seed: int) -> Pixels:
    """Smooth colours with some texture."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + seed), np.cos(y / 11 - seed), np.sin((x + y) / 17)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 1))
    return np.clip(128 + 70 * waves + noise, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Ours:
    """A codec with a name of ours, made of WebP."""

    name: str = "aecodec test"
    settings: str = "a stand-in"
    qualities: tuple[int, ...] = (20, 40, 60, 80)
    quality_range: tuple[int, int] = PERCENT

    @property
    def versions(self) -> dict[str, str]:
        return {"stand-in": "1"}

    def encode(self, pixels: Pixels, quality: float, /) -> bytes:
        return replace(WEBP, options={"method": 0}).encode(pixels, quality)

    def decode(self, data: bytes, /) -> Pixels:
        return WEBP.decode(data)
