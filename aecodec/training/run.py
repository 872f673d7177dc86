"""One training run from a folder of pictures to a weights file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from aecodec.codec import Codec
from aecodec.errors import AecError, DataError, OutputError
from aecodec.evaluation.verdict import Extent, judge
from aecodec.networks.config import SharedConfig
from aecodec.training.architecture import Shape, choose, fitting_batch, whole_pictures
from aecodec.training.checkpoint import load_checkpoint
from aecodec.training.data import (
    FEWEST,
    LARGE_CROP,
    SMALLEST,
    Crops,
    PictureArray,
    Pictures,
    all_grey,
    fitting_crop,
    large_enough,
    load_source,
    split,
)
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.loop import run as run_loop
from aecodec.training.plot import draw
from aecodec.training.revive import revive
from aecodec.training.validation import Validation, Validator, enlargement, pixels_of
from aecodec.training.warm_start import grown, trainable
from aecodec.weights import Card, TrainingRecord, Weights, find, load_weights, save_weights

HELD_OUT = 0.1  # share of the pictures that validation takes where none are given for it
MOST_HELD_OUT = 48  # more where they are small
CALIBRATION_CROPS = 192
REVIVAL_CROPS = 32  # by which dead feed-forwards are found


@dataclass(frozen=True)
class Job:
    """What to train on, and where the results go."""

    pictures: Path  # a folder, or an array file
    output: Path
    folder: Path  # checkpoint, log and plot
    validation: Path | None = None
    name: str = ""
    data: str = ""  # description of the training data for the card
    licence: str = ""
    init: str = ""  # name or weights file of the model to start from; the KLT of the pictures without it
    pattern_share: float = 0.0  # of the crops, see aecodec.training.patterns
    fit_crop: bool = False  # make crops smaller where the pictures are
    shape: Shape = field(default_factory=Shape)


def train_folder(
    job: Job,
    options: TrainOptions,
    config: SharedConfig | None = None,
    resume: bool = False,
    report: Callable[[str], None] = print,
) -> Card:
    """Train on the pictures below a folder and write the weights file.

    Raises DataError for unusable pictures, OutputError where a run is there already and ``resume`` is not asked for.
    """
    checkpoint = job.folder / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise OutputError(f"{checkpoint}: a run is there already; go on with --resume, or give another --run folder")
    if resume and not checkpoint.exists():
        raise DataError(f"{checkpoint}: nothing to resume")
    start = load_weights(find(job.init)) if job.init else None
    report(f"reading {job.pictures}")
    everything = load_source(job.pictures, report)
    if resume:
        config = load_checkpoint(checkpoint)[0].config
    elif start:
        config = grown(start.card.config, job.shape)
    config = config or choose(everything, job.shape)
    everything, options = _fitting(everything, job, options, config, report)
    pictures, held = _divide(job, everything, report)
    for part in (pictures, held):
        _check_sizes(part, options.crop, config)
    report(f"{len(pictures):,} pictures to train on, {len(held):,} held out")
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.folder}: cannot write there ({error.strerror})") from error

    turned = not whole_pictures(everything, options.crop)
    calibration_crops = Crops(pictures, options.crop, options.seed, config.colours, turned)
    crops = Crops(pictures, options.crop, options.seed, config.colours, turned, job.pattern_share)
    calibration = torch.from_numpy(calibration_crops.batch(0, CALIBRATION_CROPS * enlargement(pictures))[0])
    model, origin = None, ""
    if start and not resume:
        origin = f"{start.card.name} {start.card.id}"
        model = trainable(start, calibration, config)
        if count := revive(model, calibration[:REVIVAL_CROPS]):
            report(f"{count} feed-forward(s) of {start.card.name} were dead, and begin anew")
    trainer = Trainer(options, crops, config, checkpoint, model, origin)
    validator = Validator(held)
    log_path = job.folder / "log.jsonl"
    display = Display(trainer, report)

    def log(record: dict[str, object]) -> None:
        with log_path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        if "loss" in record:
            display.show(record)

    def exported(results: dict[str, float]) -> Weights:
        p = trainer.progress
        training = TrainingRecord(
            data=_described(job, len(pictures), p.origin),
            pictures=len(pictures),
            crop=options.crop,
            minutes=round(p.seconds / 60, 1),
            steps=p.step,
            machine=f"{options.device}, {options.workers} workers",
            revision=_revision(),
            denoising=options.objective.noise is not None,
        )
        model = trainer.averaged_model()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        card = Card(job.name or job.output.stem, model.config, parameters, training, job.licence, results)
        return Weights(card, bytes(8), export(model, calibration))

    last: list[Validation] = []

    def validate() -> None:
        progress = trainer.progress
        last[:] = [validator(Codec(exported({})))]
        log({"step": progress.step, "seconds": round(progress.seconds, 1), **asdict(last[0])})
        draw(log_path, job.folder / "progress.png")
        display.say(_summary(last[0]))

    run_loop(trainer, log, validate)
    bd_rate = last[0].bd_rate
    results = {} if bd_rate is None else {"validation_bd_rate_jpeg_percent": round(bd_rate, 2)}
    final = exported(results)
    identity = save_weights(job.output, final.card, final.arrays)  # already now, should the comparison be interrupted
    whole = Extent(len(everything), sum(picture.pixels[..., 0].size for picture in everything))
    try:
        verdict = judge(job.output, pixels_of(held), whole)
    except (AecError, OSError, ModuleNotFoundError) as error:  # the model is there, and that is what counts
        report(f"no comparison with other codecs: {error}")
        return replace(final.card, id=identity.hex())
    report(str(verdict))
    card = replace(final.card, results=results | verdict.results())
    return replace(card, id=save_weights(job.output, card, final.arrays).hex())


def _described(job: Job, count: int, origin: str) -> str:
    """The training data, in words."""
    data = job.data or f"{count} pictures from {job.pictures.resolve().name}{'/' * job.pictures.is_dir()}"
    return f"{data}; started from {origin}" if origin else data


def _fitting(
    pictures: Pictures, job: Job, options: TrainOptions, config: SharedConfig, report: Callable[[str], None]
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


def _divide(job: Job, everything: Pictures, report: Callable[[str], None]) -> tuple[Pictures, Pictures]:
    """Pictures to train on, and those to validate with."""
    if len(everything) < FEWEST:
        needed = f"at least {FEWEST} pictures of {SMALLEST} x {SMALLEST} pixels or more are needed"
        raise DataError(f"{job.pictures}: {needed}, {len(everything)} can be used")
    if job.validation is None:
        most = MOST_HELD_OUT * enlargement(everything)
        return split(everything, min(HELD_OUT, most / len(everything)))
    held = load_source(job.validation, report)
    if not held:
        raise DataError(f"{job.validation}: no picture that can be used")
    return everything, held


def _check_sizes(pictures: Pictures, crop: int, config: SharedConfig) -> None:
    """What networks make of pictures larger than a hyper latent cannot be learned from crops that are smaller."""
    if crop >= config.span:
        return
    for picture in pictures[:1] if isinstance(pictures, PictureArray) else pictures:
        height, width = picture.pixels.shape[:2]
        if max(height, width) > crop:
            raise DataError(
                f"{picture.path}: {width} x {height} pixels; crops of {crop} make a model of pictures up to that size, "
                f"those of {config.span} or more one of any size"
            )


def _summary(validation: Validation) -> str:
    points = "  ".join(f"{p.bpp:.3f} bpp {p.score:.2f} dB" for p in validation.points)
    gain = "" if validation.bd_rate is None else f"; BD-rate against JPEG {validation.bd_rate:+.1f} %"
    return f"validation: {points}{gain}"


def _revision() -> str:
    """The git revision of the program, where it runs from its own checkout.

    Not where it is installed within somebody else's, whose configuration could make git run what it likes.
    """
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(checkout), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Display:
    """Progress and time left: a line that renews itself on a terminal, a line a record elsewhere."""

    def __init__(self, trainer: Trainer, report: Callable[[str], None]) -> None:
        self._trainer, self._report = trainer, report
        self._began, self._fraction = time.monotonic(), trainer.fraction()

    def say(self, text: str) -> None:
        """Report something, in place of the line that renews itself."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._report(text)

    def show(self, record: dict[str, object]) -> None:
        """Show a training record of the log."""
        fraction = self._trainer.fraction()
        done = fraction - self._fraction
        left = (time.monotonic() - self._began) * (1 - fraction) / done if done > 0 else 0.0
        text = (
            f"{fraction:6.1%}  step {record['step']}  loss {record['loss']:.3f}  {record['bpp']:.3f} bpp  "
            f"mse {record['mse']:.1f}  {left / 60:.0f} min left"
        )
        if sys.stderr.isatty():
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        else:
            self._report(text)
