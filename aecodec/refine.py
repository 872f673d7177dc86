"""Refining the latents of one picture: the encoder's effort. Files are as before, and decoding takes no longer.

The analysis network gives good latents for pictures in general; these can be made better ones for this picture, by
descending the gradient of rate + lambda * distortion through entropy model and synthesis (Campos et al., CVPR workshops
2019). Rounding has no gradient, so a soft one takes its place that becomes harder from step to step. Of many steps each
adds noise to it: stochastic Gumbel annealing (Yang, Bamler, Mandt, NeurIPS 2020), without which latents would settle
between integers. The hyper latents stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aecodec.config import SharedConfig
from aecodec.float_prior import fill_prior
from aecodec.latents import HYPER_LIMIT, Tile, tiles
from aecodec.networks import Networks, entropy_parameters, to_network
from aecodec.rate import error_weight, gaussian_bits, is_coded
from aecodec.threads import spread
from aecodec.transform import grown, scaled, within
from aecodec.weights import Arrays

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

EFFORTS = (0, 1, 2, 20, 25, 30, 35, 45, 60, 80)  # steps of effort 0..9
EPSILON = 20.0  # of Adam, in bits: latents of small gradients, which are mostly noise, hardly move
HALO = 2  # latents around a tile that the synthesis sees


@dataclass(frozen=True)
class Task:
    """What latents are to achieve."""

    pixels: Pixels  # (N, H, W, colours)
    hyper_latents: Floats  # (N, ...), not yet rounded
    gain: Floats  # (M,), before quantisation
    inverse: Floats  # (M,), after it
    quality: float  # 0..1
    steps: int


def steps_of(effort: int) -> int:
    """Steps of an effort 0..9. Raises ValueError for others."""
    if not 0 <= effort < len(EFFORTS):
        raise ValueError(f"effort {effort} is not within 0..{len(EFFORTS) - 1}")
    return EFFORTS[effort]


@dataclass(frozen=True)
class Schedule:
    """What suits a number of steps, found by trial: few leave no time for noise, and have to be large."""

    steps: int
    rate: float  # of Adam
    first: float  # temperature of the soft rounding
    last: float
    noise: float  # 1: that of Gumbel annealing

    @staticmethod
    def of(steps: int) -> Schedule:
        """The schedule of so many steps."""
        rate = 0.2 if steps <= 2 else 0.14 if steps <= 40 else 0.06
        return Schedule(steps, rate, 0.3 if steps <= 2 else 0.5, max(0.07, 0.3 * steps**-0.35), min(1.0, steps / 30))

    def at(self, step: int) -> tuple[float, float]:
        """Rate and temperature of a step."""
        done = step / self.steps
        return self.rate * (0.55 + 0.45 * math.cos(math.pi * done)), self.first * (self.last / self.first) ** done


class Refiner:
    """The networks that gradients flow through; immutable."""

    def __init__(self, config: SharedConfig, arrays: Arrays, synthesis: nn.Module) -> None:
        """``synthesis`` is the codec's own; the others are made here."""
        networks = Networks(config)
        fill_prior(networks, arrays)
        self._config, self._synthesis = config, synthesis
        self._networks = networks.requires_grad_(False)

    def __call__(self, y: Floats, task: Task) -> Floats:
        """Better latents (N, h, w, M) than ``y``, neither of them scaled, for the same hyper latents."""
        result = y.copy()

        def work(tile: Tile) -> None:
            tile.of(result)[:] = self._refine(y, tile, task)

        spread(work, list(tiles(*y.shape[1:3])))
        return result

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _refine(self, y: Floats, tile: Tile, task: Task) -> Floats:
        """The latents of one tile; those around it stay as they are."""
        stride = self._config.stride
        gain, inverse = (torch.from_numpy(factor)[:, None, None] for factor in (task.gain, task.inverse))
        weight = error_weight(self._config, task.quality)
        pixels = task.pixels[:, scaled(tile.rows, stride), scaled(tile.columns, stride)]
        target = to_network(torch.from_numpy(np.require(pixels, requirements=("C", "W"))))
        seen_rows, seen_columns = grown(tile.rows, HALO, y.shape[1]), grown(tile.columns, HALO, y.shape[2])
        seen = _channels_first(y[:, seen_rows, seen_columns]) * gain * inverse
        inner = within(tile.rows, seen_rows), within(tile.columns, seen_columns)
        top, left = (part.start * stride for part in inner)

        z = np.clip(np.rint(task.hyper_latents), -HYPER_LIMIT, HYPER_LIMIT)
        first = self._networks.hyper_synthesis(_channels_first(tile.of_hyper(z, self._config.hyper_stride)))
        first = first[:, :, : tile.height, : tile.width]
        latents = (_channels_first(tile.of(y)) * gain).requires_grad_(True)
        optimizer = torch.optim.Adam([latents], eps=EPSILON)
        schedule = Schedule.of(task.steps)
        noise = Noise(schedule.noise)
        for step in range(task.steps):
            optimizer.param_groups[0]["lr"], softness = schedule.at(step)

            def known(mean: Tensor, scale: Tensor, softness: float = softness) -> Tensor:
                return mean + draw(latents - mean, scale, softness, noise)

            mean, scale = entropy_parameters(self._networks, first, known)
            symbols = draw(latents - mean, scale, softness, noise)
            bits = (gaussian_bits(symbols, scale) * is_coded(scale)).sum()
            field = seen.clone()
            field[:, :, *inner] = (symbols + mean) * inverse
            restored = self._synthesis(field)[:, :, top : top + target.shape[2], left : left + target.shape[3]]
            loss = bits + weight * (restored - target).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (latents.detach() / gain).permute(0, 2, 3, 1).numpy()


class Noise:
    """Logistic noise, always the same: the difference of two Gumbel variables, scaled."""

    def __init__(self, scale: float) -> None:
        self._scale, self._generator = scale, torch.Generator().manual_seed(0)

    def __call__(self, shape: torch.Size) -> Tensor:
        return self._scale * torch.logit(torch.rand(shape, generator=self._generator).clamp(1e-6, 1 - 1e-6))


def draw(deviation: Tensor, scale: Tensor, temperature: float, noise: Noise) -> Tensor:
    """Symbols for latents that deviate so much from their means: values between the two integers around them.

    The odds of an integer fall with the inverse hyperbolic tangent of its distance. The lower the temperature, the
    nearer to plain rounding.
    """
    below = deviation.detach().floor()
    part = (deviation - below).clamp(1e-4, 1 - 1e-4)
    odds = (torch.atanh(part) - torch.atanh(1 - part)) / temperature
    return (below + torch.sigmoid(odds + noise(odds.shape))) * is_coded(scale)


def _channels_first(x: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2)
