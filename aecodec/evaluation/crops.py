"""Crops of restored pictures at equal bytes, for a report to lay over each other.

Which pictures and which parts follows rules, not taste: the pictures on which our model gains most, in the middle, and
least against the rival that is hardest to beat, by the report's leading metric; of each, the part whose detail is
nearest to the picture's average. The budget is our file's size at a usual and at a low quality, and every other codec
gets the lowest setting whose file is at least as large.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aecodec.bisection import last_that_fits
from aecodec.evaluation.formats import save_file
from aecodec.evaluation.measure import MeasuredCodec, RoundTrip, score
from aecodec.evaluation.metrics import SSIMULACRA2, Metric, Pixels, as_rgb
from aecodec.evaluation.results import Results, write_json
from aecodec.evaluation.sources import Source
from aecodec.evaluation.summary import Summary
from aecodec.sampling import evenly

SIDE = 208  # pixels of a crop
QUALITIES = (55, 25)  # of our model, a usual one first; the nearest of its curve are taken
VERSION = 2


@dataclass(frozen=True)
class Crop:
    """What a codec restored: a lossless WebP in base64 of the crop; bytes and scores are the whole picture's.

    ``psnr`` is None where it was restored exactly, ``ssimulacra2`` where it was not measured.
    """

    codec: str
    quality: int
    bytes: int
    psnr: float | None
    ssimulacra2: float | None
    webp: str


@dataclass(frozen=True)
class Example:
    """One picture at one budget."""

    image: str
    why: str
    pixels: int
    left: int
    top: int
    budget: int
    original: str
    crops: tuple[Crop, ...]


@dataclass(frozen=True)
class Choice:
    """A picture, and why it is shown."""

    source: Source
    why: str


def choose(sources: Sequence[Source], summary: Summary) -> list[Choice]:
    """The pictures to show."""
    by_name = {source.name: source for source in sources}
    savings = summary.savings[0] if summary.savings else None
    known = [
        gain
        for gain in (savings.pictures if savings else ())
        if gain.against and savings and gain.against[savings.hardest].percent is not None
    ]
    if savings is None or not known:
        return [Choice(source, "one of the pictures") for source in evenly(sources, 3)]
    against = f"against {summary.rivals[savings.hardest]}, by {savings.metric.label}"
    chosen = {0: f"the greatest gain {against}"}
    chosen.setdefault(len(known) - 1, f"the smallest gain, or greatest loss, {against}")
    chosen.setdefault(len(known) // 2, f"in the middle of the gains {against}")
    return [Choice(by_name[known[place].image], why) for place, why in sorted(chosen.items())]


def make_examples(
    choices: Sequence[Choice],
    codecs: Sequence[MeasuredCodec],
    results: Results,
    cache: Path,
    report: Callable[[str], None],
) -> list[Example]:
    """Every chosen picture at two budgets, by every one of ``codecs``; what ``cache`` holds is not coded again."""
    known = _read(cache)
    kept: dict[str, Crop] = {}
    examples = []
    leader = codecs[0]
    metrics = [SSIMULACRA2] if SSIMULACRA2.name in results.metrics else []
    for choice in choices:
        pixels = choice.source.read()
        left, top = typical(as_rgb(pixels), SIDE)
        for quality in (min(leader.qualities, key=lambda each: abs(each - wanted)) for wanted in QUALITIES):
            budget = next(
                row.bytes
                for row in results.rows
                if (row.codec, row.image, row.quality) == (leader.name, choice.source.name, quality)
            )
            crops = []
            for codec in codecs:
                key = _key(codec, choice.source, budget, left, top)
                if key not in known:
                    report(f"crops: {codec.name}, {choice.source.name}, {budget} bytes")
                    coded = (quality, codec.encode(pixels, quality)) if codec is leader else None
                    known[key] = _crop(codec, pixels, coded or at_least(codec, pixels, budget), left, top, metrics)
                kept[key] = known[key]
                crops.append(known[key])
            count = pixels.shape[0] * pixels.shape[1]
            original = _webp(as_rgb(pixels), left, top)
            examples.append(Example(choice.source.name, choice.why, count, left, top, budget, original, tuple(crops)))
    write_json(cache, {"version": VERSION, **{key: asdict(crop) for key, crop in kept.items()}})
    return examples


def typical(pixels: Pixels, side: int) -> tuple[int, int]:
    """Left and top of the window whose mean difference between neighbours is nearest to the picture's."""
    height, width = pixels.shape[:2]
    grey = pixels.mean(axis=2)
    detail = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    step = max(1, side // 4)
    windows = [
        (abs(float(detail[top : top + side, left : left + side].mean()) - float(detail.mean())), left, top)
        for top in range(0, max(1, height - side + 1), step)
        for left in range(0, max(1, width - side + 1), step)
    ]
    _, left, top = min(windows)
    return left, top


def at_least(codec: MeasuredCodec, pixels: Pixels, budget: int) -> tuple[int, bytes]:
    """The lowest quality whose file has at least ``budget`` bytes, and the file; else the highest quality."""
    low, high = codec.quality_range
    return last_that_fits(  # of the qualities from the highest down, hence the signs
        -high, -low, lambda n: (-n, codec.encode(pixels, -n)), lambda coded: len(coded[1]) >= budget
    )


def _crop(
    codec: MeasuredCodec, pixels: Pixels, coded: tuple[int, bytes], left: int, top: int, metrics: Sequence[Metric]
) -> Crop:
    quality, data = coded
    restored = as_rgb(codec.decode(data))
    scores = score(codec, pixels, quality, RoundTrip(data, restored), metrics)
    return Crop(
        *(codec.name, quality, len(data)),
        _rounded(scores.psnr),
        _rounded(scores.ssimulacra2),
        _webp(restored, left, top),
    )


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 3)


def _webp(pixels: Pixels, left: int, top: int) -> str:
    part = np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
    return base64.b64encode(save_file(part, "WEBP", lossless=True, method=4, quality=80)).decode()


def _key(codec: MeasuredCodec, source: Source, budget: int, left: int, top: int) -> str:
    """Everything that decides a crop, as one digest."""
    parts = codec.name, codec.settings, sorted(codec.versions.items()), source.picture.sha256, budget, left, top, SIDE
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _read(cache: Path) -> dict[str, Crop]:
    """Earlier crops; a cache that is missing or of another kind is empty."""
    try:
        found: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8"))
        if found.get("version") != VERSION:
            return {}
        return {key: Crop(**fields) for key, fields in found.items() if key != "version"}
    except (OSError, AttributeError, TypeError, ValueError):
        return {}
