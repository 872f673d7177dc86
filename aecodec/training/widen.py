"""Go on training with more latent channels: a trained model in a larger one that computes nearly the same.

    python -m aecodec.training.widen OLD NEW PICTURES --latent-channels 320 --lambda-max 0.6

OLD and NEW are checkpoints. The new latents are those that tell most of what the old ones miss; all new weights between
old and new channels begin at zero, so that the old channels keep their values. Where the range of lambda changes, the
gains follow it at the high-rate optimum, step^2 ~ 1 / lambda.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from aecodec.config import GAIN_KNOTS, INDEX_UNIT, SCALE_MIN, SCALE_STEP, STRIDE, ModelConfig
from aecodec.networks import Model, to_network
from aecodec.training.checkpoint import load_checkpoint, save_checkpoint
from aecodec.training.data import Crops, find_pictures, load_pictures
from aecodec.training.initialize import initialize
from aecodec.training.optimizer import Optimizer

CROPS = 256
Places = dict[str, list[Tensor | None]]  # per parameter and axis: where the old entries go; None: all stay


def _kept(old: int, new: int) -> Tensor:
    """Where old latent channels go: each half of the channels, which share a phase of the checkerboard, grows."""
    channel = torch.arange(old)
    return channel + (channel >= old // 2) * ((new - old) // 2)


def _places(model: Model, config: ModelConfig) -> Places:
    """Of the parameters that grow."""
    m, n = model.config.latent_channels, config.latent_channels
    kept, wide = _kept(m, n), torch.arange(2 * m)
    both = torch.cat([kept, n + kept])
    all_three = torch.cat([both, 2 * n + kept])
    places: Places = {"gains.encode": [None, kept], "gains.decode": [None, kept], "synthesis.1.weight": [None, kept]}
    block = 3 + config.analysis_blocks
    places |= {f"analysis.{block - 1}.weight": [kept, None], f"analysis.{block - 1}.bias": [kept]}
    for prefix in (f"analysis.{block}", "synthesis.0"):
        for part, outputs, inputs in (
            ("enter", kept, kept),
            ("spatial", kept, None),
            ("leave", kept, kept),
            ("widen", wide, kept),
            ("narrow", kept, wide),
        ):
            places |= {f"{prefix}.{part}.weight": [outputs, inputs], f"{prefix}.{part}.bias": [outputs]}
    places |= {"hyper_analysis.0.weight": [None, kept], "context.0.weight": [None, all_three]}
    for name in ("hyper_synthesis.7", "context.5"):
        places |= {f"{name}.weight": [both, None], f"{name}.bias": [both]}
    return places


def _put(old: Tensor, fresh: Tensor, places: list[Tensor | None]) -> Tensor:
    """``fresh`` with the old entries at their places, and zeros where old outputs would see new inputs."""
    result = fresh.clone()
    rows = torch.arange(fresh.shape[0]) if places[0] is None else places[0]
    result[rows] = 0
    if len(places) == 1 or places[1] is None:
        result[rows] = old
    else:
        result[rows[:, None], places[1][None, :]] = old
    return result


def _missing(model: Model, pixels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Latents that tell most of what is missing in restored pixels even without rounding: reduced-rank regression of
    the error of 16x16 pixel blocks on what the stride-2 convolution sees.

    Kernels (count, C, 2, 2) and biases (count,) for that convolution, and standard deviations (count,).
    """
    best = torch.ones(len(pixels))
    down = 2 + model.config.analysis_blocks
    features = model.analysis[:down](to_network(pixels))
    y = model.analysis[down:](features) * model.gains.forward_gain(best)
    error = to_network(pixels) - model.synthesis(y * model.gains.inverse_gain(best))
    g = F.pixel_unshuffle(features, 2).permute(0, 2, 3, 1).flatten(0, 2).double()
    e = F.pixel_unshuffle(error, STRIDE).permute(0, 2, 3, 1).flatten(0, 2).double()
    mean = g.mean(0)
    g, e = g - mean, e - e.mean(0)
    covariance = g.T @ g / len(g)
    ridge = 1e-6 * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.double)
    regression = torch.linalg.solve(covariance + ridge, g.T @ e / len(g))
    values, vectors = torch.linalg.eigh(regression.T @ covariance @ regression)
    rows = (regression @ vectors[:, -count:].flip(1)).T
    kernels = rows.reshape(count, model.config.channels, 2, 2).float()
    return kernels, -(rows @ mean).float(), values[-count:].flip(0).clamp(min=0).sqrt().float()


