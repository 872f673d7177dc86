"""Points that others published, for a report to show beside what was measured. They are never mixed with it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from aecodec.evaluation.curves import Curve, Point
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.metrics import MS_SSIM, PSNR, Metric, ms_ssim_decibels


@dataclass(frozen=True)
class Published:
    """A codec's published mean points by PSNR, and where it was published by MS-SSIM, in decibels of the mean."""

    name: str
    source: str
    curves: tuple[Curve, ...]


def read_published(path: Path) -> tuple[Published, ...]:
    """Read ``{name: {"source": ..., "bpp": [...], "psnr": [...], "ms_ssim": [...] or null}}``. Raises BenchError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_published(name, entry) for name, entry in found.items())
    except OSError as error:
        raise BenchError(f"{path}: cannot read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a file of published points ({type(error).__name__}: {error})") from error


def _published(name: str, entry: dict[str, list[float] | str | None]) -> Published:
    source, rates, decibels, similarities = entry["source"], entry["bpp"], entry["psnr"], entry.get("ms_ssim")
    if not isinstance(source, str) or not isinstance(rates, list) or not isinstance(decibels, list):
        raise ValueError(f"{name}: source, bpp and psnr are needed")
    curves = [_curve(name, rates, decibels, PSNR)]
    if isinstance(similarities, list):
        curves.append(_curve(name, rates, [ms_ssim_decibels(value) for value in similarities], MS_SSIM))
    return Published(name, source, tuple(curves))


def _curve(name: str, rates: list[float], scores: list[float], metric: Metric) -> Curve:
    pairs = sorted(zip(rates, scores, strict=True))
    if not all(rate > 0 and math.isfinite(score) for rate, score in pairs):
        raise ValueError(f"{name}: a rate that is not positive, or a score that is not finite")
    return Curve(name, tuple(Point(i, *pair) for i, pair in enumerate(pairs)), metric).rising()
