"""What a result file says: mean curves, BD-rates, rates at equal quality, gains picture by picture, speeds.

Mean curves are those of :mod:`aecodec.evaluation.curves`: the mean of the pictures' bits per pixel against the mean of
their scores, one point per quality setting. MS-SSIM is averaged first and then put into decibels, -10 log10(1 - mean),
as published tables of it are. What was restored exactly has no PSNR in decibels. A picture of which that holds at half
of some lossy codec's settings or more (a blank page, a screenshot) is in no curve; beyond that, a setting that restored
some picture exactly is left out of the codec's curve, and so is a point that another one beats in both rate and score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from aecodec.evaluation.codecs import PREFIX
from aecodec.evaluation.curves import Curve, CurveError, Point, bd_rate, common_psnr_range
from aecodec.evaluation.metrics import ms_ssim_decibels
from aecodec.evaluation.published import Published
from aecodec.evaluation.results import Codec, Results, Row
from aecodec.evaluation.sources import Picture
from aecodec.evaluation.speeds import Speed, speeds_at

PSNRS = (28.0, 30.0, 32.0, 34.0, 36.0, 38.0, 40.0)
RATES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
TIMED_PSNR = 33.0
METRICS = ("psnr", "ms_ssim", "ssimulacra2")


@dataclass(frozen=True)
class Scored:
    """A codec's curves; None where there are too few points or the metric was not measured."""

    name: str
    ours: bool
    published: bool
    about: str
    psnr: Curve | None
    ms_ssim: Curve | None
    ssimulacra2: Curve | None


@dataclass(frozen=True)
class BdRate:
    """Percent more bytes (negative: fewer) over the scores from ``low`` to ``high``, or why there is no such number."""

    percent: float | None
    low: float = math.nan
    high: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """A codec against the reference by two metrics, and our first model against the codec by PSNR."""

    name: str
    ours: bool
    published: bool
    about: str
    psnr: BdRate
    ms_ssim: BdRate
    saved: BdRate


@dataclass(frozen=True)
class Fixed:
    """One codec's values at the levels of a table; None where its curve does not reach."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Lossless:
    """Mean bits per pixel of a codec that restored every picture exactly, and its share of the raw bytes."""

    name: str
    about: str
    bpp: float
    share: float


@dataclass(frozen=True)
class Gain:
    """Our model against each rival on one picture."""

    image: str
    against: tuple[BdRate, ...]


@dataclass(frozen=True)
class Summary:
    """Everything a report shows in numbers."""

    reference: str
    scored: tuple[Scored, ...]
    comparisons: tuple[Comparison, ...]
    rates_at: tuple[Fixed, ...]
    psnrs_at: tuple[Fixed, ...]
    lossless: tuple[Lossless, ...]
    rivals: tuple[str, ...]
    gains: tuple[Gain, ...]
    speeds: tuple[Speed, ...]
    left_out: tuple[str, ...]  # pictures that are in no curve

    @property
    def ours(self) -> Scored | None:
        """Our first model."""
        return next((each for each in self.scored if each.ours), None)


def summarise(results: Results, published: Sequence[Published] = ()) -> Summary:
    """Everything a report shows, computed from the rows."""
    lossy = tuple(codec for codec in results.codecs if any(row.psnr is not None for row in results.of(codec.name)))
    without = [_without(results, lossy, metric) for metric in METRICS]
    compared = [[picture for picture in results.pictures if picture.name not in names] for names in without]
    lossless = [
        _lossless(codec, results.of(codec.name), results.pictures) for codec in results.codecs if codec not in lossy
    ]
    scored = [_scored(codec, results.of(codec.name), compared) for codec in lossy]
    measured = tuple(scored)
    scored += [Scored(p.name, False, True, p.source, p.psnr, p.ms_ssim, None) for p in published]
    reference = next((each for each in measured if not each.ours), measured[0] if measured else None)
    ours = next((each for each in measured if each.ours), None)
    rivals = tuple(each.name for each in measured if not each.ours)
    return Summary(
        reference.name if reference else "",
        tuple(scored),
        tuple(_compare(each, reference, ours) for each in scored if reference),
        tuple(Fixed(each.name, tuple(_at(each.psnr, level, True) for level in PSNRS)) for each in measured),
        tuple(Fixed(each.name, tuple(_at(each.psnr, level, False) for level in RATES)) for each in measured),
        tuple(lossless),
        rivals,
        _gains(results, ours.name, rivals) if ours else (),
        speeds_at(results, TIMED_PSNR),
        tuple(picture.name for picture in results.pictures if picture.name in without[0]),
    )


def compare(reference: Curve | None, test: Curve | None) -> BdRate:
    """The BD-rate of ``test`` against ``reference``, or why there is none."""
    if reference is None or test is None:
        return BdRate(None, reason="no curve")
    try:
        low, high = common_psnr_range(reference, test)
        return BdRate(bd_rate(reference, test), low, high)
    except CurveError as error:
        return BdRate(None, reason=str(error))


def curve(name: str, rows: Iterable[Row], pictures: Sequence[Picture], metric: str) -> Curve | None:
    """The mean curve of ``pictures`` by ``psnr``, ``ms_ssim`` or ``ssimulacra2``; None with fewer than two points."""
    pixels = {picture.name: picture.pixels for picture in pictures}
    by_quality: dict[int, list[Row]] = {}
    for row in (row for row in rows if row.image in pixels):
        by_quality.setdefault(row.quality, []).append(row)
    points = []
    for quality, group in by_quality.items():
        scores = [score for row in group if (score := _score(row, metric)) is not None]
        if len(scores) < len(pixels):
            continue
        score = fmean(scores) if metric != "ms_ssim" else ms_ssim_decibels(fmean(scores))
        if math.isfinite(score):
            points.append(Point(quality, fmean(8 * row.bytes / pixels[row.image] for row in group), score))
    label = {"psnr": "PSNR", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2"}[metric]
    found = Curve(name, tuple(sorted(points, key=lambda point: (point.bpp, point.psnr))), label).rising()
    return found if len(found.points) > 1 else None


def _score(row: Row, metric: str) -> float | None:
    if row.psnr is None:  # restored exactly: not a point of a lossy curve, by whatever metric
        return None
    return {"psnr": row.psnr, "ms_ssim": row.ms_ssim, "ssimulacra2": row.ssimulacra2}[metric]


def _without(results: Results, lossy: Sequence[Codec], metric: str) -> set[str]:
    """The names of pictures that have no score at half of some lossy codec's settings or more."""
    names: set[str] = set()
    for codec in lossy:
        known: dict[str, list[bool]] = {}
        for row in results.of(codec.name):
            known.setdefault(row.image, []).append(_score(row, metric) is not None)
        names |= {image for image, each in known.items() if 2 * sum(each) <= len(each)}
    return names


