"""Refining the latents of one picture: the encoder's effort. Files are as before, and decoding takes no longer.

The analysis network gives good latents for pictures in general; these can be made better ones for this picture, by
descending the gradient of rate + lambda * distortion through entropy model and synthesis (Campos et al., CVPR workshops
2019). Rounding has no gradient. What stands in its way is only that a latent's own rounding error is part of the
gradient at rounded latents: it pushes back what has just been rounded up, and forth what has been rounded down. Its
share is known, being the curvature of the distortion times that error, and is taken out. What is left says how this
latent should make up for the errors of all others, and for what the analysis left undone. With many steps noise before
the rounding, less and less of it, keeps latents from settling where they are. The hyper latents stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aecodec.entropy.latents import HYPER_LIMIT, Tile, tiles
from aecodec.networks.config import SharedConfig
from aecodec.networks.fixed_point import Int16
from aecodec.networks.gains import GAIN_BITS, Gain
from aecodec.networks.model import Networks, entropy_parameters, to_network
from aecodec.networks.quantization import fill
from aecodec.networks.rate import error_weight, gaussian_bits, is_coded, symbols
from aecodec.progress import UNWATCHED, Stage
from aecodec.threads import spans, spread
from aecodec.transform import grown, scaled, within
from aecodec.weights import Arrays

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

HALO = 2  # latents around a tile or strip that the synthesis sees
STRIP = 32  # rows of latents whose error is differentiated at once

# Twice the bits that a squared step of error costs, where gains are best at high rates, see docs/training.md.
CURVATURE = 12 / math.log(2)
LIMIT = 0.25  # of a move; where pictures are unlike all that training saw, gradients can be of any size
STEEPER = 1.15  # than the lambda of training is the curve of rate against distortion of trained models, as measured


@dataclass(frozen=True)
class Task:
    """What latents are to achieve."""

    pixels: Pixels  # (N, H, W, colours)
    hyper_latents: Int16  # (N, ...)
    gain: Gain
    quality: float  # 0..1
    steps: int


def schedule(step: int, steps: int) -> tuple[float, float]:
    """Share of a Newton step, and width of the noise before the rounding; both fall to nothing. Found by trial.

    Taken by all latents at once, larger shares go too far, for some models sooner than for others. So a single step,
    after which nothing mends it, is shorter.
    """
    done = step / steps
    return (0.3 - 0.1 / steps) * (1 - done), min(0.6, steps / 50) * (1 - done)


class Refiner:
    """The networks that gradients flow through; immutable."""

    def __init__(self, config: SharedConfig, arrays: Arrays) -> None:
        networks = Networks(config)
        fill(networks, arrays)
        self._config = config
        self._networks = networks.requires_grad_(False)

    def __call__(self, y: Int16, task: Task, stage: Stage = UNWATCHED) -> Int16:
        """Better latents (N, h, w, M) than ``y``, neither of them scaled, for the same hyper latents."""
        result = y.copy()
        parts = list(tiles(*y.shape[1:3]))
        done = stage.counter(len(parts) * task.steps)

        def work(tile: Tile) -> None:
            with _one_thread():
                refined = self._refine(y, tile, task, done)
            tile.of(result)[:] = np.clip(np.rint(refined), -(2**15), 2**15 - 1)

        spread(work, parts)
        return result

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _refine(self, y: Int16, tile: Tile, task: Task, done: Callable[[], None]) -> Floats:
        """The latents of one tile; those around it stay as they are. ``done`` is called after each step."""
        unit = 2.0**-task.gain.bits_before
        gain, inverse = (_factor(factor) for factor in (task.gain.before, task.gain.after))
        rows, columns = grown(tile.rows, HALO, y.shape[1]), grown(tile.columns, HALO, y.shape[2])
        field = _channels_first(y[:, rows, columns]) * (unit * gain)
        inner = within(tile.rows, rows), within(tile.columns, columns)

        z = np.clip(task.hyper_latents, -HYPER_LIMIT, HYPER_LIMIT)
        first = self._networks.hyper_synthesis(_channels_first(tile.of_hyper(z, self._config.hyper_stride)))
        first = first[:, :, : tile.height, : tile.width]
        latents = _channels_first(tile.of(y)) * (unit * gain)
        generator = torch.Generator().manual_seed(0)
        for step in range(task.steps):
            share, width = schedule(step, task.steps)
            noise = width * (torch.rand(latents.shape, generator=generator) - 0.5)
            rounded, gradient, coded = self._bits_gradient(latents, noise, first)
            field[:, :, *inner] = rounded
            gradient += (self._error_gradient(field * inverse, tile, inner, task) * inverse)[:, :, *inner]
            move = share * (rounded - latents - gradient / CURVATURE) * coded
            latents += move.clamp(-LIMIT, LIMIT)
            done()
        return (latents / (unit * gain)).permute(0, 2, 3, 1).numpy()

    def _bits_gradient(self, latents: Tensor, noise: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the decoder gets of ``latents``, the gradient of their bits by changes to it, and which are coded.

        ``noise`` is what they are rounded with.
        """
        change = torch.zeros_like(latents, requires_grad=True)

        def known(mean: Tensor, scale: Tensor) -> Tensor:
            return (mean + symbols(latents + noise - mean, scale)).detach() + change

        mean, scale = entropy_parameters(self._networks, first, known)
        coded = is_coded(scale)
        bits = (gaussian_bits(latents + change - mean, scale) * coded).sum()
        (gradient,) = torch.autograd.grad(bits, change)
        return known(mean, scale).detach(), gradient, coded

    def _error_gradient(self, field: Tensor, tile: Tile, inner: tuple[slice, slice], task: Task) -> Tensor:
        """Gradient of the weighted squared error of a tile by the latents in and around it, ``field``."""
        stride = self._config.stride
        weight = STEEPER * error_weight(self._config, task.quality)
        result = torch.zeros_like(field)
        for rows in spans(tile.height, STRIP, least=STRIP):
            place = slice(inner[0].start + rows.start, inner[0].start + rows.stop)
            around = grown(place, HALO, field.shape[2])
            seen = field[:, :, around].detach().requires_grad_()
            top, left = (place.start - around.start) * stride, inner[1].start * stride
            within_picture = slice(tile.top + rows.start, tile.top + rows.stop)
            pixels = task.pixels[:, scaled(within_picture, stride), scaled(tile.columns, stride)]
            target = to_network(torch.from_numpy(np.require(pixels, requirements=("C", "W"))))
            restored = self._networks.synthesis(seen)[:, :, top : top + target.shape[2], left : left + target.shape[3]]
            error = (restored - target).square().sum()
            result[:, :, around] += weight * torch.autograd.grad(error, seen)[0]
        return result


@contextmanager
def _one_thread() -> Iterator[None]:
    """Operations of PyTorch on the thread that calls them alone: the work is spread over threads already."""
    count = torch.get_num_threads()  # takes over the default, which would otherwise happen after it was set
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def _factor(integers: npt.NDArray[np.int64]) -> Tensor:
    """Gains (M, 1, 1) as numbers."""
    return torch.from_numpy((integers * 2.0**-GAIN_BITS).astype(np.float32))[:, None, None]


def _channels_first(x: Int16) -> Tensor:
    return torch.from_numpy(x.astype(np.float32)).permute(0, 3, 1, 2)
