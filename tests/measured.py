"""Invented measurements of codecs on two pictures."""

from __future__ import annotations

from aecodec.evaluation import bench
from aecodec.evaluation.results import Results, Row
from aecodec.evaluation.sources import Picture

PICTURES = tuple(Picture(name, name, 100, 80, 3, 9000, "PNG", False) for name in ("a", "b"))


def rows(codec: str, factor: float, lift: float = 0.0) -> list[Row]:
    """A codec on two pictures, with ``factor`` times the bytes."""
    return [
        Row(codec, image, q, round(factor * 400 * 2 ** (q / 20)), 26 + q / 6 + lift, 0.9 + q / 1000, float(q))
        for image, lift in (("a", lift), ("b", lift + 1.0))
        for q in (20, 40, 60, 80)
    ]


def results(*found: Row) -> Results:
    names = dict.fromkeys(row.codec for row in found)
    codecs = tuple(bench.Codec(name, "settings", {"library": "1"}) for name in names)
    return Results("test", PICTURES, codecs, {"pytorch-msssim": "1"}, found)
