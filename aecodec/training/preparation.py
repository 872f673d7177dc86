"""What has to be settled before the first step: the pictures, the part held out, the size of crops, the networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from aecodec.errors import DataError
from aecodec.networks.config import SharedConfig
from aecodec.training.architecture import Shape, choose, fitting_batch, whole_pictures
from aecodec.training.data import (
    FEWEST,
    LARGE_CROP,
    Pictures,
    all_grey,
    fitting_crop,
    judged_by,
    large_enough,
    load_source,
    split,
    unseen,
)
from aecodec.training.loop import TrainOptions
from aecodec.training.pictures import SMALLEST, PictureArray
from aecodec.training.validation import enlargement

HELD_OUT = 0.1  # share of the pictures that validation takes where none are given for it
MOST_HELD_OUT = 48  # more where they are small

Report = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What to train on, and where the results go."""

    pictures: Path  # a folder, or an array file
    output: Path  # weights file
    folder: Path  # checkpoint, log and plot
    validation: Path | None = None  # folder or array file of held-out pictures; a part of ``pictures`` without it
    name: str = ""  # of the model; that of the output without it
    data: str = ""  # description of the training data for the card
    licence: str = ""  # of the weights, for the card
    init: str = ""  # name or weights file of the model to start from; the KLT of the pictures without it
    pattern_share: float = 0.0  # of the crops, see aecodec.training.patterns
    fit_crop: bool = False  # make crops smaller where the pictures are
    shape: Shape = field(default_factory=Shape)  # of the networks
    finish: bool = True  # validate and write the weights file; without, the run ends with its checkpoint


@dataclass(frozen=True)
class Prepared:
    """Pictures, networks and options that fit together."""

    config: SharedConfig
    options: TrainOptions
    pictures: Pictures  # to train on
    held_out: Pictures
    everything: Pictures  # all usable ones of the job
    turned: bool  # whether crops are mirrored and transposed at random


def prepare(job: Job, options: TrainOptions, config: SharedConfig | None, report: Report) -> Prepared:
    """Read the pictures and make everything fit them; without ``config`` they choose it. Raises DataError."""
    report(f"reading {job.pictures}")
    everything = load_source(job.pictures, report)
    config = config or choose(everything, job.shape)
    everything, options = _fitting(everything, job, options, config, report)
    pictures, held_out = _divided(job, everything, report)
    for part in (pictures, held_out):
        _check_sizes(part, options.crop, config)
    report(f"{len(pictures):,} pictures to train on, {len(held_out):,} held out")
    turned = not whole_pictures(everything, options.crop)
    return Prepared(config, options, pictures, held_out, everything, turned)


def _fitting(
    pictures: Pictures, job: Job, options: TrainOptions, config: SharedConfig, report: Report
) -> tuple[Pictures, TrainOptions]:
    """The pictures that can be used, and the options with a crop that suits them. Raises DataError."""
    step = config.stride
    if len(pictures) and job.fit_crop:
        crop = fitting_crop(pictures, options.crop, step)
        options = replace(options, crop=crop, batch=fitting_batch(options.batch, crop))
    if options.crop % step:
        raise DataError(f"crops of {options.crop} pixels: this model needs multiples of {step}")
    if options.objective.distortion == "eye" and options.crop < LARGE_CROP:
        raise DataError(f"crops of {options.crop} pixels are too small for what the eye sees; train for squared error")
    usable = large_enough(pictures, options.crop, report)
    if job.fit_crop:
        report(f"crops of {options.crop} x {options.crop} pixels")
    if config.colours == 1 and not all_grey(usable):
        raise DataError(f"{job.pictures}: pictures in colour, but the model is for grey ones only")
    return usable, options


def _divided(job: Job, everything: Pictures, report: Report) -> tuple[Pictures, Pictures]:
    """Pictures to train on, and others to validate with. Raises DataError."""
    if len(everything) < FEWEST:
        needed = f"at least {FEWEST} pictures of {SMALLEST} x {SMALLEST} pixels or more are needed"
        raise DataError(f"{job.pictures}: {needed}, {len(everything)} can be used")
    if job.validation is None:
        most = MOST_HELD_OUT * enlargement(everything)
        pictures, held_out = split(everything, min(HELD_OUT, most / len(everything)))
    else:
        pictures, held_out = everything, load_source(job.validation, report)
        if not held_out:
            raise DataError(f"{job.validation}: no picture that can be used")
    return pictures, unseen(held_out, pictures, report)


def _check_sizes(pictures: Pictures, crop: int, config: SharedConfig) -> None:
    """What networks make of pictures larger than a hyper latent cannot be learned from crops that are smaller."""
    if crop >= config.span:
        return
    for picture in pictures[:1] if isinstance(pictures, PictureArray) else judged_by(pictures):
        height, width = picture.pixels.shape[:2]
        if max(height, width) > crop:
            raise DataError(
                f"{picture.path}: {width} x {height} pixels; crops of {crop} make a model of pictures up to that size, "
                f"those of {config.span} or more one of any size"
            )
