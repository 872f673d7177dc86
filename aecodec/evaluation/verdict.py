"""Is the model worth it? A comparison with other codecs on pictures that it was not trained on.

Every codec writes real files: one a picture, or where the pictures come as an array one with all of them. "At the same
quality" means at the score, by PSNR or SSIMULACRA2, that the model's default quality gives, or the nearest that every
codec reaches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import features

from aecodec.errors import ModelError
from aecodec.evaluation.curves import Curve, CurveError, bd_rate, mean_curve
from aecodec.evaluation.measure import MeasuredCodec, measure_all
from aecodec.evaluation.metrics import PSNR, Metric, Pixels
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.rivals import AVIF, AVIF_444, JPEG, WEBP
from aecodec.evaluation.sheet import to_sheet
from aecodec.options import DEFAULT_MODEL, DEFAULT_QUALITY
from aecodec.weights import describe, find

QUALITIES = (1, 20, 40, 60, 80, 100)
SIDE = 512  # pictures are cut to this
PIXELS = 1_500_000  # to measure; about a minute of one core
PER_PICTURE = 8_000  # pixels that could be coded in the time that a picture costs whatever its size
AVIF_QUALITIES = (10, 25, 40, 55, 70, 80, 90, 95)
PHOTO = "photo model"
LEAST = 0.05  # percent; what is less is said to be nothing
EXACT = 50.0  # dB; differences beyond are invisible, and a picture restored exactly counts as this rather than as inf


@dataclass(frozen=True)
class Extent:
    """So many pictures with so many pixels in all."""

    pictures: int
    pixels: int

    def __str__(self) -> str:
        """The number of pictures and their megapixels, in words."""
        return f"{self.pictures:,} picture{'s' * (self.pictures != 1)} ({_megapixels(self.pixels)})"


@dataclass(frozen=True)
class Other:
    """The model against another codec; None for what cannot be told from their curves."""

    name: str
    bpp: float | None  # of the other one at the verdict's score
    bd_rate: float | None  # of the model against the other one, percent
    beyond: bool = False  # even its worst files are better than the model's best ones, and smaller

    @property
    def key(self) -> str:
        """The codec's name within names of results."""
        return self.name.split()[0].lower()


