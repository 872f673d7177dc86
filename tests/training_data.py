"""Small pictures, networks and runs for tests of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data
from sklearn.datasets import load_digits

from aecodec.card import Card
from aecodec.networks.config import ConvolutionalConfig
from aecodec.training.loop import TrainOptions
from aecodec.training.pictures import TrainingPicture
from aecodec.training.preparation import Job
from aecodec.training.run import train_folder

Pixels = npt.NDArray[np.uint8]

SMALL = ConvolutionalConfig(
    channels=12,
    latent_channels=16,
    analysis_blocks=1,
    synthesis_blocks=1,
    hyper_channels=4,
    hyper_width=8,
    context_width=8,
)
OPTIONS = TrainOptions(minutes=None, steps=2, batch=2, crop=64, workers=1, warm_up=2, log_every=1)


def digits() -> Pixels:
    """(1797, 8, 8)"""
    return np.asarray(load_digits().images * 15, np.uint8)


def tiles(count: int, side: int) -> Pixels:
    """Colour pictures (count, side, side, 3)."""
    photo = skimage.data.astronaut()
    return np.stack([photo[9 * i : 9 * i + side, 7 * i : 7 * i + side] for i in range(count)])


def pictures(sides: Sequence[tuple[int, int]]) -> list[TrainingPicture]:
    return [TrainingPicture(Path(f"{i}.png"), skimage.data.astronaut()[:h, :w]) for i, (h, w) in enumerate(sides)]


def trained(job: Job, options: TrainOptions, *arguments: Any, **rest: Any) -> Card:
    """The card of a run of one process; takes what :func:`train_folder` takes."""
    card = train_folder(job, options, *arguments, **rest)
    assert card is not None
    return card
