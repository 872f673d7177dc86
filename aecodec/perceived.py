"""How far a restored picture is from the original for people: SSIMULACRA2, by its reference program."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.errors import ImageError, missing_extra

Pixels = npt.NDArray[np.uint8]

SMALLEST_SIDE = 8


def ssimulacra2(original: Pixels, restored: Pixels) -> float:
    """SSIMULACRA2, 100 for no difference, of pixels (H, W) or (H, W, 3).

    30 is a low, 50 a medium, 70 a high quality; 90 is hard to tell from the original. Raises ImageError for a side
    below 8 pixels, MissingExtra where the package ssimulacra2 is not installed.
    """
    if min(original.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(f"a picture below {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels has no score")
    try:
        import ssimulacra2 as reference
    except ModuleNotFoundError as error:
        raise missing_extra(error, "a score", "score") from error
    return float(reference.compute_ssimulacra2(_as_file(original), _as_file(restored)))


def scorer(original: Pixels, decode: Callable[[Any], Pixels]) -> Callable[[Any], float]:
    """A function that scores what ``decode`` makes of something."""
    return lambda coded: ssimulacra2(original, decode(coded))


def _as_file(pixels: Pixels) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, "PPM")
    return file
