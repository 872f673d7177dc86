"""What exact integer probabilities cost: bits against those of the float networks they were made of.

    python benchmarks/exactness.py CHECKPOINT TRAINING FOLDER

CHECKPOINT is a training run's ``checkpoint.safetensors``, TRAINING a folder of its pictures (the export looks at some
of them), FOLDER has pictures to measure, with sides that are multiples of 64.
Both codings share analysis, gains and rounding. The float side is counted in ideal bits of its own Gaussians and
densities, the integer side in bytes of real payloads: the difference includes tables, coder and skipped symbols.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from aecodec.format.container import parse
from aecodec.networks.model import Model, entropy_parameters, to_network
from aecodec.networks.rate import gaussian_bits
from aecodec.pictures.images import read
from aecodec.training.checkpoint import load_checkpoint
from aecodec.training.data import Crops, TrainingPicture, find_pictures, load_pictures
from aecodec.training.export import export
from aecodec.training.objective import straight_through_symbols
from aecodec.training.run import CALIBRATION_CROPS
from aecodec.training.validation import codec_of

QUALITIES = (1.0, 25.0, 50.0, 75.0, 100.0)


@torch.no_grad()
def float_bits(model: Model, pixels: torch.Tensor, q: float) -> float:
    """Bits that the float networks give to the rounded latents of pixels (1, H, W, 3) uint8."""
    position = torch.tensor([q])
    y = model.analysis(to_network(pixels)) * model.gains.forward_gain(position)
    z = model.hyper_analysis(y).round()
    bits = -torch.log2(model.hyper_prior.probability(z, position).clamp(min=1e-9)).sum()
    first = model.hyper_synthesis(z)
    mean, scale = entropy_parameters(model, first, lambda mean, scale: straight_through_symbols(y - mean, scale) + mean)
    return float(bits + gaussian_bits(straight_through_symbols(y - mean, scale), scale).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="Bits of the integer against the float networks.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("training", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    trained, average, _, _ = load_checkpoint(options.checkpoint)
    trained.load_state_dict(average)
    paths = find_pictures(options.training)
    crops = Crops(load_pictures(paths[:: max(1, len(paths) // CALIBRATION_CROPS)]), 256)
    pictures = [TrainingPicture(path, read(path).pixels) for path in find_pictures(options.folder)]
    pictures = [picture for picture in pictures if not any(side % 64 for side in picture.pixels.shape[:2])]
    if not pictures:
        raise SystemExit(f"exactness.py: {options.folder}: no pictures with sides that are multiples of 64")
    codec = codec_of(export(trained, torch.from_numpy(crops.batch(0, CALIBRATION_CROPS)[0])), trained.config)
    print("quality  float bits  integer bits  difference")
    for quality in QUALITIES:
        float_total, integer_total = 0.0, 0
        for picture in pictures:
            float_total += float_bits(trained, torch.from_numpy(np.array(picture.pixels)[None]), (quality - 1) / 99)
            contents = parse(codec.encode(picture.pixels, quality, effort=0))
            integer_total += 8 * (len(contents.payload) + len(contents.escapes))
        change = integer_total / float_total - 1
        print(f"{quality:7.0f} {float_total:11.0f} {integer_total:13d} {change:+10.2%}")


if __name__ == "__main__":
    main()
