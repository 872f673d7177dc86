"""What a caller may ask of the encoder, by the same names on the command line, in Python and in Pillow.

Imports nothing heavy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DEFAULT_MODEL = "photo"
DEFAULT_QUALITY = 60.0
QUALITY_RANGE = (1.0, 100.0)
BEST_SCORE = 100.0
EFFORT_RANGE = (0, 9)
DEFAULT_EFFORT = 0  # more than that needs PyTorch


@dataclass(frozen=True)
class Options:
    """``quality`` 1..100, or the best within ``target_size`` bytes or ``bpp`` bits a pixel, or the lowest that reaches
    ``score``, an SSIMULACRA2 of up to 100, or ``lossless``.

    ``effort`` is 0..9, time for smaller files. Raises ValueError for values outside these, and for two of the first
    five together.
    """

    quality: float | None = None
    target_size: int | None = None
    bpp: float | None = None
    score: float | None = None
    lossless: bool = False
    effort: int = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        goals = {name: getattr(self, name) for name in ("quality", "target_size", "bpp", "score")}
        given = [name for name, value in goals.items() if value is not None] + ["lossless"] * bool(self.lossless)
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        if self.quality is not None:
            hundredths(self.quality)
        if self.target_size is not None and not self.target_size >= 1:
            raise ValueError(f"target_size {self.target_size} is not a number of bytes")
        if self.bpp is not None and not 0 < self.bpp < math.inf:
            raise ValueError(f"bpp {self.bpp} is not a number of bits a pixel")
        if self.score is not None and not -math.inf < self.score <= BEST_SCORE:
            raise ValueError(f"score {self.score} is not an SSIMULACRA2, which is {BEST_SCORE:g} at best")
        low, high = EFFORT_RANGE
        if self.effort not in range(low, high + 1):
            raise ValueError(f"effort {self.effort} is not within {low}..{high}")

    def target_bytes(self, pixels: int) -> int | None:
        """The most bytes that a file of so many pixels may have; None where that is not the goal."""
        return int(self.bpp * pixels / 8) if self.bpp is not None else self.target_size


def hundredths(quality: float) -> int:
    """A quality as files have it. Raises ValueError outside 1..100."""
    low, high = QUALITY_RANGE
    if not low <= quality <= high:
        raise ValueError(f"quality {quality} is not within {low:g}..{high:g}")
    return round(100 * quality)
