"""Optimizers: each goes down, and a run is not resumed with another one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from aecodec.errors import DataError
from aecodec.training.optimizer import Optimizer

RATES: dict[str, tuple[float | None, float | None]] = {"muon": (0.02, None), "adam": (None, None), "sgd": (0.02, 0.05)}


def optimizer(name: str) -> tuple[Optimizer, nn.ParameterDict]:
    torch.manual_seed(0)
    parameters = nn.ParameterDict({"matrix": torch.randn(4, 4, 1, 1), "bias": torch.randn(4)})
    muon, sgd = RATES[name]
    return Optimizer(parameters.items(), muon, 0.02, sgd), parameters


@pytest.mark.parametrize("name", RATES)
def test_each_goes_down(name: str) -> None:
    chosen, parameters = optimizer(name)
    losses = []
    for _ in range(200):
        loss = torch.stack([(each - 1).square().sum() for each in parameters.values()]).sum()
        chosen.step(list(torch.autograd.grad(loss, list(parameters.values()))), 1.0)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


def test_sgd_is_that_of_pytorch() -> None:
    chosen, parameters = optimizer("sgd")
    others = [nn.Parameter(each.detach().clone()) for each in parameters.values()]
    reference = torch.optim.SGD(others, lr=0.05, momentum=0.9)
    for seed in range(5):
        grads = [torch.randn(each.shape, generator=torch.Generator().manual_seed(seed)) for each in others]
        for parameter, grad in zip(others, grads, strict=True):
            parameter.grad = grad.clone()
        reference.step()
        chosen.step(grads, 1.0)
    for parameter, other in zip(parameters.values(), others, strict=True):
        assert torch.allclose(parameter, other, atol=1e-6)


@pytest.mark.parametrize("other", ["adam", "sgd"])
def test_the_state_of_another_one_is_refused(other: str) -> None:
    with pytest.raises(DataError, match="another --optimizer"):
        optimizer("muon")[0].restore(optimizer(other)[0].state(), 3)
