"""Muon for the matrices and Adam for the rest, or Adam alone, or gradient descent alone.

State is a flat dictionary of tensors, so that checkpoints need no pickle.

Muon (Keller Jordan, 2024) replaces the momentum of a weight matrix by its nearest orthogonal matrix, found by a few
Newton-Schulz iterations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Literal

import torch
from torch import Tensor, nn

from aecodec.errors import DataError
from aecodec.training.bfloat16 import is_fast
from aecodec.training.distributed import ALONE, Ranks

MUON_MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.99)
SGD_MOMENTUM = 0.9

Method = Literal["muon", "adam", "sgd"]


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix to each (..., rows, columns), roughly: singular values within 0.7..1.2."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16() if is_fast(matrix.device) else matrix
    transposed = x.shape[-2] > x.shape[-1]
    x = x.mT if transposed else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if transposed else x
    return result.to(matrix.dtype)


def is_matrix(parameter: nn.Parameter) -> bool:
    """Whether Muon takes this parameter: a dense convolution kernel."""
    return parameter.dim() == 4 and parameter.shape[1] > 1


class Optimizer:
    """Updates named parameters from a list of gradients in the same order; without ``muon_rate`` by Adam alone.

    With ``sgd_rate`` all of them go down their gradients with momentum (Polyak, 1964); the other rates are of no use.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        muon_rate: float | None,
        adam_rate: float,
        sgd_rate: float | None = None,
    ) -> None:
        self.parameters = dict(named)
        self.muon_rate = muon_rate
        self.adam_rate = adam_rate
        self.sgd_rate = sgd_rate
        self.steps = 0
        self.first = {n: torch.zeros_like(p) for n, p in self.parameters.items()}
        rest = {n: p for n, p in self.parameters.items() if muon_rate is None or not is_matrix(p)}
        rest = {} if sgd_rate is not None else rest
        self.second = {n: torch.zeros_like(p) for n, p in rest.items()}

    @torch.no_grad()
    def step(self, grads: list[Tensor], rate: float, executor: Executor | None = None, ranks: Ranks = ALONE) -> None:
        """Take one step with the learning rates scaled by ``rate``; ``executor`` spreads the matrices over threads.

        Of several ``ranks``, which have the same gradients, each orthogonalises a part of the matrices.
        """
        self.steps += 1
        run = map if executor is None else executor.map
        by_name = dict(zip(self.parameters, grads, strict=True))
        if self.sgd_rate is not None:
            for name, grad in by_name.items():
                self.parameters[name].sub_(self.first[name].mul_(SGD_MOMENTUM).add_(grad), alpha=rate * self.sgd_rate)
            return
        matrices = {name: grad for name, grad in by_name.items() if name not in self.second}
        for name, grad in matrices.items():
            self.first[name].lerp_(grad, 1 - MUON_MOMENTUM)
        for name, direction in ranks.share(lambda name: self._direction(name, by_name[name]), matrices, run).items():
            self._turn(name, direction, rate)
        for name in self.second:
            self._adapt(name, by_name[name], rate)

    @torch.no_grad()
    def _direction(self, name: str, grad: Tensor) -> Tensor:
        """Muon's, for a matrix whose momentum is up to date."""
        return orthogonalize(grad.lerp(self.first[name], MUON_MOMENTUM).flatten(1)).reshape(grad.shape)

    @torch.no_grad()
    def _turn(self, name: str, direction: Tensor, rate: float) -> None:
        assert self.muon_rate is not None
        columns = direction[0].numel()
        factor = max(1.0, direction.shape[0] / columns) ** 0.5
        self.parameters[name].sub_(direction, alpha=rate * self.muon_rate * factor)

    @torch.no_grad()
    def _adapt(self, name: str, grad: Tensor, rate: float) -> None:
        """One step of Adam (Kingma and Ba, 2015) for one parameter."""
        parameter, momentum = self.parameters[name], self.first[name]
        beta_1, beta_2 = ADAM_BETAS
        second = self.second[name]
        momentum.lerp_(grad, 1 - beta_1)
        second.lerp_(grad.square(), 1 - beta_2)
        unbiased = (second / (1 - beta_2**self.steps)).sqrt_().add_(1e-8)
        parameter.addcdiv_(momentum, unbiased, value=-rate * self.adam_rate / (1 - beta_1**self.steps))

    def state(self) -> dict[str, Tensor]:
        """All state but the step count, as tensors by name."""
        kinds = (("first", self.first), ("second", self.second))
        return {f"{kind}/{name}": tensor for kind, by_name in kinds for name, tensor in by_name.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], steps: int) -> None:
        """Take over what :meth:`state` gave after ``steps`` steps. Raises DataError for that of another method."""
        if state.keys() != self.state().keys():
            raise DataError("the run that is to be resumed has another --optimizer")
        self.steps = steps
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
