"""What counts as far from the original: squared error, cross-entropy, or what the eye sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from aecodec.networks.rate import GREY_LEVELS
from aecodec.training import ssimulacra2

Distortion = Literal["mse", "bce", "eye"]

SQUARED_SHARE = 0.15  # of squared error in the distortion for the eye: it keeps colours where they are


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
    unseen = ssimulacra2.weighted_errors(*(_three_colours(t / 4 + 0.5).clamp(0, 1) for t in (x, x_hat)))
    seen = ssimulacra2.loss(unseen)
    total = SQUARED_SHARE * mse + (1 - SQUARED_SHARE) * point(weight) * seen
    return Errors(total, mse, 100 - ssimulacra2.lost_points(unseen))


def point(weight: Tensor) -> Tensor:
    """Squared grey levels that a point of the score is worth at lambdas ``weight`` (N,).

    It is their ratio along the curve of a model trained for squared error, so that a quality stays about what it was.
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
