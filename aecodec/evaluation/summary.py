"""What a result file says: mean curves, BD-rates, rates at equal quality, savings picture by picture, speeds.

Mean curves are those of :mod:`aecodec.evaluation.curves`: the mean of the pictures' bits per pixel against the mean of
their scores, one point per quality setting, by each metric that was measured. MS-SSIM is averaged first and then put
into decibels, -10 log10(1 - mean), as published tables of it are; FLIP is shown as 1 - mean. A picture that some lossy
codec restores exactly at half of its settings or more (a blank page, a screenshot) is in no curve; beyond that, a
setting that restored some picture exactly is left out of the codec's curve, and so is a point that another one beats in
both rate and score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from aecodec.evaluation.curves import Curve, CurveError, bd_rate, common_range, mean_curve, score_of
from aecodec.evaluation.measure import Measurement
from aecodec.evaluation.metrics import METRICS, PSNR, Metric
from aecodec.evaluation.ours import PREFIX
from aecodec.evaluation.published import Published
from aecodec.evaluation.results import CodecRecord, Results
from aecodec.evaluation.sources import PictureRecord
from aecodec.evaluation.speeds import Speed, speeds_at

RATES = (0.15, 0.25, 0.5, 1.0, 1.5)
TIMED_PSNR = 33.0


@dataclass(frozen=True)
class Scored:
    """A codec's curves by metric; a metric is missing that was not measured, or has too few points."""

    name: str
    ours: bool
    published: bool
    about: str
    curves: tuple[Curve, ...]

    def curve(self, metric: Metric) -> Curve | None:
        """Its curve by a metric."""
        return next((curve for curve in self.curves if curve.metric is metric), None)


@dataclass(frozen=True)
class BdRate:
    """Percent more bytes (negative: fewer) over the scores from ``low`` to ``high``, or why there is no such number."""

    percent: float | None
    low: float = math.nan
    high: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """By one metric: each codec against the reference, and our first model against each codec."""

    metric: Metric
    pictures: int  # that all codecs with this metric were measured on
    against_reference: tuple[BdRate, ...]  # in the order of the summary's codecs
    ours_against: tuple[BdRate, ...]


