"""SSIMULACRA2 as a differentiable function of tensors, fast enough to train with.

Jon Sneyers' metric (Cloudinary, 2022; version 2.1), fitted to the opinions of people: sRGB to linear to XYB, six scales
by averaging, in each of which local structure is compared as by SSIM, and edges that were added or lost by their
strength. The mean and the fourth-power mean of each of these maps, 108 numbers, have published weights; a polynomial
makes a score of their sum: 100 without a difference, about 90 where none can be seen, 70 good, 50 medium, 30 low, and
below zero without a bound.

What makes it fast: of the 108 weights only 25 matter (see :data:`WEIGHTS`): nothing of the largest scale but its
luminance is looked at, nothing at all of the smallest; blurs are two matrix products each, which have the borders in
them; what depends on the original alone has no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SMALLEST = 8  # side of a scale; smaller ones are left out
SIX_SCALES = 225  # side from which on a picture has all of them
SIGMA = 1.5
RADIUS = 5
C2 = 0.0009  # of SSIM, against division by zero

OPSIN = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))
OPSIN_BIAS = 0.0037930732552754493
X, Y, B = range(3)  # planes of XYB

KNEES = 0.1, 20.0  # sums of weighted errors; scores of 96.1 and 3.1


@dataclass(frozen=True)
class PlaneWeights:
    """Of one plane at one scale: mean and fourth-power mean of structural error, of added edges and of lost edges."""

    structure: tuple[float, float] = (0.0, 0.0)
    added: tuple[float, float] = (0.0, 0.0)
    lost: tuple[float, float] = (0.0, 0.0)


# By scale, from the largest, and plane. Left out: 27 weights between 0.0001 and 0.0021, whose maps are below one, so
# that together they are worth less than 0.1 points of the score.
WEIGHTS: tuple[dict[int, PlaneWeights], ...] = (
    {Y: PlaneWeights(structure=(0.0, 7.466890328078848), lost=(0.0, 17.445833984131262))},
    {
        X: PlaneWeights(structure=(0.0, 1.1041726426657346)),
        Y: PlaneWeights(structure=(0.0, 6.683678146179332), lost=(0.0, 1.027889937768264)),
    },
    {
        X: PlaneWeights(structure=(0.0, 1.8422455520539298), added=(0.0, 11.441172603757666)),
        Y: PlaneWeights(structure=(225.20515300849274, 19.213238186143016)),
    },
    {
        X: PlaneWeights(structure=(0.0, 1.8787594979546387), added=(0.0, 10.94906990605142)),
        Y: PlaneWeights(structure=(176.39317598450694, 24.43300999870476), added=(0.0, 0.28520802612117757)),
        B: PlaneWeights(structure=(0.0, 8.826982764996862), added=(0.0, 23.19243343998926)),
    },
    {
        X: PlaneWeights(added=(0.9677937080626833, 0.9981766977854967)),
        Y: PlaneWeights(structure=(0.0, 34.77906344483772), added=(0.0, 44.835625328877896)),
        B: PlaneWeights(
            structure=(95.1080498811086, 0.0),
            added=(0.9863978034400682, 171.2667255897307),
            lost=(0.9834382792465353, 0.9807858872435379),
        ),
    },
)


def linear_light(pixels: Tensor) -> Tensor:
    """Linear light 0..1 of sRGB values 0..1, any shape."""
    return torch.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)


@cache
def _opsin(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(OPSIN, dtype=dtype, device=device)


def xyb_planes(light: Tensor, planes: tuple[int, ...]) -> Tensor:
    """Planes of XYB (planes, N, H, W), shifted and scaled to be positive, of linear light (N, 3, H, W)."""
    matrix = _opsin(light.dtype, light.device)[: 3 if B in planes else 2]
    mixed = torch.tensordot(matrix, light, ([1], [1])) + OPSIN_BIAS
    cones = mixed ** (1 / 3) - OPSIN_BIAS ** (1 / 3)
    y = 0.5 * (cones[0] + cones[1])
    values = []
    for plane in planes:
        if plane == X:
            values.append(7 * (cones[0] - cones[1]) + 0.42)
        elif plane == Y:
            values.append(y + 0.01)
        else:
            values.append(cones[2] - y + 0.55)
    return torch.stack(values)


def halved(light: Tensor) -> Tensor:
    """The next scale: means of 2 x 2 pixels (N, C, H, W), of what there is of them at odd borders."""
    return torch.nn.functional.avg_pool2d(light, 2, ceil_mode=True)


@cache
def blurring(side: int, zeros: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (side, side) that blurs a column: a Gaussian window; beyond the border are zeros, or a mirror."""
    offsets = range(-RADIUS, RADIUS + 1)
    window = [math.exp(-0.5 * (offset / SIGMA) ** 2) for offset in offsets]
    total = sum(window)
    matrix = torch.zeros(side, side, dtype=torch.float64)
    for row in range(side):
        for offset, value in zip(offsets, window, strict=True):
            column = row + offset
            if not zeros:
                column = -1 - column if column < 0 else 2 * side - 1 - column if column >= side else column
            if 0 <= column < side:
                matrix[row, column] += value / total
    return matrix.to(device, dtype)


