"""From a weights file back to a model that can be trained: the inverse of :mod:`aecodec.training.export`.

Float parameters are stored as they are. Integer layers are divided by their scale; the limits on activations are left
out. Of the density of the hyper latents only its tables are stored: a mixture is fitted to them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aecodec.config import QUALITY_KNOTS
from aecodec.errors import ModelError
from aecodec.float_prior import fill_prior
from aecodec.networks import LogisticMixture, Model
from aecodec.weights import Arrays, Weights

FIT_STEPS = 400
FIT_RATE = 0.05


def trainable(weights: Weights) -> Model:
    """The model of a weights file, with float parameters. Raises ModelError where its tensors do not fit."""
    arrays = weights.arrays
    try:
        model = Model(weights.card.config)
        for part in ("analysis", "synthesis", "hyper_analysis", "gains"):
            names = [name for name in arrays if name.startswith(part + ".")]
            state = {name[len(part) + 1 :]: torch.from_numpy(arrays[name]).float() for name in names}
            getattr(model, part).load_state_dict(state)
        fill_prior(model, arrays)
        _fit(model.hyper_prior, *_probabilities(arrays, model.config.hyper_channels))
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"weights of {weights.card.name} cannot be trained further ({error})") from error
    return model


def _probabilities(arrays: Arrays, channels: int) -> tuple[int, npt.NDArray[np.float64]]:
    """The smallest value of all hyper tables, and the probabilities (sets, channels, values) from there up."""
    minimum = arrays["hyper_tables.minimum"].astype(np.int64)
    size = arrays["hyper_tables.size"].astype(np.int64)
    low, high = int(minimum.min()), int((minimum + size - 1).max())  # the last entry of a table is its escape
    result = np.zeros((len(size), high - low))
    tables = np.split(arrays["hyper_tables.frequencies"].astype(np.float64), np.cumsum(size)[:-1])
    for row, start, frequencies in zip(result, minimum - low, tables, strict=True):
        row[start : start + len(frequencies) - 1] = frequencies[:-1]
    result /= result.sum(1, keepdims=True)
    return low, result.reshape(-1, channels, high - low)


def _fit(prior: LogisticMixture, low: int, tables: npt.NDArray[np.float64]) -> None:
    """Bring a mixture close to tables: from their moments, then by gradient descent on the bits that it costs."""
    at_knots = np.linspace(0, len(tables) - 1, QUALITY_KNOTS).round().astype(int)
    q, target = torch.linspace(0, 1, QUALITY_KNOTS), torch.from_numpy(tables[at_knots]).float()
    values: Tensor = torch.arange(low, low + target.shape[2]).float()
    mean = target @ values
    deviation = (target @ values.square() - mean.square()).clamp(min=0.01).sqrt()
    with torch.no_grad():
        prior.mean.mul_(deviation[..., None]).add_(mean[..., None])
        prior.log_scale.copy_((deviation / 2).log()[..., None].expand_as(prior.log_scale))
    optimizer = torch.optim.Adam(prior.parameters(), FIT_RATE)
    grid = values.expand_as(target)
    for step in range(FIT_STEPS):
        optimizer.param_groups[0]["lr"] = FIT_RATE * (1 - step / FIT_STEPS)
        bits = -(target * torch.log2(prior.probability(grid, q).clamp(min=1e-9))).sum()
        optimizer.zero_grad()
        bits.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    optimizer.zero_grad()
