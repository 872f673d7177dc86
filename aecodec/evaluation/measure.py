"""The one path on which codecs are measured: encode, decode, score. Bytes are those of real files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aecodec.evaluation.metrics import PSNR, Metric, Pixels, as_rgb


class MeasuredCodec(Protocol):
    """A codec under measurement: bytes of a real file in memory, arrays in and out."""

    @property
    def name(self) -> str:
        """Short and unique among the codecs of a comparison."""

    @property
    def settings(self) -> str:
        """Everything but the quality that decides the bytes, in words for the reader of a table."""

    @property
    def qualities(self) -> tuple[int, ...]:
        """The quality settings of its curve."""

    @property
    def quality_range(self) -> tuple[int, int]:
        """The lowest and the highest quality setting there is; size grows from one to the other."""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that decide the bytes and the pixels."""

    def encode(self, pixels: Pixels, quality: float, /) -> bytes:
        """Bytes of the file that holds these pixels (H, W, 3), or grey ones (H, W)."""

    def decode(self, data: bytes, /) -> Pixels:
        """The pixels (H, W, 3) that the file holds; some codecs restore grey ones as (H, W)."""


@dataclass(frozen=True)
class Measurement:
    """One picture coded once: the file's bytes, container included, and how far the restored pixels are.

    ``psnr`` is None where the pixels were restored exactly. Other scores are None where they were not asked for, or
    where the picture is too small for them.
    """

    codec: str
    image: str
    quality: float
    bytes: int
    pixels: int  # width times height
    psnr: float | None = None
    ms_ssim: float | None = None
    ssimulacra2: float | None = None
    flip: float | None = None
    cvvdp: float | None = None

    @property
    def bpp(self) -> float:
        """Bits per pixel of the real file."""
        return 8 * self.bytes / self.pixels

    def score(self, metric: Metric) -> float | None:
        """The score by a metric."""
        score: float | None = getattr(self, metric.name)
        return score


@dataclass(frozen=True)
class RoundTrip:
    """A file, and the pixels (H, W, 3) that it restores."""

    data: bytes
    pixels: Pixels


def round_trip(codec: MeasuredCodec, pixels: Pixels, quality: float) -> RoundTrip:
    """Encode and decode a picture (H, W, 3) or (H, W)."""
    data = codec.encode(pixels, quality)
    return RoundTrip(data, as_rgb(codec.decode(data)))


def score(
    codec: MeasuredCodec,
    original: Pixels,
    quality: float,
    restored: RoundTrip,
    metrics: Iterable[Metric] = (PSNR,),
    image: str = "",
) -> Measurement:
    """Score what was restored of a picture (H, W, 3) or (H, W), by PSNR and by ``metrics``."""
    original = as_rgb(original)
    height, width = original.shape[:2]
    metrics = {PSNR, *metrics}
    if np.array_equal(original, restored.pixels):  # nothing to compute
        scores = {metric.name: metric.exact for metric in metrics}
    else:
        scores = {
            metric.name: metric.compute(original, restored.pixels)
            for metric in metrics
            if metric.compute is not None and metric.measurable(height, width)
        }
    return Measurement(codec.name, image, quality, len(restored.data), height * width, **scores)


def measure(
    codec: MeasuredCodec, pixels: Pixels, quality: float, metrics: Iterable[Metric] = (PSNR,), image: str = ""
) -> Measurement:
    """Encode a picture (H, W, 3) or (H, W), decode it, and score what comes back."""
    return score(codec, pixels, quality, round_trip(codec, pixels, quality), metrics, image)


def measure_all(
    codec: MeasuredCodec, pictures: Sequence[Pixels], metrics: Iterable[Metric] = (PSNR,)
) -> list[Measurement]:
    """Measure a codec on pictures at each quality of its curve; the pictures are named by their numbers."""
    chosen = tuple(metrics)
    return [
        measure(codec, pixels, quality, chosen, str(number))
        for number, pixels in enumerate(pictures)
        for quality in codec.qualities
    ]