def blur(planes: Tensor) -> Tensor:
    """Planes (..., H, W) through the Gaussian window: mirrored above and below, zeros at the left and the right."""
    height, width = planes.shape[-2:]
    vertical = blurring(height, False, planes.dtype, planes.device)
    horizontal = blurring(width, True, planes.dtype, planes.device)
    return vertical @ (planes @ horizontal.T)


@dataclass(frozen=True)
class Statistics:
    """What one scale of the original is compared by: planes (planes, N, H, W) of XYB, and blurred ones."""

    planes: tuple[int, ...]
    xyb: Tensor
    mean: Tensor
    variance: Tensor


def scales(light: Tensor) -> Iterator[tuple[dict[int, PlaneWeights], Tensor]]:
    """The planes that matter of each scale, of linear light 0..1 (N, 3, H, W), and their weights."""
    for number, weights in enumerate(WEIGHTS):
        if number:
            light = halved(light)
        if min(light.shape[2:]) < SMALLEST:
            return
        yield weights, xyb_planes(light, tuple(weights))


def fourth_power_mean(error: Tensor) -> Tensor:
    """(N,) of maps (N, H, W). The bound keeps its gradient finite where there is no error."""
    return error.square().square().mean((1, 2)).clamp(min=1e-24) ** 0.25


def weighted(error: Tensor, weights: tuple[float, float]) -> Tensor:
    """Mean and fourth-power mean (N,) of maps (N, H, W), weighted."""
    mean, fourth = weights
    total = error.new_zeros(len(error))
    if mean:
        total = total + mean * error.mean((1, 2))
    if fourth:
        total = total + fourth * fourth_power_mean(error)
    return total


def weighted_errors(original: Tensor, distorted: Tensor) -> Tensor:
    """The sum (N,) of all weighted errors; linear light 0..1 (N, 3, H, W), of which the second has gradients."""
    with torch.no_grad():
        reference = [(weights, planes, blur(planes), blur(planes.square())) for weights, planes in scales(original)]
    total = distorted.new_zeros(len(distorted))
    for (weights, xyb, mean, square), (_, planes) in zip(reference, scales(distorted), strict=True):
        blurred, blurred_square, blurred_product = blur(torch.stack([planes, planes.square(), planes * xyb]))
        variance = square - mean.square() + (blurred_square - blurred.square()) + C2
        covariance = 2 * (blurred_product - blurred * mean) + C2
        structure = (1 - (1 - (mean - blurred).square()) * covariance / variance).clamp(min=0)
        edges = (1 + (planes - blurred).abs()) / (1 + (xyb - mean).abs()) - 1
        for i, weight in enumerate(weights.values()):
            if any(weight.structure):
                total = total + weighted(structure[i], weight.structure)
            if any(weight.added):
                total = total + weighted(edges[i].clamp(min=0), weight.added)
            if any(weight.lost):
                total = total + weighted((-edges[i]).clamp(min=0), weight.lost)
    return total


def lost_points(errors: Tensor) -> Tensor:
    """100 - score, of sums of weighted errors (N,)."""
    s = 0.9562382616834844 * errors
    polynomial = 2.326765642916932 * s - 0.020884521182843837 * s.square() + 6.248496625763138e-05 * s**3
    return 10 * polynomial.clamp(min=0) ** 0.6276336467831387


def loss(errors: Tensor) -> Tensor:
    """The same, but straight on, along the tangent, for errors too small to be seen and for scores below zero.

    There the published curve, which is fitted to pictures in between, has a slope without bound and one of nearly zero.
    """
    within = errors.clamp(*KNEES).detach().requires_grad_()
    with torch.enable_grad():
        points = lost_points(within)
        (slope,) = torch.autograd.grad(points.sum(), within)
    return points.detach() + slope * (errors - within.detach())


def score(original: npt.NDArray[np.uint8], distorted: npt.NDArray[np.uint8]) -> float:
    """SSIMULACRA2 of two pictures (H, W, 3), sides from SIX_SCALES up: as the reference, in a quarter of the time."""
    tensors = (linear_light(torch.tensor(pixels).permute(2, 0, 1)[None] / 255) for pixels in (original, distorted))
    with torch.no_grad():
        return 100 - float(lost_points(weighted_errors(*tensors)))
