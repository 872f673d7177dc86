"""Rate-distortion curves: from measurements to mean curves to BD-rates.

Conventions: the rate is the bits of the real file, container included, per pixel. A mean curve has one point per
quality setting: the mean bpp and the mean of the pictures' PSNR. Between its points a curve is PCHIP (monotone
piecewise cubic) with the logarithm of the rate; outside of them it is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aecodec.errors import AecError
from aecodec.evaluation.extra import optional


class CurveError(AecError):
    """Curves that cannot be compared, or a value outside of a curve."""


@dataclass(frozen=True)
class Measurement:
    """One picture, coded once with one codec."""

    image: str
    codec: str
    quality: int
    bytes: int
    pixels: int
    psnr: float

    @property
    def bpp(self) -> float:
        """Bits per pixel of the real file."""
        return 8 * self.bytes / self.pixels


@dataclass(frozen=True)
class Point:
    """One quality setting of a codec; ``psnr`` is the score, whatever the curve's metric is."""

    quality: int
    bpp: float
    psnr: float

    def __str__(self) -> str:
        """One line for messages."""
        return f"quality {self.quality}: {self.bpp:.4f} bpp, {self.psnr:.3f} dB"


@dataclass(frozen=True)
class Curve:
    """A codec's points, in ascending order of rate. The metric is PSNR or another one that grows with the quality."""

    name: str
    points: tuple[Point, ...]
    metric: str = "PSNR"

    @property
    def rates(self) -> list[float]:
        """The points' bits per pixel."""
        return [point.bpp for point in self.points]

    @property
    def psnrs(self) -> list[float]:
        """The points' decibels."""
        return [point.psnr for point in self.points]

    @property
    def psnr_range(self) -> tuple[float, float]:
        """The lowest and the highest PSNR reached."""
        return min(self.psnrs), max(self.psnrs)

    @property
    def _log_rates(self) -> list[float]:
        return [math.log10(rate) for rate in self.rates]

    def check(self) -> None:
        """Raise CurveError unless there are two points or more and PSNR strictly rises with rate."""
        if len(self.points) < 2:
            raise CurveError(f"{self.name}: a curve needs at least 2 points, not {len(self.points)}")
        for point in self.points:
            if not (point.bpp > 0 and math.isfinite(point.bpp) and math.isfinite(point.psnr)):
                raise CurveError(f"{self.name}: quality {point.quality} has {point.bpp} bpp and {point.psnr} dB")
        for low, high in zip(self.points, self.points[1:], strict=False):
            if not (low.bpp < high.bpp and low.psnr < high.psnr):
                raise CurveError(f"{self.name}: {self.metric} does not rise with rate from ({low}) to ({high})")

    def rising(self) -> Curve:
        """The curve without the points that another one beats in both rate and score."""
        kept: list[Point] = []
        for point in self.points:
            if not kept or (point.psnr > kept[-1].psnr and point.bpp > kept[-1].bpp):
                kept.append(point)
        return replace(self, points=tuple(kept))

    def bpp_at(self, psnr: float) -> float:
        """The rate that gives this PSNR. Raises CurveError where the curve does not reach it."""
        self.check()
        return float(10 ** _interpolate(self, self.psnrs, self._log_rates, psnr, "dB"))

    def psnr_at(self, bpp: float) -> float:
        """The PSNR at this rate. Raises CurveError where the curve does not reach it."""
        if bpp <= 0:
            raise CurveError(f"{self.name}: {bpp} bpp is not a rate")
        self.check()
        return _interpolate(self, self._log_rates, self.psnrs, math.log10(bpp), "log10 bpp")


def mean_curve(name: str, measurements: Iterable[Measurement]) -> Curve:
    """The mean over the pictures, one point per quality.

    Raises CurveError unless every quality was measured on the same pictures.
    """
    by_quality: dict[int, list[Measurement]] = {}
    for measurement in measurements:
        by_quality.setdefault(measurement.quality, []).append(measurement)
    images = {tuple(sorted(m.image for m in group)) for group in by_quality.values()}
    if len(images) != 1:
        raise CurveError(f"{name}: no measurements, or not of the same pictures at every quality")
    points = [
        Point(quality, float(np.mean([m.bpp for m in group])), float(np.mean([m.psnr for m in group])))
        for quality, group in by_quality.items()
    ]
    return Curve(name, tuple(sorted(points, key=lambda point: (point.bpp, point.psnr))))


def common_psnr_range(a: Curve, b: Curve) -> tuple[float, float]:
    """The range of PSNR that both curves cover. Raises CurveError where there is none."""
    low, high = max(a.psnr_range[0], b.psnr_range[0]), min(a.psnr_range[1], b.psnr_range[1])
    if low >= high:
        ranges = ", ".join(f"{c.name} {c.psnr_range[0]:.2f}..{c.psnr_range[1]:.2f} dB" for c in (a, b))
        raise CurveError(f"the curves have no range of {a.metric} in common: {ranges}")
    return low, high


def bd_rate(reference: Curve, test: Curve) -> float:
    """How many percent more (negative: fewer) bytes ``test`` needs than ``reference`` at equal PSNR.

    The Bjontegaard delta: the mean difference of the logarithms of the rates, PCHIP, over the common range of PSNR.
    Raises CurveError where there is no common range or PSNR does not rise with rate.
    """
    for curve in (reference, test):
        curve.check()
    common_psnr_range(reference, test)
    return float(
        optional("bjontegaard").bd_rate(
            *(reference.rates, reference.psnrs, test.rates, test.psnrs),
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
    )


def _interpolate(curve: Curve, x: Sequence[float], y: Sequence[float], at: float, unit: str) -> float:
    if not x[0] <= at <= x[-1]:
        raise CurveError(f"{curve.name}: {at:.3f} {unit} is outside of the curve, {x[0]:.3f}..{x[-1]:.3f}")
    return float(optional("scipy.interpolate").PchipInterpolator(x, y)(at))
