"""Training on a GPU: the pictures stay on it, and a step is one CUDA graph.

On a processor the same code runs without the graph, which is how it is tested. Forward products are in TF32, those of
the gradients in bfloat16 (see :mod:`aecodec.training.bfloat16`). Matrices of one shape are orthogonalized together.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aecodec.networks.config import SharedConfig
from aecodec.networks.model import Model
from aecodec.training.bfloat16 import fastest_gradients
from aecodec.training.data import Crops, Draw, Pictures
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import Terms, rate_distortion
from aecodec.training.optimizer import ADAM_BETAS, MUON_MOMENTUM, is_matrix, orthogonalize

SMALLER_SHARE = 0.2  # of the run, at whose beginning batches are half as large
AHEAD = 4  # steps whose batches are drawn before they are needed
EAGER_STEPS = 3  # before a step is captured, which CUDA asks for


class DevicePictures:
    """All pictures as one array of pixels on the device, crops of which are cut by index."""

    def __init__(self, pictures: Pictures, colours: int, device: torch.device) -> None:
        arrays = [np.ascontiguousarray(picture.pixels[..., :colours]) for picture in pictures]
        areas = [array.shape[0] * array.shape[1] for array in arrays]
        starts = np.cumsum([0, *areas[:-1]])
        self.pixels = torch.from_numpy(np.concatenate([a.reshape(-1, colours) for a in arrays])).to(device)
        rows = [(int(start), *array.shape[:2]) for start, array in zip(starts, arrays, strict=True)]
        self.table = torch.tensor(rows, device=device)  # start, height, width

    def cut(self, draw: Draw, size: int) -> Tensor:
        """Crops (N, size, size, colours) uint8, the same as :meth:`Crops.batch` cuts."""
        device = self.pixels.device
        places = torch.tensor([astuple(place) for place in draw.places]).to(device)
        picture, top, left, mirrored, transposed = places.T[..., None, None]
        start, height, width = self.table[picture[:, 0, 0]].T[..., None, None]
        down, right = torch.arange(size, device=device)[:, None], torch.arange(size, device=device)
        row = torch.where(transposed.bool(), right, down)
        column = torch.where(transposed.bool(), down, right)
        column = torch.where(mirrored.bool(), size - 1 - column, column)
        y, x = torch.minimum(top + row, height - 1), torch.minimum(left + column, width - 1)
        crops = self.pixels[start + y * width + x]
        for index, pattern in draw.patterns.items():
            crops[index] = torch.from_numpy(pattern).to(device)
        return crops


@dataclass(frozen=True)
class Step:
    """A step of one batch size: what it reads, and how it runs; nothing of it moves between steps."""

    pixels: Tensor  # (N, H, W, C) uint8
    q: Tensor  # (N,)
    rates: Tensor  # see DeviceTrainer._rates
    run: Callable[[], Terms]


class DeviceTrainer(Trainer):
    """A trainer whose steps run on the device from beginning to end."""

    def __init__(
        self,
        options: TrainOptions,
        crops: Crops,
        config: SharedConfig,
        checkpoint: Path,
        start: Model | None = None,
        origin: str = "",
    ) -> None:
        super().__init__(options, crops, config, checkpoint, start, origin)
        self._device = torch.device(options.device)
        self._pictures = DevicePictures(crops.pictures, crops.colours, self._device)
        self._steps: dict[int, Step] = {}
        self._taken: dict[int, int] = defaultdict(int)
        self._drawn: dict[tuple[int, int], Future[Draw]] = {}  # by step and count
        torch.set_float32_matmul_precision("high")

    def step(self, executor: ThreadPoolExecutor) -> Terms:
        """Advance by one step of the optimiser; the terms of its loss."""
        began, count = time.monotonic(), self._count()
        draw = self._draw(executor, count)
        step = self._prepared(count)
        step.pixels.copy_(self._pictures.cut(draw, self.crops.size))
        step.q.copy_(torch.from_numpy(draw.qualities))
        step.rates.copy_(torch.tensor(self._rates()))
        torch.manual_seed(hash((self.options.seed, self.progress.step)))
        on_device = step.run()
        terms = Terms(*(getattr(on_device, field.name).cpu() for field in fields(Terms)))  # waits for the device
        self.optimizer.steps += 1
        self.progress = replace(
            self.progress,
            step=self.progress.step + 1,
            seconds=self.progress.seconds + time.monotonic() - began,
            pixels=self.progress.pixels + count * self.options.crop**2,
            machine=self.machine,
        )
        return terms

    @property
    def machine(self) -> str:
        """What takes the steps, in words."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else super().machine

    def _draw(self, executor: ThreadPoolExecutor, count: int) -> Draw:
        """This step's batch; those of the next steps are drawn while the device is busy."""
        step = self.progress.step
        for ahead in range(step, step + AHEAD):
            if (ahead, count) not in self._drawn:
                self._drawn[ahead, count] = executor.submit(self.crops.draw, ahead, count)
        self._drawn = {key: drawn for key, drawn in self._drawn.items() if key[0] >= step and key[1] == count}
        return self._drawn.pop((step, count)).result()

    def _count(self) -> int:
        """Crops of the next step."""
        batch = self.options.batch
        return max(1, batch // 2) if self.fraction() < SMALLER_SHARE else batch

    def _rates(self) -> tuple[float, float, float, float]:
        """What changes from step to step: rates of Muon and Adam, Adam's correction, share of the average."""
        rate, steps = self.rate(), self.optimizer.steps + 1
        beta_1, beta_2 = ADAM_BETAS
        muon = rate * (self.optimizer.muon_rate or 0.0)
        adam = rate * self.optimizer.adam_rate / (1 - beta_1**steps)
        return muon, adam, 1 / (1 - beta_2**steps), 1 - self.decay()

    def _prepared(self, count: int) -> Step:
        """The step of this batch size, captured once it has been taken a few times."""
        self._taken[count] += 1
        if count not in self._steps:
            size, colours = self.crops.size, self.crops.colours
            pixels = torch.zeros(count, size, size, colours, dtype=torch.uint8, device=self._device)
            q, rates = torch.zeros(count, device=self._device), torch.zeros(4, device=self._device)
            self._steps[count] = Step(pixels, q, rates, lambda: _beside(self._device, self._work(pixels, q, rates)))
        step = self._steps[count]
        if self._taken[count] == EAGER_STEPS + 1 and self._device.type == "cuda":
            run = _captured(self._work(step.pixels, step.q, step.rates))
            self._steps[count] = step = replace(step, run=run)
        return step

    def _work(self, pixels: Tensor, q: Tensor, rates: Tensor) -> Callable[[], Terms]:
        return lambda: self._advance(pixels, q, rates)

    def _advance(self, pixels: Tensor, q: Tensor, rates: Tensor) -> Terms:
        """Loss, gradients, update: everything that the device does."""
        options = self.options
        cuda = self._device.type == "cuda"
        generator = torch.cuda.default_generators[self._device.index or 0] if cuda else torch.default_generator
        with fastest_gradients(self._device):
            terms = rate_distortion(self.model, pixels, q, generator, options.objective)
        grads = torch.autograd.grad(terms.loss.mean(), list(self.model.parameters()))
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in grads]))
        scale = (options.clip / (norm + 1e-6)).clamp(max=1.0)
        # Gradients that overflowed are left out rather than spread.
        self._update([torch.where(torch.isfinite(norm), grad * scale, 0.0) for grad in grads], rates)
        return Terms(*(getattr(terms, field.name).detach() for field in fields(Terms)))

    @torch.no_grad()
    def _update(self, grads: list[Tensor], rates: Tensor) -> None:
        """What :class:`Optimizer` does, with rates that are on the device, and the average of the weights."""
        muon, adam, correction, share = rates
        beta_1, beta_2 = ADAM_BETAS
        optimizer, matrices = self.optimizer, defaultdict(list)
        for (name, parameter), grad in zip(optimizer.parameters.items(), grads, strict=True):
            momentum = optimizer.first[name]
            if optimizer.muon_rate is not None and is_matrix(parameter):
                momentum.lerp_(grad, 1 - MUON_MOMENTUM)
                direction = grad.lerp(momentum, MUON_MOMENTUM).flatten(1)
                matrices[direction.shape].append((parameter, direction))
                continue
            second = optimizer.second[name]
            momentum.lerp_(grad, 1 - beta_1)
            second.lerp_(grad.square(), 1 - beta_2)
            parameter.sub_(adam * momentum / ((second * correction).sqrt() + 1e-8))
        for (rows, columns), pairs in matrices.items():
            factor = max(1.0, rows / columns) ** 0.5
            directions = orthogonalize(torch.stack([direction for _, direction in pairs])) * (muon * factor)
            for (parameter, _), direction in zip(pairs, directions, strict=True):
                parameter.sub_(direction.reshape_as(parameter))
        for name, parameter in self.model.named_parameters():
            self.average[name].lerp_(parameter, share)


def _beside(device: torch.device, work: Callable[[], Terms]) -> Terms:
    """The work, on a GPU on a stream of its own, as a capture wants what comes before it."""
    if device.type != "cuda":
        return work()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        terms = work()
    torch.cuda.current_stream().wait_stream(stream)
    return terms


def _captured(work: Callable[[], Terms]) -> Callable[[], Terms]:
    """The work as a CUDA graph; it is recorded here, and done each time that the result is called."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        terms = work()

    def replay() -> Terms:
        graph.replay()
        return terms

    return replay