@dataclass(frozen=True)
class Verdict:
    """What a model saves against other codecs on pictures of the user's."""

    measured: Extent
    whole: Extent  # all pictures of the user, to which the measured ones are extrapolated
    score: float  # by ``metric``, at which rates are compared
    bpp: float
    others: tuple[Other, ...]
    weights_bytes: int
    stacked: bool = False  # all pictures in one file
    metric: Metric = PSNR
    held_out: bool = True  # from training

    def best_other(self) -> Other | None:
        """The other codec that needs the fewest bytes."""
        rated = [other for other in self.others if other.bpp is not None]
        return min(rated, key=lambda other: other.bpp or math.inf, default=None)

    def against_photo(self) -> float | None:
        """Percent of bytes that the model needs more than the installed photo model; None where that is not known.

        Over all qualities in common, or where there are none, at the verdict's score; without end where photo's worst
        files are better than the model's best ones.
        """
        photo = next((other for other in self.others if other.name == PHOTO), None)
        if photo is None or photo.bd_rate is not None:
            return None if photo is None else photo.bd_rate
        if photo.beyond:
            return math.inf
        return 100 * (self.bpp / photo.bpp - 1) if photo.bpp else None

    def paid_after(self) -> int | None:
        """After how many pictures the model has saved its own bytes, against the best other codec; None: never."""
        best = self.best_other()
        if best is None or best.bpp is None or best.bpp <= self.bpp:
            return None
        saved = (best.bpp - self.bpp) / 8 * self.whole.pixels / self.whole.pictures
        return math.ceil(self.weights_bytes / saved)

    def results(self) -> dict[str, float]:
        """The verdict as named numbers for the model's card."""
        which = "held_out" if self.held_out else "evaluated"
        results: dict[str, float] = {
            f"{which}_pictures": self.measured.pictures,
            f"{which}_{self.metric.name}{'_db' * (self.metric is PSNR)}": round(self.score, 2),
            f"{which}_bpp": round(self.bpp, 4),
        }
        for other in self.others:
            if other.bpp is not None:
                results[f"{which}_bpp_{other.key}"] = round(other.bpp, 4)
            if other.bd_rate is not None:
                results[f"{which}_bd_rate_{other.key}_percent"] = round(other.bd_rate, 2)
        paid = self.paid_after()
        return results if paid is None else results | {"paid_after_pictures": paid}

    def __str__(self) -> str:
        """A table, and a sentence on what it means."""
        rows = [("", "bits per pixel", "all pictures", "this model needs")]
        rows.append(("this model", f"{self.bpp:.3f}", self._bytes(self.bpp), ""))
        for other in self.others:
            rate = "-" if other.bpp is None else f"{other.bpp:.3f}"
            size = "-" if other.bpp is None else self._bytes(other.bpp)
            rows.append((other.name, rate, size, "-" if other.bd_rate is None else f"{other.bd_rate:+.1f} %"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [[c.rjust(width) for c, width in zip(row, widths, strict=True)] for row in rows]
        pictures = f"{self.measured}{' held out' * self.held_out}"
        files = ", in one file (the others: one large picture)" if self.stacked else ""
        quality = f"{self.score:.1f} dB PSNR" if self.metric is PSNR else f"{self.metric.label} {self.score:.1f}"
        return "\n".join(
            [
                self._headline(),
                f"On {pictures}{files}, at the same quality for all, {quality}:",
                *("  ".join([" ", row[0].strip().ljust(widths[0]), *row[1:]]).rstrip() for row in table),
                f"All pictures: {self.whole}, extrapolated. This model needs: BD-rate, over all qualities in common.",
                self._payment(),
            ]
        )

    def _headline(self) -> str:
        """What to make of it, in a sentence or two."""
        photo, beyond = self.against_photo(), [other.name for other in self.others if other.beyond]
        worse = ""
        if photo is not None and photo > LEAST:
            worse = f"This model is worse than the {PHOTO} on these pictures: use that one, or train for longer. "
        rates = {other.name: other.bd_rate for other in self.others if other.bd_rate is not None}
        if photo is not None and math.isfinite(photo):
            rates[PHOTO] = photo
        if not rates and beyond:
            return f"{worse}Smaller files of {', '.join(beyond)} are better than the best ones of this model."
        if not rates:
            return "No other codec reaches the quality of this model."
        named = [
            f"{abs(rate):.1f} % {'fewer' if rate < 0 else 'more'} bytes than {name}" for name, rate in rates.items()
        ]
        return f"{worse}{'It' if worse else 'This model'} needs {', '.join(named)}, at equal {self.metric.label}."

    def _bytes(self, bpp: float) -> str:
        return _size(bpp / 8 * self.whole.pixels)

    def _payment(self) -> str:
        best, paid, size = self.best_other(), self.paid_after(), _size(self.weights_bytes)
        if best is None and any(other.beyond for other in self.others):
            return f"The weights file ({size}) does not pay: other codecs are better with fewer bytes."
        if best is None:
            return f"No other codec reaches that quality, so what the weights file ({size}) saves cannot be told."
        if paid is None:
            return f"The weights file ({size}) does not pay: {best.name} needs no more bytes."
        have = f"you have {self.whole.pictures:,}"
        after = f"after {paid:,} pictures, against {best.name}"
        if paid <= self.whole.pictures:
            return f"The weights file ({size}) has paid for itself {after}; {have}."
        return f"The weights file ({size}) pays {after}; {have}, which take fewer bytes with {best.name}."


def judge(
    weights: Path,
    pictures: Sequence[Pixels] | Pixels,
    whole: Extent,
    metric: Metric = PSNR,
    held_out: bool = True,
) -> Verdict:
    """Compare a model with JPEG, WebP, AVIF and the installed photo model on as many pictures as take a minute.

    Pictures (H, W[, 3]) are each a file, an array of them (N, H, W[, 3]) is one file. ``whole`` are all pictures that
    the model is for, ``held_out`` says that it was not trained on these. Raises CurveError where the model's own curve
    is unusable, for example of pictures too small for the metric or always stored without loss, ModuleNotFoundError
    without what the extra aecodec[train], or for SSIMULACRA2 aecodec[bench], brings, ModelError for the weights file.
    """
    piece = None
    chosen = [np.ascontiguousarray(cut(pixels)) for pixels in _affordable(pictures)]
    measured = extent_of(chosen)
    if isinstance(pictures, np.ndarray):
        piece = chosen[0].shape[:2]
        chosen = [to_sheet(np.stack(chosen))]
        measured = Extent(_area(chosen) // (piece[0] * piece[1]), _area(chosen))

    def model(path: Path, name: str) -> Curve:
        return curve_of(Aecodec(path, name, qualities=QUALITIES, piece=piece), chosen, metric).rising()

    own = model(weights, "this model")
    if all(point.score >= (EXACT if metric is PSNR else math.inf) for point in own.points):
        raise CurveError("at all qualities these pictures are stored without loss, in fewer bytes than by this model")
    own.check()
    rivals = [_best(own, [curve_of(rival, chosen, metric).rising() for rival in group]) for group in _rivals(chosen)]
    with suppress(ModelError):
        photo = find(DEFAULT_MODEL)
        if describe(photo).id != describe(weights).id:
            rivals.append(model(photo, PHOTO))
    score = _common_score(own, rivals)
    others = tuple(
        Other(rival.name, _bpp_at(rival, score), _bd_rate(rival, own), _is_beyond(rival, own)) for rival in rivals
    )
    size = weights.stat().st_size
    return Verdict(measured, whole, score, own.bpp_at(score), others, size, piece is not None, metric, held_out)


def extent_of(pictures: Sequence[Pixels] | Pixels) -> Extent:
    """How many pictures (H, W[, 3]) there are, and how many pixels."""
    return Extent(len(pictures), _area(pictures))


def curve_of(codec: MeasuredCodec, pictures: Sequence[Pixels], metric: Metric = PSNR) -> Curve:
    """The mean curve of a codec on pictures (H, W, 3) or (H, W); what is restored exactly counts as 50 dB by PSNR."""
    return mean_curve(codec.name, measure_all(codec, pictures, (metric,)), metric, EXACT if metric is PSNR else None)


def cut(pixels: Pixels) -> Pixels:
    """The middle of a picture, at most 512 x 512."""
    top, left = (max(0, side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def _area(pictures: Sequence[Pixels] | Pixels) -> int:
    return sum(pixels.shape[0] * pixels.shape[1] for pixels in pictures)


def _rivals(pictures: Sequence[Pixels]) -> list[list[MeasuredCodec]]:
    """Codecs in groups, of each of which the best member counts."""
    groups: list[list[MeasuredCodec]] = [[JPEG], [WEBP]]
    grey = pictures[0].ndim == 2  # no chroma to subsample
    if features.check("avif"):
        groups.append([replace(each, qualities=AVIF_QUALITIES) for each in ((AVIF,) if grey else (AVIF, AVIF_444))])
    return groups


def _affordable(pictures: Sequence[Pixels] | Pixels) -> Sequence[Pixels] | Pixels:
    """Some, from all over; at least one."""
    each = 0 if isinstance(pictures, np.ndarray) else PER_PICTURE
    cost = sum(each + _area([cut(pixels)]) for pixels in pictures)
    return pictures[:: math.ceil(cost / PIXELS)]


def _best(own: Curve, curves: Sequence[Curve]) -> Curve:
    """The one that is hardest to beat."""

    def strength(curve: Curve) -> float:
        gain = _bd_rate(curve, own)
        return -math.inf if gain is None else gain

    return max(curves, key=strength)


def _common_score(own: Curve, rivals: Sequence[Curve]) -> float:
    """The score of the default quality, or the nearest that all curves reach, where there is such a one."""
    default = next((p.score for p in own.points if p.quality == DEFAULT_QUALITY), sum(own.score_range) / 2)
    ranges = [own.score_range, *(rival.score_range for rival in rivals if len(rival.points) > 1)]
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return min(max(default, low), high) if low < high else default


def _is_beyond(rival: Curve, own: Curve) -> bool:
    if not rival.points:
        return False
    least, best = rival.points[0], own.points[-1]
    return least.score > best.score and least.bpp < best.bpp


def _bpp_at(curve: Curve, score: float) -> float | None:
    try:
        return curve.bpp_at(score)
    except CurveError:
        return None


def _bd_rate(reference: Curve, test: Curve) -> float | None:
    try:
        return bd_rate(reference, test)
    except CurveError:
        return None


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:,.1f} megapixels" if pixels >= 1e5 else f"{pixels:,} pixels"


def _size(size: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.{2 if size < 10 * unit else 1}f} {name}"
    return f"{size:.0f} B"
