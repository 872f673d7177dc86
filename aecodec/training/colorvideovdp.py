"""ColorVideoVDP of stills as a differentiable function of tensors, fast enough to train with.

Mantiuk, Hanji, Ashraf, Asano, Chapiro, "ColorVideoVDP: A visual difference predictor for image, video and display
distortions", ACM Transactions on Graphics 2024; package ``cvvdp`` 0.5.7 (MIT licence), whose parameters these are, for
its display ``standard_4k``: 200 cd/m2, 1000:1, in an office of 250 lux, seen at 75.4 pixels per degree. Light becomes
opponent colours (DKL), a Laplacian pyramid of contrasts, each weighted by the eye's sensitivity at its frequency and
luminance; contrasts that both pictures have mask differences; powers of what is left are pooled over pixels, scales and
channels. 10 just-objectionable differences (JOD) is no difference.

What makes it fast: the finest scale, of 37.7 cycles per degree, is left out, where so little is seen that scores of
restored pictures stay the same to four digits; steps of the pyramid are two matrix products each, which have the
borders in them; sensitivities are cubic polynomials of the logarithm of luminance instead of tables (within 2 %); what
depends on the original alone has no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

PEAK, BLACK, REFLECTED = 200.0, 0.2, 250 / math.pi * 0.005  # cd/m2: of white, of black, of the office

# Opponent colours of linear sRGB: luminance (cd/m2), red against green, yellow against violet.
OPPONENT = (
    (0.23320121, 0.72883079, 0.08899587),
    (0.12762077, -0.08706809, -0.03677739),
    (-0.21482251, -0.62625369, 0.85140333),
)
KERNEL = (0.05, 0.25, 0.4, 0.25, 0.05)  # of the pyramid (Burt and Adelson, 1983)
MOST_SCALES = 7  # below which frequencies are under 0.2 cycles per degree

# log10 of the sensitivity at each scale from the finest looked at (12.2 cycles per degree, 6.1, ...) and, last, the
# rest of the pyramid: of luminance, polynomials of log10 of the background's luminance; of colours one shape and
# offsets.
LUMINANCE_SENSITIVITY = (
    (0.9163, 0.8068, -0.095, -0.0207),
    (1.536, 0.6554, -0.0906, -0.0128),
    (1.891, 0.5039, -0.0861, -0.005),
    (1.977, 0.3525, -0.0817, 0.0028),
    (1.8311, 0.193, -0.0675, 0.0125),
    (1.5032, 0.1344, 0.0263, -0.0152),
    (1.1957, 0.1606, 0.0033, -0.0093),
    (0.917, 0.1606, 0.0033, -0.0093),
)
COLOUR_SENSITIVITY = ((-0.3998, 0.4787, -0.0139, -0.0248), (-0.3489, 0.3806, 0.0126, -0.0222))
COLOUR_OFFSETS = (
    (1.5435, 1.8277, 2.0644, 2.2126, 2.2427, 2.1889, 2.0908, 1.9752),
    (0.887, 1.1694, 1.4093, 1.5725, 1.6165, 1.5583, 1.4417, 1.3025),
)
REST = -1  # index of the rest of the pyramid
SENSITIVITY_CORRECTION = 10 ** (-0.2797423303127289 / 20)
REST_WEIGHTS = (0.0036334486212581396, 1.6627724170684814, 4.11874532699585)
CHANNEL_GAINS = (1.0, 1.45, 1.0)

DIFFERENCE_POWER = 2.264355182647705
MASK_POWERS = (1.302622675895691, 2.8885908126831055, 3.6807713508605957)
MASK_GAIN = 10**-0.7954971194267273
CROSS_MASKING = (  # of each channel (row) on each (column), as powers of two
    (-0.18950104713439941, -5.962151050567627, -4.31834602355957),
    (2.5655593872070312, 0.34406712651252747, -2.719646453857422),
    (3.8118371963500977, -1.0051705837249756, -0.5193376541137695),
)
MASK_SIGMA, MASK_RADIUS = 3.0, 6  # of the blur that stands for not knowing the phase of what masks
LARGEST_DIFFERENCE = 10**2.5642454624176025
STILL = 0.577918291091919  # of a video's difference
JOD_FACTOR, JOD_POWER, JOD_KNEE = 0.0439569391310215, 0.9302042722702026, 0.1
TINY = 1e-5  # keeps the gradients of powers finite

MatrixOf = Callable[[int, torch.dtype, torch.device], Tensor]


@cache
def reducing(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (ceil(side / 2), side) that makes a column of the next scale; beyond the border is a mirror."""
    matrix = torch.zeros(-(-side // 2), side)
    for row in range(len(matrix)):
        for offset, value in zip(range(-2, 3), KERNEL, strict=True):
            column = 2 * row + offset
            matrix[row, -1 - column if column < 0 else 2 * side - 1 - column if column >= side else column] += value
    return matrix.to(device, dtype)


@cache
def expanding(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (side, ceil(side / 2)) that makes a column of the scale before; beyond the border its value."""
    small = -(-side // 2)
    matrix = torch.zeros(side, small)
    for row in range(side):
        for offset, value in zip(range(-2, 3), KERNEL, strict=True):
            if (row + offset) % 2 == 0:
                matrix[row, min(max((row + offset) // 2, 0), small - 1)] += 2 * value
    return matrix.to(device, dtype)


@cache
def blurring(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (side, side) of the blur of what masks; beyond the border is a mirror on the last value."""
    window = torch.exp(-0.5 * (torch.arange(-MASK_RADIUS, MASK_RADIUS + 1) / MASK_SIGMA).square())
    matrix = torch.zeros(side, side)
    for row in range(side):
        for offset, value in zip(range(-MASK_RADIUS, MASK_RADIUS + 1), window / window.sum(), strict=True):
            column = abs(row + offset)
            matrix[row, column if column < side else 2 * side - 2 - column] += value
    return matrix.to(device, dtype)


@cache
def _matrix(rows: tuple[tuple[float, ...], ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(rows, dtype=dtype, device=device)


@cache
def _column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None, None]


def separable(matrix_of: MatrixOf, planes: Tensor, height: int, width: int) -> Tensor:
    """Planes (..., h, w) through one of the matrices above, in both directions, made for ``height`` and ``width``."""
    vertical = matrix_of(height, planes.dtype, planes.device)
    horizontal = matrix_of(width, planes.dtype, planes.device)
    result: Tensor = vertical @ (planes @ horizontal.T)
    return result


def opponent_colours(light: Tensor) -> Tensor:
    """Channels (3, N, H, W) of what the display shows of linear light 0..1 (N, 3, H, W)."""
    shown = (PEAK - BLACK) * light + BLACK + REFLECTED
    result: Tensor = torch.tensordot(_matrix(OPPONENT, light.dtype, light.device), shown, ([1], [1]))
    return result


def contrasts(channels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Contrasts (3, N, h, w) of every scale, and the luminance (N, h, w) around; the last is the pyramid's rest."""
    count = min(MOST_SCALES, int(math.log2(min(channels.shape[2:]))) - 2)
    scales = [separable(reducing, channels, *channels.shape[2:])]
    for _ in range(count):
        scales.append(separable(reducing, scales[-1], *scales[-1].shape[2:]))
    layers, backgrounds = [], []
    for fine, coarse in pairwise(scales):
        around = separable(expanding, coarse, *fine.shape[2:])
        background = around[0].clamp(min=0.01)
        layers.append((2 * (fine - around) / background).clamp(max=2000))
        backgrounds.append(background)
    mean = scales[-1][0].clamp(min=0.01).mean((1, 2), keepdim=True)
    return [*layers, (scales[-1] / mean).clamp(max=1000)], [*backgrounds, mean]


def sensitivity(background: Tensor, scale: int) -> Tensor:
    """Of each channel (3, N, h, w), the reciprocal of the contrast that is just seen, at luminances (N, h, w)."""
    x = background.log10()

    def polynomial(a: float, b: float, c: float, d: float) -> Tensor:
        return a + x * (b + x * (c + x * d))

    logarithms = [polynomial(*LUMINANCE_SENSITIVITY[scale])]
    for shape, offsets in zip(COLOUR_SENSITIVITY, COLOUR_OFFSETS, strict=True):
        logarithms.append(polynomial(*shape) + offsets[scale])
    result: Tensor = SENSITIVITY_CORRECTION * torch.exp(math.log(10) * torch.stack(logarithms))
    return result


def power(x: Tensor, exponent: float | Tensor) -> Tensor:
    """A power of what is not negative, with a finite gradient at zero."""
    result: Tensor = (x + TINY) ** exponent - TINY**exponent
    return result


def visible(reference: Tensor, test: Tensor) -> Tensor:
    """How much is seen of the difference of two scales (3, N, h, w), in units of what is just seen."""
    both = torch.minimum(reference.abs(), test.abs())
    height, width = both.shape[2:]
    if min(height, width) > MASK_RADIUS:
        both = separable(blurring, both, height, width)
    powers = _column(MASK_POWERS, both.dtype, both.device)
    own = power((both * MASK_GAIN).clamp(min=0), powers)
    masking = torch.tensordot(_matrix(CROSS_MASKING, both.dtype, both.device).exp2().T, own, 1)
    difference = power((reference - test).abs(), DIFFERENCE_POWER) / (1 + masking)
    clamped: Tensor = LARGEST_DIFFERENCE * difference / (LARGEST_DIFFERENCE + difference)
    return clamped


def lost_quality(original: Tensor, distorted: Tensor) -> Tensor:
    """10 - JOD (N,) of linear light 0..1 (N, 3, H, W), sides from 32 up, of which the second has gradients."""
    with torch.no_grad():
        reference, backgrounds = contrasts(opponent_colours(original))
    test, _ = contrasts(opponent_colours(distorted))
    pooled = []
    for scale, (a, b, background) in enumerate(zip(reference, test, backgrounds, strict=True)):
        last = scale == len(reference) - 1
        with torch.no_grad():
            seen = sensitivity(background, REST if last else scale)
        if last:
            error = (a - b).abs() * seen * _column(REST_WEIGHTS, a.dtype, a.device)
        else:
            with torch.no_grad():
                seen = seen * _column(CHANNEL_GAINS, a.dtype, a.device)
                a = a * seen
            error = visible(a, b * seen)
        pooled.append(power(power(error, 2.0).mean((2, 3)), 0.5))
    by_channel = power(power(torch.stack(pooled), 4.0).sum(0), 0.25)
    total = STILL * power(power(by_channel, 4.0).sum(0), 0.25)
    knee = JOD_FACTOR * JOD_KNEE ** (JOD_POWER - 1)
    return torch.where(total <= JOD_KNEE, knee * total, JOD_FACTOR * total.clamp(min=JOD_KNEE) ** JOD_POWER)
