"""What fixed point costs: bytes at equal PSNR against the float networks of a training run.

    python benchmarks/exactness.py CHECKPOINT TRAINING FOLDER

CHECKPOINT is a training run's ``checkpoint.safetensors``, TRAINING a folder of its pictures (the export looks at some
of them), FOLDER has the pictures to measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from aecodec.pictures.images import read
from aecodec.training.checkpoint import load_checkpoint
from aecodec.training.data import Crops, find_pictures, load_pictures
from aecodec.training.exactness import cost_of_fixed_point
from aecodec.training.export import export
from aecodec.training.run import CALIBRATION_CROPS
from aecodec.training.validation import codec_of


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of fixed point against the float networks.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("training", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    model, average, _, _ = load_checkpoint(options.checkpoint)
    model.load_state_dict(average)
    paths = find_pictures(options.training)
    crops = Crops(load_pictures(paths[:: max(1, len(paths) // CALIBRATION_CROPS)]), 256)
    codec = codec_of(export(model, torch.from_numpy(crops.batch(0, CALIBRATION_CROPS)[0])), model.config)
    cost = cost_of_fixed_point(model, codec, [read(path).pixels for path in find_pictures(options.folder)])
    print("the curves cannot be compared" if cost is None else f"{cost:+.2f} % bytes at equal PSNR")


if __name__ == "__main__":
    main()
