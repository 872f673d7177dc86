"""The training loop.

On the CPU each worker thread computes the gradients of its part of the batch with single-threaded operations: no
operation waits for another thread, so a busy machine slows the run down in proportion and no more. For a GPU see
:mod:`aecodec.training.device`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from aecodec.errors import DataError
from aecodec.networks.config import FullyConnectedConfig, SharedConfig
from aecodec.networks.model import Model, channels_last
from aecodec.training.bfloat16 import fastest_gradients
from aecodec.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from aecodec.training.data import Crops
from aecodec.training.distributed import ALONE, Ranks
from aecodec.training.initialize import initialize
from aecodec.training.interruption import uninterrupted
from aecodec.training.objective import PLAIN, Objective, Terms, rate_distortion
from aecodec.training.optimizer import Method, Optimizer

FINE_TUNING = 0.1  # share of the learning rates at which a model trained before goes on


@dataclass(frozen=True)
class TrainOptions:
    """What a run does. Exactly one of ``minutes`` and ``steps`` ends it and shapes its schedule."""

    minutes: float | None = 20
    steps: int | None = None
    batch: int = 8
    crop: int = 256
    workers: int = 2
    device: str = "cpu"
    seed: int = 0
    muon_rate: float = 0.01
    adam_rate: float = 1e-3
    sgd_rate: float = 0.1
    optimizer: Method = "muon"
    rate_factor: float | None = None  # of both rates; None: 1, or FINE_TUNING for a model trained before
    warm_up: int = 200
    average_decay: float = 0.999
    clip: float = 1.0
    checkpoint_seconds: float = 180.0
    validate_seconds: float = 900.0
    log_every: int = 50
    objective: Objective = PLAIN


class Trainer:
    """One run: model, averaged weights, optimizer and progress, advanced a step at a time."""

    def __init__(
        self,
        options: TrainOptions,
        crops: Crops,
        config: SharedConfig,
        checkpoint: Path,
        start: Model | None = None,
        origin: str = "",
        ranks: Ranks = ALONE,
    ) -> None:
        """``start`` is the model that a new run begins with; without it, that is the KLT of the pictures.

        ``origin`` says which model that is. Of several ``ranks`` each has a trainer, and all begin the same.
        """
        self.options, self.crops, self.checkpoint, self.ranks = options, crops, checkpoint, ranks
        torch.set_num_threads(1 if options.workers > 1 else torch.get_num_threads())
        state: dict[str, Tensor] = {}
        if checkpoint.exists():
            self.model, self.average, state, self.progress = load_checkpoint(checkpoint)
        else:
            torch.manual_seed(options.seed)
            self.model, self.progress = start or Model(config), Progress(fine_tuning=start is not None, origin=origin)
            if start is None:
                initialize(self.model, torch.from_numpy(crops.batch(-1 & 0x7FFFFFFF, 256)[0]))
            self.average = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        device = torch.device(options.device)
        channels_last(self.model.to(device))
        self.average = {n: t.to(device) for n, t in self.average.items()}
        # Of fully connected layers the gradients are cheap, and Muon costs more than it brings: docs/experiments.md.
        muon = options.optimizer == "muon" and not isinstance(self.model.config, FullyConnectedConfig)
        self.optimizer = Optimizer(
            self.model.named_parameters(),
            options.muon_rate if muon else None,
            options.adam_rate,
            options.sgd_rate if options.optimizer == "sgd" else None,
        )
        if state:
            self.optimizer.restore(state, self.progress.step)
        if ranks.agreed(self.progress.step) != self.progress.step:
            raise DataError(f"{checkpoint}: not the same on all machines; share the run folder between them")
        ranks.of_first([*self.model.parameters(), *self.average.values()])

    @property
    def machine(self) -> str:
        """What takes the steps, in words."""
        return f"{self.options.device}, {self.ranks.count * self.options.workers} workers"

    def fraction(self) -> float:
        """Share of the run that is done, 0..1."""
        if self.options.steps is not None:
            return min(1.0, self.progress.step / self.options.steps)
        assert self.options.minutes is not None
        return min(1.0, self.progress.seconds / (60 * self.options.minutes))

    def rate(self) -> float:
        """Learning rate factor: linear warm-up, then a cosine to 2 %; all of it lower for a model trained before."""
        cosine = 0.51 + 0.49 * math.cos(math.pi * self.fraction())
        usual = FINE_TUNING if self.progress.fine_tuning else 1.0
        factor = usual if self.options.rate_factor is None else self.options.rate_factor
        return min(1.0, (self.progress.step + 1) / self.options.warm_up) * cosine * factor

    def decay(self) -> float:
        """Share of the average of the weights that a step leaves as it is."""
        return min(self.options.average_decay, (1 + self.progress.step) / (10 + self.progress.step))

    def _gradients(self, pixels: Tensor, q: Tensor, worker: int) -> tuple[Terms, tuple[Tensor, ...]]:
        device = self.options.device
        if self.options.workers > 1:
            torch.set_num_threads(1)
        generator = torch.Generator(device).manual_seed(hash((self.options.seed, self.progress.step, worker)))
        with fastest_gradients(torch.device(device)):
            terms = rate_distortion(self.model, pixels.to(device), q.to(device), generator, self.options.objective)
        loss = terms.loss.sum() / self.options.batch
        return terms, torch.autograd.grad(loss, list(self.model.parameters()))

    def step(self, executor: ThreadPoolExecutor) -> Terms:
        """Advance by one step; the batch is split over the workers, each on a thread of its own."""
        options, began = self.options, time.monotonic()
        crops, quality = self.crops.batch(self.progress.step, options.batch)
        pixels, q = self.ranks.part(torch.from_numpy(crops)), self.ranks.part(torch.from_numpy(quality))
        parts = list(zip(pixels.chunk(options.workers), q.chunk(options.workers), strict=True))
        first = self.ranks.rank * len(parts)
        results = list(executor.map(lambda i: self._gradients(*parts[i], first + i), range(len(parts))))
        grads = self.ranks.add_up([sum(each[1:], each[0]) for each in zip(*(grad for _, grad in results), strict=True)])
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
        if torch.isfinite(norm):  # a step that overflowed is left out rather than spread
            scale = (options.clip / (norm + 1e-6)).clamp(max=1.0)
            rate = self.rate()
            spread = executor if options.workers > 1 else None
            self.optimizer.step([g * scale for g in grads], rate, spread, self.ranks)
            self._update_average()
        self.progress = replace(
            self.progress,
            step=self.progress.step + 1,
            seconds=self.progress.seconds + self.ranks.agreed(time.monotonic() - began),
            pixels=self.progress.pixels + options.batch * options.crop**2,
            machine=self.machine,
        )
        terms = [terms for terms, _ in results]
        return Terms(*(torch.cat([getattr(t, k).detach() for t in terms]) for k in ("loss", "bpp", "mse", "score")))

    @torch.no_grad()
    def _update_average(self) -> None:
        for name, parameter in self.model.named_parameters():
            self.average[name].lerp_(parameter, 1 - self.decay())

    def averaged_model(self) -> Model:
        """A copy with the averaged weights, on the CPU: what is validated and exported."""
        model = Model(self.model.config)
        model.load_state_dict({n: t.cpu() for n, t in self.average.items()})
        return model.eval()

    def save(self) -> None:
        """Write the checkpoint; one for all ranks."""
        if self.ranks.first:
            save_checkpoint(self.checkpoint, self.model, self.average, self.optimizer, self.progress)


def means(window: Sequence[Terms]) -> dict[str, float]:
    """Of all samples of some steps; of the score where it is known."""
    joined = {name: torch.cat([getattr(terms, name) for terms in window]) for name in ("loss", "bpp", "mse", "score")}
    return {name: float(values.mean()) for name, values in joined.items() if not torch.isnan(values).any()}


def run(trainer: Trainer, log: Callable[[dict[str, object]], None], validate: Callable[[], None]) -> None:
    """Train until the schedule ends, with checkpoints, log records and a validation now and then.

    What interrupts it leaves a checkpoint of all steps that were taken.
    """
    with ThreadPoolExecutor(trainer.options.workers) as executor:
        try:
            _steps(trainer, executor, log, validate)
        except KeyboardInterrupt:
            trainer.save()  # between two steps, see uninterrupted
            raise
    trainer.save()
    validate()


def _steps(
    trainer: Trainer,
    executor: ThreadPoolExecutor,
    log: Callable[[dict[str, object]], None],
    validate: Callable[[], None],
) -> None:
    options = trainer.options
    saved = validated = time.monotonic()
    window: list[Terms] = []
    while trainer.fraction() < 1:
        with uninterrupted():
            window.append(trainer.step(executor))
        progress = trainer.progress
        if progress.step % options.log_every == 0 or trainer.fraction() >= 1:
            log({"step": progress.step, "seconds": round(progress.seconds, 1), **means(window)})
            window.clear()
        if time.monotonic() - saved > options.checkpoint_seconds:
            trainer.save()
            saved = time.monotonic()
        if time.monotonic() - validated > options.validate_seconds and trainer.fraction() < 1:
            validate()
            validated = time.monotonic()