@torch.no_grad()
def widen(model: Model, average: Model, config: ModelConfig, pixels: Tensor) -> tuple[Model, Model]:
    """The trained model and its average as models of ``config``, which has more latent channels and perhaps another
    range of lambda, and is otherwise theirs. ``pixels`` (N, H, W, 3) uint8 are crops to find the new components on.
    """
    old = model.config
    same = replace(config, latent_channels=old.latent_channels, lambda_min=old.lambda_min, lambda_max=old.lambda_max)
    if same != old or config.latent_channels <= old.latent_channels:
        raise ValueError("only more latent channels and another range of lambda can be had")
    torch.manual_seed(0)
    fresh = Model(config)
    initialize(fresh, pixels)
    kept = _kept(old.latent_channels, config.latent_channels)
    new = torch.tensor(sorted(set(range(config.latent_channels)) - set(kept.tolist())))
    order = torch.cat([torch.arange(0, len(new), 2), torch.arange(1, len(new), 2)])  # strong ones into both halves
    kernels, biases, deviation = (x[order] for x in _missing(average, pixels, len(new)))

    state = dict(fresh.named_parameters())
    down = f"analysis.{2 + config.analysis_blocks}"
    state[f"{down}.weight"][new] = kernels
    state[f"{down}.bias"][new] = biases
    spread = deviation * state["gains.encode"][1, new].exp()
    index = torch.log(spread.clamp(min=SCALE_MIN) / SCALE_MIN) / SCALE_STEP
    state["hyper_synthesis.7.weight"].zero_()
    state["hyper_synthesis.7.bias"][config.latent_channels + new] = index / INDEX_UNIT

    places = _places(model, config)
    shift = torch.tensor([0.5 * _log_ratio(old, config, i / (GAIN_KNOTS - 1)) for i in range(GAIN_KNOTS)])[:, None]
    results = []
    for source in (model, average):
        result = Model(config)
        for name, parameter in source.named_parameters():
            target = result.get_parameter(name)
            if name not in places:
                target.copy_(parameter)
                continue
            target.copy_(_put(parameter, state[name], places[name]))
            if name == "synthesis.1.weight":
                target[:, new] = 0  # learned fast, and harmless until then
            if name.startswith("gains."):
                target[:, kept] += shift if name == "gains.encode" else -shift
                target[:, new] = state[name][:, new]
        results.append(result)
    return results[0], results[1]


def _log_ratio(old: ModelConfig, new: ModelConfig, q: float) -> float:
    """Of the lambdas at quality ``q`` in 0..1."""
    low, high = math.log(new.lambda_min / old.lambda_min), math.log(new.lambda_max / old.lambda_max)
    return low + (high - low) * q


def main() -> None:
    """Read a checkpoint, write another one at the same step; the optimizer's memory of new weights is empty."""
    parser = argparse.ArgumentParser(description="Widen a training checkpoint.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--latent-channels", type=int, required=True)
    parser.add_argument("--lambda-min", type=float)
    parser.add_argument("--lambda-max", type=float)
    options = parser.parse_args()
    model, tensors, state, progress = load_checkpoint(options.old)
    average = Model(model.config)
    average.load_state_dict(tensors)
    config = replace(
        model.config,
        latent_channels=options.latent_channels,
        lambda_min=options.lambda_min or model.config.lambda_min,
        lambda_max=options.lambda_max or model.config.lambda_max,
    )
    paths = find_pictures(options.pictures)
    crops = Crops(load_pictures(paths[:: max(1, len(paths) // CROPS)]), 128)
    places = _places(model, config)
    model, average = widen(model, average, config, torch.from_numpy(crops.batch(0, CROPS)[0]))
    optimizer = Optimizer(model.named_parameters(), 0, 0)
    for name, tensor in optimizer.state().items():
        old = state[name]
        place = places.get(name.partition("/")[2])
        tensor.copy_(old if place is None else _put(old, tensor, place))
    save_checkpoint(options.new, model, dict(average.named_parameters()), optimizer, progress)


if __name__ == "__main__":
    main()
