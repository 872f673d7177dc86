"""Does it pay to put a model's weights into an archive? Decided by measurement, before anything is written.

A sample of the pictures is coded with the model and, at about the same mean PSNR, with the one that comes with the
package; the difference, extrapolated to all pictures by their pixels, is what the weights save. What files have besides
pixels costs the same with both, and is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aecodec import weights
from aecodec.codec import Codec, Pixels, load_codec
from aecodec.errors import AecError, ImageError
from aecodec.evaluation.measure import measure
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.sheet import to_sheet
from aecodec.evaluation.verdict import Extent
from aecodec.options import DEFAULT_MODEL, QUALITY_RANGE
from aecodec.pictures import arrays, images
from aecodec.sampling import evenly

SAMPLE = 12  # pictures
SAMPLE_PIXELS = 3_000_000  # in all; about ten seconds of one core
TOLERANCE = 0.02  # dB; about 0.3 % of the bytes
OUT_OF_REACH = 0.2  # dB
ATTEMPTS = 6
DB_PER_QUALITY = 0.15  # a first guess
LOSSLESS_PSNR = 60.0  # dB; what counts where nothing differs
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Sample:
    """A part of a picture, or pictures of an array side by side: their height and width is ``piece`` then."""

    pixels: Pixels  # (H, W[, 3])
    piece: tuple[int, int] | None = None

    @property
    def area(self) -> int:
        """How many pixels the sample has."""
        return int(self.pixels.shape[0] * self.pixels.shape[1])


@dataclass(frozen=True)
class SampleSize:
    """What all samples take at a quality, and how good they are."""

    quality: float
    bytes: int
    psnr: float


@dataclass(frozen=True)
class Payment:
    """Whether weights of so many bytes pay for all pictures."""

    weights_bytes: int
    whole: Extent
    sampled_pixels: int
    own: SampleSize
    other: SampleSize  # of the model in the package

    @property
    def saved(self) -> float:
        """Bytes that the model's pictures are smaller, all together and without the weights."""
        return (self.other.bytes - self.own.bytes) / self.sampled_pixels * self.whole.pixels

    @property
    def reached(self) -> bool:
        """Whether the model in the package can be as good."""
        return self.other.psnr > self.own.psnr - OUT_OF_REACH

    @property
    def pays(self) -> bool:
        """Whether the archive is smaller with the weights, or only so as good as was asked for."""
        return not self.reached or self.saved > self.weights_bytes

    def __str__(self) -> str:
        """What was decided and why, with the numbers, in one line."""
        count = f"{self.whole.pictures:,} picture{'s' * (self.whole.pictures != 1)}"
        size = f"the weights ({_megabytes(self.weights_bytes)})"
        if not self.reached:
            return (
                f"{size} go into the archive: the {DEFAULT_MODEL} model does not reach the {self.own.psnr:.1f} dB of "
                f"this quality"
            )
        if self.pays:
            return f"{size} go into the archive: they save {_megabytes(self.saved)} of {count}"
        saving = f"save {_megabytes(self.saved)}" if self.saved > 0 else "save nothing"
        return (
            f"{size} do not pay for {count}: they would {saving}; compressed with the {DEFAULT_MODEL} model instead, "
            f"at quality {self.other.quality:g} for the same {self.own.psnr:.1f} dB"
        )


def payment(files: Sequence[Path], model: Path, quality: float, max_pixels: int) -> Payment | None:
    """Measure on some of ``files``, pictures or arrays that can be read twice.

    None where none of those could be coded, as will show later.

    Raises ModelError.
    """
    codec, other_path = load_codec(model), weights.find(DEFAULT_MODEL)
    load_codec(other_path)  # an error now rather than after the model's measurement
    chosen = evenly(files, SAMPLE)
    budget = SAMPLE_PIXELS // len(chosen)
    samples = []
    for number, path in enumerate(chosen):
        with suppress(AecError):  # of what cannot be compressed the conversion will say so
            samples.append(_codable(_sample(path, budget, number, max_pixels), codec))
    if not samples:
        return None
    own = _measure(samples, model, quality)
    other = _equally_good(samples, other_path, own)
    return Payment(model.stat().st_size, _extent(files), sum(sample.area for sample in samples), own, other)


def _sample(path: Path, budget: int, number: int, max_pixels: int) -> Sample:
    """Pictures of an array, or a part of a picture, of not much more than ``budget`` pixels.

    The parts are taken from other places of each picture, so that neither centres nor corners count for too much.
    """
    if arrays.is_array(path):
        pictures = arrays.read_array(path, max_pixels=max_pixels)
        height, width = pictures.shape[1:3]
        some = pictures[:: math.ceil(len(pictures) * height * width / budget)]
        return Sample(to_sheet(some), (height, width))
    pixels = images.read(path, max_pixels).pixels
    height, width = pixels.shape[:2]
    if height * width <= budget:
        return Sample(pixels)
    side = math.isqrt(budget)
    rows, columns = min(height, max(side, budget // width)), min(width, max(side, budget // height))
    top, left = ((share * (number + 1)) % 1 for share in (GOLDEN, GOLDEN**2 / 2))
    y, x = int(top * (height - rows + 1)), int(left * (width - columns + 1))
    return Sample(np.ascontiguousarray(pixels[y : y + rows, x : x + columns]))


def _codable(sample: Sample, codec: Codec) -> Sample:
    """The sample. Raises ImageError where the model is one of grey pictures, and these are not."""
    if sample.pixels.ndim == 3 and codec.card.config.colours == 1:
        raise ImageError("in colour")
    return sample


def _measure(samples: Sequence[Sample], model: Path, quality: float) -> SampleSize:
    """Bytes of all samples as files, and the mean of their PSNR."""
    size, decibels = 0, []
    for sample in samples:
        found = measure(Aecodec(model, piece=sample.piece), sample.pixels, quality)
        size += found.bytes
        decibels.append(LOSSLESS_PSNR if found.psnr is None else min(LOSSLESS_PSNR, found.psnr))
    return SampleSize(quality, size, float(np.mean(decibels)))


def _equally_good(samples: Sequence[Sample], model: Path, wanted: SampleSize) -> SampleSize:
    """What another model takes where it comes nearest to the PSNR of ``wanted``: the secant method."""
    tried = [_measure(samples, model, wanted.quality)]
    slope = DB_PER_QUALITY
    while len(tried) < ATTEMPTS and abs(wanted.psnr - tried[-1].psnr) > TOLERANCE:
        last = tried[-1]
        quality = round(float(np.clip(last.quality + (wanted.psnr - last.psnr) / slope, *QUALITY_RANGE)), 2)
        if quality in (each.quality for each in tried):
            break
        tried.append(_measure(samples, model, quality))
        measured = (tried[-1].psnr - last.psnr) / (quality - last.quality)
        slope = measured if measured > 0 else DB_PER_QUALITY
    return min(tried, key=lambda each: abs(each.psnr - wanted.psnr))


def _extent(files: Sequence[Path]) -> Extent:
    pictures, pixels = 0, 0
    for path in files:
        with suppress(AecError):
            shape = arrays.shape_of(path)[:3] if arrays.is_array(path) else (1, *images.size_of(path))
            pictures += shape[0]
            pixels += math.prod(shape)
    return Extent(pictures, pixels)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.2f} kB"