def _scored(codec: Codec, rows: Sequence[Row], compared: Sequence[Sequence[Picture]]) -> Scored:
    """The curves of a codec, each over the pictures to be compared by its metric."""
    curves = [curve(codec.name, rows, pictures, metric) for metric, pictures in zip(METRICS, compared, strict=True)]
    return Scored(codec.name, codec.name.startswith(PREFIX), False, codec.settings, *curves)


def _compare(each: Scored, reference: Scored, ours: Scored | None) -> Comparison:
    return Comparison(
        each.name,
        each.ours,
        each.published,
        each.about,
        compare(reference.psnr, each.psnr),
        compare(reference.ms_ssim, each.ms_ssim),
        compare(each.psnr, ours.psnr if ours else None),
    )


def _at(found: Curve | None, level: float, psnr: bool) -> float | None:
    if found is None:
        return None
    try:
        return found.bpp_at(level) if psnr else found.psnr_at(level)
    except CurveError:
        return None


def _lossless(codec: Codec, rows: Sequence[Row], pictures: Sequence[Picture]) -> Lossless:
    by_name = {picture.name: picture for picture in pictures}
    raw = sum(picture.pixels * picture.channels for picture in pictures)
    bpp = fmean(8 * row.bytes / by_name[row.image].pixels for row in rows)
    return Lossless(codec.name, codec.settings, bpp, sum(row.bytes for row in rows) / raw)


def _gains(results: Results, ours: str, rivals: Sequence[str]) -> tuple[Gain, ...]:
    """Sorted by the rival that is hardest to beat, the greatest gain first."""
    gains = []
    for picture in results.pictures:
        curves = [
            curve(name, (row for row in results.of(name) if row.image == picture.name), [picture], "psnr")
            for name in (ours, *rivals)
        ]
        gains.append(Gain(picture.name, tuple(compare(rival, curves[0]) for rival in curves[1:])))
    hardest = hardest_rival(gains)
    return tuple(sorted(gains, key=lambda gain: _percent(gain.against[hardest]) if rivals else 0.0))


def hardest_rival(gains: Sequence[Gain]) -> int:
    """Which rival our model gains least against, as a position in a gain's list."""
    if not gains or not gains[0].against:
        return 0
    means = []
    for position in range(len(gains[0].against)):
        known = [p for gain in gains if (p := gain.against[position].percent) is not None]
        means.append(fmean(known) if known else -math.inf)
    return means.index(max(means))


def _percent(rate: BdRate) -> float:
    return math.inf if rate.percent is None else rate.percent
