"""Rate-distortion curves: from measurements to mean curves to BD-rates.

Conventions: the rate is the bits of the real file, container included, per pixel. A mean curve has one point per
quality setting: the mean bpp and the mean of the pictures' scores. Between its points a curve is PCHIP (monotone
piecewise cubic) with the logarithm of the rate; outside of them it is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from aecodec.errors import AecError
from aecodec.evaluation.extra import optional
from aecodec.evaluation.measure import Measurement
from aecodec.evaluation.metrics import PSNR, Metric


class CurveError(AecError):
    """Curves that cannot be compared, or a value outside of a curve."""


@dataclass(frozen=True)
class Point:
    """One quality setting of a codec: its rate, and the score by the curve's metric."""

    quality: float
    bpp: float
    score: float

    def __str__(self) -> str:
        """The quality with its rate and its score, for messages."""
        return f"quality {self.quality:g}: {self.bpp:.4f} bpp, {self.score:.3f}"


@dataclass(frozen=True)
class Curve:
    """A codec's points by one metric, in ascending order of rate; the score grows with the quality."""

    name: str
    points: tuple[Point, ...]
    metric: Metric = PSNR

    @property
    def rates(self) -> list[float]:
        """The points' bits per pixel."""
        return [point.bpp for point in self.points]

    @property
    def scores(self) -> list[float]:
        """The points' scores by the curve's metric, from the lowest rate up."""
        return [point.score for point in self.points]

    @property
    def score_range(self) -> tuple[float, float]:
        """The lowest and the highest score reached."""
        return min(self.scores), max(self.scores)

    @property
    def _log_rates(self) -> list[float]:
        return [math.log10(rate) for rate in self.rates]

    def check(self) -> None:
        """Raise CurveError unless there are two points or more and the score strictly rises with rate."""
        if len(self.points) < 2:
            raise CurveError(f"{self.name}: a curve needs at least 2 points, not {len(self.points)}")
        for point in self.points:
            if not (point.bpp > 0 and math.isfinite(point.bpp) and math.isfinite(point.score)):
                raise CurveError(f"{self.name}: quality {point.quality:g}: {point.bpp} bpp, {self._text(point.score)}")
        for low, high in zip(self.points, self.points[1:], strict=False):
            if not (low.bpp < high.bpp and low.score < high.score):
                raise CurveError(f"{self.name}: {self.metric.label} does not rise with rate from ({low}) to ({high})")

    def rising(self) -> Curve:
        """The curve without the points that another one beats in both rate and score."""
        kept: list[Point] = []
        for point in self.points:
            if not kept or (point.score > kept[-1].score and point.bpp > kept[-1].bpp):
                kept.append(point)
        return replace(self, points=tuple(kept))

    def bpp_at(self, score: float) -> float:
        """The rate that gives this score. Raises CurveError where the curve does not reach it."""
        self.check()
        return float(10 ** _interpolate(self, self.scores, self._log_rates, score, self.metric.label))

    def score_at(self, bpp: float) -> float:
        """The score at this rate. Raises CurveError where the curve does not reach it."""
        if bpp <= 0:
            raise CurveError(f"{self.name}: {bpp} bpp is not a rate")
        self.check()
        return _interpolate(self, self._log_rates, self.scores, math.log10(bpp), "log10 bpp")

    def _text(self, score: float) -> str:
        return f"{score}{self.metric.unit}"


def mean_curve(
    name: str, measurements: Iterable[Measurement], metric: Metric = PSNR, exact: float | None = None
) -> Curve:
    """The mean over the pictures, one point per quality at which all of them have a finite score.

    What was restored exactly has no score, as it is no point of a lossy curve, or counts as ``exact``, in units of
    the metric. Raises CurveError unless every quality was measured on the same pictures.
    """
    by_quality: dict[float, list[Measurement]] = {}
    for measurement in measurements:
        by_quality.setdefault(measurement.quality, []).append(measurement)
    images = {tuple(sorted(m.image for m in group)) for group in by_quality.values()}
    if len(images) != 1:
        raise CurveError(f"{name}: no measurements, or not of the same pictures at every quality")
    points = []
    for quality, group in by_quality.items():
        scores = [score for m in group if (score := score_of(m, metric, exact)) is not None]
        score = metric.on_curve(fmean(scores)) if len(scores) == len(group) else math.inf
        if math.isfinite(score):
            points.append(Point(quality, fmean(m.bpp for m in group), score))
    return Curve(name, tuple(sorted(points, key=lambda point: (point.bpp, point.score))), metric)


def score_of(measurement: Measurement, metric: Metric, exact: float | None = None) -> float | None:
    """A measurement's score, at most ``exact``, which stands for what was restored exactly; None where it has none."""
    if measurement.psnr is None:
        return exact
    score = measurement.score(metric)
    return score if score is None or exact is None else min(score, exact)


def common_range(a: Curve, b: Curve) -> tuple[float, float]:
    """The range of scores that both curves cover. Raises CurveError where there is none."""
    low, high = max(a.score_range[0], b.score_range[0]), min(a.score_range[1], b.score_range[1])
    if low >= high:
        ranges = ", ".join(f"{c.name} {c.score_range[0]:.2f}..{c.score_range[1]:.2f}{c.metric.unit}" for c in (a, b))
        raise CurveError(f"the curves have no range of {a.metric.label} in common: {ranges}")
    return low, high


def bd_rate(reference: Curve, test: Curve) -> float:
    """How many percent more (negative: fewer) bytes ``test`` needs than ``reference`` at equal quality.

    The Bjontegaard delta: the mean difference of the logarithms of the rates, PCHIP, over the common range of scores.
    Raises CurveError where there is no common range or the score does not rise with rate.
    """
    for curve in (reference, test):
        curve.check()
    common_range(reference, test)
    return float(
        optional("bjontegaard").bd_rate(
            *(reference.rates, reference.scores, test.rates, test.scores),
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
    )


def _interpolate(curve: Curve, x: Sequence[float], y: Sequence[float], at: float, unit: str) -> float:
    if not x[0] <= at <= x[-1]:
        raise CurveError(f"{curve.name}: {at:.3f} {unit} is outside of the curve, {x[0]:.3f}..{x[-1]:.3f}")
    return float(optional("scipy.interpolate").PchipInterpolator(x, y)(at))
