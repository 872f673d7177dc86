"""Dead feed-forwards begin anew, and the model stays what it was."""

from __future__ import annotations

import torch
from torch import Tensor

from aecodec.networks.convolutional import Block
from aecodec.networks.model import Model, to_network
from aecodec.training.initialize import initialize
from aecodec.training.revive import LIVELY, revive
from tests.training_data import SMALL, tiles


def liveliness(block: Block, x: Tensor) -> float:
    positive = (block.widen(block.mixed(x)) > 0).float().mean((0, 2, 3))
    return float(torch.minimum(positive, 1 - positive).mean())


@torch.no_grad()
def deadened(pixels: Tensor) -> Model:
    """A model whose last feed-forward of the analysis does something, but on one side of zero only."""
    torch.manual_seed(0)
    model = Model(SMALL)
    initialize(model, pixels)
    block = model.analysis[-1]
    assert isinstance(block, Block) and block.widen.bias is not None
    block.widen.weight.mul_(1e-3)
    block.widen.bias.fill_(-1)
    block.narrow.weight[:, :4].normal_(0, 10)
    return model


@torch.no_grad()
def test_a_dead_feed_forward_comes_alive_and_the_model_stays_the_same() -> None:
    pixels = torch.from_numpy(tiles(8, 64))
    model = deadened(pixels)
    before = model.analysis(to_network(pixels))
    assert revive(model, pixels) == 1
    after = model.analysis(to_network(pixels))
    assert torch.allclose(before, after, atol=1e-3 * float(before.std()))
    seen = model.analysis[:-1](to_network(pixels))
    block = model.analysis[-1]
    assert isinstance(block, Block)
    assert liveliness(block, seen) > 10 * LIVELY


def test_living_feed_forwards_are_left_alone() -> None:
    pixels = torch.from_numpy(tiles(8, 64))
    torch.manual_seed(0)
    model = Model(SMALL)
    initialize(model, pixels)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert revive(model, pixels) == 0
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_gradients_reach_the_new_units() -> None:
    pixels = torch.from_numpy(tiles(8, 64))
    model = deadened(pixels)
    revive(model, pixels)
    block = model.analysis[-1]
    assert isinstance(block, Block)
    model.analysis(to_network(pixels)).square().mean().backward()
    grad = block.narrow.weight.grad
    assert grad is not None
    size = grad.flatten(1).norm(dim=0)
    assert float(size.min()) > 0
