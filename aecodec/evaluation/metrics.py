"""How far two pictures are apart: by what people see (SSIMULACRA2, CVVDP, FLIP, MS-SSIM), and by squared error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aecodec import perceived
from aecodec.evaluation.extra import BenchError, optional

Pixels = npt.NDArray[np.uint8]

PEAK = 255
MS_SSIM_SIDE = 161  # pixels; the smallest side that leaves the coarsest of five scales its window of 11


def mse(a: Pixels, b: Pixels) -> float:
    """Mean squared difference in squared grey levels, over all pixels and channels of two uint8 arrays (H, W, C)."""
    _check(a, b)
    difference = a.astype(np.int32) - b
    return float(np.mean(np.square(difference)))


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays (H, W, C); inf where they are identical.

    One mean squared error over all pixels and channels of the picture (RGB, not luma), then decibels. The PSNR of a
    set of pictures is the mean of these decibels, which is not the PSNR of the mean error.

    >>> psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8))
    0.0
    """
    error = mse(a, b)
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """MS-SSIM, up to 1, of two uint8 arrays (H, W, 3); None where a side is below 161 pixels.

    By pytorch-msssim: the mean over the channels R, G and B of the five-scale index of 2003, without padding.
    """
    _check(a, b)
    if min(a.shape[:2]) < MS_SSIM_SIDE:
        return None
    torch, library = optional("torch"), optional("pytorch_msssim")
    tensors = (torch.from_numpy(x.astype(np.float32).transpose(2, 0, 1)[None]) for x in (a, b))
    with torch.inference_mode():
        return float(library.ms_ssim(*tensors, data_range=PEAK))


def ms_ssim_decibels(value: float) -> float:
    """-10 log10(1 - MS-SSIM), which spreads the values near 1; inf for 1.

    >>> round(ms_ssim_decibels(0.99), 6)
    20.0
    """
    return -10 * math.log10(1 - value) if value < 1 else math.inf


def ssimulacra2(a: Pixels, b: Pixels) -> float | None:
    """SSIMULACRA2, 100 for no difference, of two uint8 arrays (H, W, 3), the original first.

    30 is a low, 50 a medium, 70 a high quality; 90 is hard to tell from the original. None where a side is below
    8 pixels.
    """
    _check(a, b)
    if min(a.shape[:2]) < perceived.SMALLEST_SIDE:
        return None
    optional("ssimulacra2")  # says which extra a benchmark needs
    return perceived.ssimulacra2(a, b)


def flip(a: Pixels, b: Pixels) -> float:
    """Mean FLIP error, 0 for no difference and up to 1, of two uint8 arrays (H, W, 3), the original first.

    NVIDIA's FLIP (Andersson et al., 2020) of a viewer who flips between the two, at its usual 67 pixels per degree.
    """
    _check(a, b)
    pictures = (x.astype(np.float32) / PEAK for x in (a, b))
    _, error, _ = optional("flip_evaluator").evaluate(*pictures, "LDR", applyMagma=False)
    return float(error)


def as_rgb(pixels: Pixels) -> Pixels:
    """Grey pixels (H, W) with their three equal channels (H, W, 3); others as they are."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def _check(a: Pixels, b: Pixels) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes: {a.shape} and {b.shape}")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"pictures must be uint8, not {a.dtype} and {b.dtype}")
    if a.size == 0:
        raise ValueError("an empty picture has no error")


def _as_it_is(score: float) -> float:
    return score


def _less_is_better(error: float) -> float:
    return 1 - error


@dataclass(frozen=True)
class Metric:
    """A score of a restored picture.

    Curves show ``on_curve`` of the mean over the pictures, which grows with the quality. ``compute`` is None where the
    scores come from elsewhere, ``exact`` is the score of a picture without any difference, None where it is infinite.
    """

    name: str  # of the field of a Measurement
    label: str
    compute: Callable[[Pixels, Pixels], float | None] | None
    distribution: str = ""  # that computes it; empty where this package does
    exact: float | None = None
    levels: tuple[float, ...] = ()  # of curves, at which rates are compared
    unit: str = ""
    decimals: int = 1
    smallest_side: int = 1  # pixels; smaller pictures have no score
    on_curve: Callable[[float], float] = _as_it_is

    def measurable(self, height: int, width: int) -> bool:
        """Whether pictures of this size have a score that is computed here."""
        return self.compute is not None and min(height, width) >= self.smallest_side

    def text(self, score: float) -> str:
        """A score of a curve, with its unit."""
        return f"{score:.{self.decimals}f}{self.unit}"


SSIMULACRA2 = Metric(
    "ssimulacra2",
    "SSIMULACRA2",
    ssimulacra2,
    "ssimulacra2",
    exact=100.0,
    levels=(30.0, 50.0, 70.0, 80.0, 90.0),
    smallest_side=perceived.SMALLEST_SIDE,
)
CVVDP = Metric(  # in just-objectionable differences below 10; measured by benchmarks/cvvdp.py
    "cvvdp", "CVVDP", None, exact=10.0, levels=(8.5, 9.0, 9.3, 9.6, 9.8), unit=" JOD", decimals=2
)
PSNR = Metric("psnr", "PSNR", psnr, levels=(28.0, 30.0, 33.0, 36.0, 40.0), unit=" dB")
MS_SSIM = Metric(
    "ms_ssim",
    "MS-SSIM",
    ms_ssim,
    "pytorch-msssim",
    exact=1.0,
    levels=(12.0, 14.0, 16.0, 18.0, 20.0),
    unit=" dB",
    smallest_side=MS_SSIM_SIDE,
    on_curve=ms_ssim_decibels,
)
FLIP = Metric(
    "flip",
    "1 - FLIP",
    flip,
    "flip-evaluator",
    exact=0.0,
    levels=(0.88, 0.9, 0.92, 0.94, 0.96),
    decimals=3,
    on_curve=_less_is_better,
)
METRICS = (SSIMULACRA2, CVVDP, PSNR, MS_SSIM, FLIP)  # what people see first, and the one to lead with at the head


def computed(names: Iterable[str]) -> tuple[Metric, ...]:
    """Metrics by their names, ``ms-ssim`` for ``ms_ssim``, and always PSNR. Raises BenchError for others."""
    known = {metric.name.replace("_", "-"): metric for metric in METRICS if metric.compute is not None}
    wanted = {PSNR}
    for name in names:
        if name.lower().replace("_", "-") not in known:
            raise BenchError(f"no metric {name!r}; there are {', '.join(known)}")
        wanted.add(known[name.lower().replace("_", "-")])
    return tuple(metric for metric in METRICS if metric in wanted)
