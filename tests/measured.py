"""Invented measurements of codecs on two pictures."""

from __future__ import annotations

from aecodec.evaluation.measure import Measurement
from aecodec.evaluation.results import CodecRecord, Results
from aecodec.evaluation.sources import PictureRecord

PICTURES = tuple(PictureRecord(name, name, 100, 80, 3, 9000, "PNG", False) for name in ("a", "b"))


def rows(codec: str, factor: float, lift: float = 0.0) -> list[Measurement]:
    """A codec on two pictures, with ``factor`` times the bytes."""
    return [
        Measurement(
            codec, image, q, round(factor * 400 * 2 ** (q / 20)), 8000, 26 + q / 6 + lift, 0.9 + q / 1000, float(q)
        )
        for image, lift in (("a", lift), ("b", lift + 1.0))
        for q in (20, 40, 60, 80)
    ]


def results(*found: Measurement) -> Results:
    names = dict.fromkeys(row.codec for row in found)
    codecs = tuple(CodecRecord(name, "settings", {"library": "1"}) for name in names)
    return Results("test", PICTURES, codecs, {"ms_ssim": "1", "ssimulacra2": "1"}, found)