@dataclass(frozen=True)
class Fixed:
    """One codec's values at the levels of a table; None where its curve does not reach."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Levels:
    """By one metric: bits per pixel at some scores, and scores at some bits per pixel."""

    metric: Metric
    rates: tuple[Fixed, ...]
    scores: tuple[Fixed, ...]


@dataclass(frozen=True)
class Lossless:
    """Mean bits per pixel of a codec that restored every picture exactly, and its share of the raw bytes."""

    name: str
    about: str
    bpp: float
    share: float


@dataclass(frozen=True)
class PictureSaving:
    """Our model against each rival on one picture."""

    image: str
    against: tuple[BdRate, ...]


@dataclass(frozen=True)
class Savings:
    """By one metric: our model against each rival on every picture, the greatest saving first."""

    metric: Metric
    pictures: tuple[PictureSaving, ...]
    hardest: int  # the rival that our model saves least against, by which they are sorted

    @property
    def wins(self) -> tuple[int, ...]:
        """On how many pictures our model takes fewer bytes than each rival."""
        count = len(self.pictures[0].against) if self.pictures else 0
        return tuple(sum((saving.against[i].percent or 0) < 0 for saving in self.pictures) for i in range(count))


@dataclass(frozen=True)
class Summary:
    """Everything a report shows in numbers; what is by metric begins with the one to lead with."""

    reference: str
    scored: tuple[Scored, ...]
    comparisons: tuple[Comparison, ...]
    levels: tuple[Levels, ...]
    lossless: tuple[Lossless, ...]
    rivals: tuple[str, ...]
    savings: tuple[Savings, ...]
    speeds: tuple[Speed, ...]
    left_out: tuple[str, ...]  # pictures that are in no curve

    @property
    def ours(self) -> Scored | None:
        """The first of the measured models of aecodec."""
        return next((each for each in self.scored if each.ours), None)

    @property
    def measured(self) -> tuple[Scored, ...]:
        """All but what others published."""
        return tuple(each for each in self.scored if not each.published)

    @property
    def leading(self) -> Metric:
        """The metric to lead with: the first by which our model, or anything, was measured."""
        return self.comparisons[0].metric if self.comparisons else PSNR

    def comparison(self, metric: Metric) -> Comparison | None:
        """The BD-rates by a metric."""
        return next((each for each in self.comparisons if each.metric is metric), None)


def summarise(results: Results, published: Sequence[Published] = ()) -> Summary:
    """Everything a report shows, computed from the rows."""
    lossy = tuple(codec for codec in results.codecs if any(row.psnr is not None for row in results.of(codec.name)))
    scored = [
        *(_scored(codec, results, lossy) for codec in lossy),
        *(Scored(each.name, False, True, each.source, each.curves) for each in published),
    ]
    measured = [each for each in scored if not each.published]
    metrics = [metric for metric in METRICS if any(each.curve(metric) for each in measured)]
    reference = next((each for each in measured if not each.ours), measured[0] if measured else None)
    ours = next((each for each in measured if each.ours), None)
    rivals = tuple(each.name for each in measured if not each.ours)
    return Summary(
        reference.name if reference else "",
        tuple(scored),
        tuple(
            _compare(metric, len(results.pictures) - len(_without(results, lossy, metric)), scored, reference, ours)
            for metric in metrics
            if reference
        ),
        tuple(_levels(metric, measured) for metric in metrics),
        tuple(_lossless(codec, results) for codec in results.codecs if codec not in lossy),
        rivals,
        tuple(_savings(metric, results, ours, rivals) for metric in metrics) if ours else (),
        speeds_at(results, TIMED_PSNR),
        tuple(picture.name for picture in results.pictures if picture.name in _without(results, lossy, PSNR)),
    )


def compare(reference: Curve | None, test: Curve | None) -> BdRate:
    """The BD-rate of ``test`` against ``reference``, or why there is none."""
    if reference is None or test is None:
        return BdRate(None, reason="no curve")
    try:
        low, high = common_range(reference, test)
        return BdRate(bd_rate(reference, test), low, high)
    except CurveError as error:
        return BdRate(None, reason=str(error))


def curve(name: str, rows: Iterable[Measurement], pictures: Sequence[PictureRecord], metric: Metric) -> Curve | None:
    """The mean curve of ``pictures`` by a metric; None with fewer than two points."""
    images = {picture.name for picture in pictures}
    chosen = [row for row in rows if row.image in images]
    if not chosen:
        return None
    found = mean_curve(name, chosen, metric).rising()
    return found if len(found.points) > 1 else None


def _scored(codec: CodecRecord, results: Results, lossy: Sequence[CodecRecord]) -> Scored:
    """The curves of a codec, each over the pictures to be compared by its metric."""
    curves = []
    for metric in METRICS:
        without = _without(results, lossy, metric)
        pictures = [picture for picture in results.pictures if picture.name not in without]
        curves.append(curve(codec.name, results.of(codec.name), pictures, metric))
    return Scored(
        codec.name, codec.name.startswith(PREFIX), False, codec.settings, tuple(c for c in curves if c is not None)
    )


def _without(results: Results, lossy: Sequence[CodecRecord], metric: Metric) -> set[str]:
    """The names of pictures that some lossy codec has no score for, or restores exactly as often as not.

    Codecs that were not measured by the metric at all do not count.
    """
    names: set[str] = set()
    for codec in lossy:
        rows = results.of(codec.name)
        scored = Counter(row.image for row in rows if score_of(row, metric) is not None)
        exact = Counter(row.image for row in rows if row.psnr is None)
        if scored:
            names |= {image for image in {row.image for row in rows} if scored[image] <= exact[image]}
    return names


def _compare(
    metric: Metric, pictures: int, scored: Sequence[Scored], reference: Scored, ours: Scored | None
) -> Comparison:
    own = ours.curve(metric) if ours else None
    return Comparison(
        metric,
        pictures,
        tuple(compare(reference.curve(metric), each.curve(metric)) for each in scored),
        tuple(compare(each.curve(metric), own) for each in scored),
    )


def _levels(metric: Metric, measured: Sequence[Scored]) -> Levels:
    curves = [(each.name, each.curve(metric)) for each in measured]
    return Levels(
        metric,
        tuple(Fixed(name, tuple(_bpp_at(found, level) for level in metric.levels)) for name, found in curves),
        tuple(Fixed(name, tuple(_score_at(found, rate) for rate in RATES)) for name, found in curves),
    )


def _bpp_at(found: Curve | None, score: float) -> float | None:
    try:
        return found.bpp_at(score) if found else None
    except CurveError:
        return None


def _score_at(found: Curve | None, bpp: float) -> float | None:
    try:
        return found.score_at(bpp) if found else None
    except CurveError:
        return None


def _lossless(codec: CodecRecord, results: Results) -> Lossless:
    rows = results.of(codec.name)
    raw = sum(picture.pixels * picture.channels for picture in results.pictures)
    return Lossless(codec.name, codec.settings, fmean(row.bpp for row in rows), sum(row.bytes for row in rows) / raw)


def _savings(metric: Metric, results: Results, ours: Scored, rivals: Sequence[str]) -> Savings:
    """Sorted by the rival that is hardest to beat."""
    savings = []
    for picture in results.pictures:
        curves = [
            curve(name, (row for row in results.of(name) if row.image == picture.name), [picture], metric)
            for name in (ours.name, *rivals)
        ]
        savings.append(PictureSaving(picture.name, tuple(compare(rival, curves[0]) for rival in curves[1:])))
    hardest = hardest_rival(savings)
    ordered = sorted(savings, key=lambda saving: _percent(saving.against[hardest]) if rivals else 0.0)
    return Savings(metric, tuple(ordered), hardest)


def hardest_rival(savings: Sequence[PictureSaving]) -> int:
    """Which rival our model saves least against, as a position in a saving's list."""
    if not savings or not savings[0].against:
        return 0
    means = []
    for position in range(len(savings[0].against)):
        known = [p for saving in savings if (p := saving.against[position].percent) is not None]
        means.append(fmean(known) if known else -math.inf)
    return means.index(max(means))


def _percent(rate: BdRate) -> float:
    return math.inf if rate.percent is None else rate.percent
