"""What counts as far from the original: squared error, cross-entropy, or what the eye sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from aecodec.networks.rate import GREY_LEVELS
from aecodec.training import colorvideovdp, ssimulacra2

Distortion = Literal["mse", "bce", "eye"]

# Shares in the distortion for the eye. Two metrics are harder to please with what nobody sees than one; squared error
# keeps colours where they are.
SQUARED_SHARE, SSIMULACRA2_SHARE, CVVDP_SHARE = 0.15, 0.5, 0.35
JOD = 85.0  # squared grey levels that a just-objectionable difference is worth, about the same at every lambda


@dataclass(frozen=True)
class Errors:
    """How far restored crops are from the originals, one value (N,) for each crop."""

    total: Tensor  # what is weighed against bits, in squared grey levels or what is worth as much
    mse: Tensor  # squared grey levels
    score: Tensor  # SSIMULACRA2 of the crop, nan where it was not measured


def distortion(kind: Distortion, x_hat: Tensor, x: Tensor, weight: Tensor) -> Errors:
    """Errors of ``x_hat`` against ``x`` (N, colours, H, W), in the networks' units.

    ``weight`` (N,) is that of a squared grey level against bits per pixel, the lambda of each sample's quality.
    """
    mse = (x_hat - x).square().mean((1, 2, 3)) * GREY_LEVELS**2
    unknown = torch.full_like(mse, torch.nan)
    if kind == "mse":
        return Errors(mse, mse, unknown)
    if kind == "bce":
        return Errors(cross_entropy(x_hat, x), mse, unknown)
    original, restored = (ssimulacra2.linear_light(_three_colours(t / 4 + 0.5).clamp(0, 1)) for t in (x, x_hat))
    with _exact_products():
        errors = ssimulacra2.weighted_errors(original, restored)
        lost = colorvideovdp.lost_quality(original, restored)
    total = (
        SQUARED_SHARE * mse + SSIMULACRA2_SHARE * point(weight) * ssimulacra2.loss(errors) + CVVDP_SHARE * JOD * lost
    )
    return Errors(total, mse, 100 - ssimulacra2.lost_points(errors))


@contextmanager
def _exact_products() -> Iterator[None]:
    """Products in float32 on a GPU, too: variances are small differences of large numbers, which TF32 would lose."""
    usual = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(usual)


def point(weight: Tensor) -> Tensor:
    """Squared grey levels that a point of SSIMULACRA2 is worth at lambdas ``weight`` (N,).

    As of :data:`JOD`, it is their ratio along the curve of a model trained for squared error, so that a quality stays
    about what it was.
    """
    return 0.323 * weight**-0.25


def _three_colours(pixels: Tensor) -> Tensor:
    return pixels.expand(-1, 3, -1, -1)


def cross_entropy(x_hat: Tensor, x: Tensor) -> Tensor:
    """Binary cross-entropy (N,) of pixels beyond that of the pixels themselves, scaled to squared grey levels.

    For small errors at middle grey it is the squared error; near black and white it weighs errors more.
    """
    p, t = (x_hat / 4 + 0.5).clamp(1e-3, 1 - 1e-3), (x / 4 + 0.5).clamp(0, 1)
    own = torch.special.entr(t) + torch.special.entr(1 - t)
    beyond = -(t * p.log() + (1 - t) * (1 - p).log()) - own
    # Where the clamp stops the gradient of p, squared error takes over.
    outside = (x_hat / 4 + 0.5 - p).square()
    result: Tensor = (beyond / 2 + outside).mean((1, 2, 3)) * 255**2
    return result
