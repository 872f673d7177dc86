"""How far two pictures are apart."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.evaluation.extra import optional

Pixels = npt.NDArray[np.uint8]

PEAK = 255
MS_SSIM_SIDE = 161  # pixels; the smallest side that leaves the coarsest of five scales its window of 11
SSIMULACRA2_SIDE = 8


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
    if min(a.shape[:2]) < SSIMULACRA2_SIDE:
        return None
    return float(optional("ssimulacra2").compute_ssimulacra2(*(_as_file(x) for x in (a, b))))


def as_rgb(pixels: Pixels) -> Pixels:
    """Grey pixels (H, W) with their three equal channels (H, W, 3); others as they are."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def _as_file(pixels: Pixels) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PPM")
    return file


def _check(a: Pixels, b: Pixels) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shapes: {a.shape} and {b.shape}")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"pictures must be uint8, not {a.dtype} and {b.dtype}")
    if a.size == 0:
        raise ValueError("an empty picture has no error")
