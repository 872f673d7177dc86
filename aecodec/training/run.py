"""One training run from a folder of pictures to a weights file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from aecodec.config import ModelConfig, SharedConfig
from aecodec.errors import DataError, OutputError
from aecodec.training.data import Crops, find_pictures, load_pictures, split
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.loop import run as run_loop
from aecodec.training.plot import draw
from aecodec.training.validation import Validation, Validator, codec_of
from aecodec.weights import Card, TrainingRecord, Weights, save_weights

HELD_OUT = 0.1  # share of the pictures that validation takes where no folder is given for it
MOST_HELD_OUT = 48
CALIBRATION_CROPS = 64


@dataclass(frozen=True)
class Job:
    """What to train on, and where the results go."""

    pictures: Path
    output: Path
    folder: Path  # checkpoint, log and plot
    validation: Path | None = None
    name: str = ""
    data: str = ""  # description of the training data for the card
    licence: str = ""


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
    paths = find_pictures(job.pictures)
    if job.validation is not None:
        train_paths, held_paths = paths, find_pictures(job.validation)
    else:
        train_paths, held_paths = split(
            paths, max(HELD_OUT if len(paths) < 480 else 0, MOST_HELD_OUT / max(1, len(paths)))
        )
    report(f"reading {len(train_paths)} pictures to train on, {len(held_paths)} for validation")
    pictures, held = load_pictures(train_paths, report), load_pictures(held_paths, report)
    if not pictures or not held:
        raise DataError(f"{job.pictures}: no usable pictures")
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.folder}: cannot write there ({error.strerror})") from error

    crops = Crops(pictures, options.crop, options.seed)
    trainer = Trainer(options, crops, config or ModelConfig(), checkpoint)
    calibration = torch.from_numpy(crops.batch(0, CALIBRATION_CROPS)[0])
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
            data=job.data or f"{len(pictures)} pictures from {job.pictures.resolve().name}/",
            pictures=len(pictures),
            minutes=round(p.seconds / 60, 1),
            steps=p.step,
            machine=f"{options.device}, {options.workers} workers",
            revision=_revision(),
        )
        model = trainer.averaged_model()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        card = Card(job.name or job.output.stem, model.config, parameters, training, job.licence, results)
        return Weights(card, bytes(8), export(model, calibration))

    last: list[Validation] = []

    def validate() -> None:
        weights, progress = exported({}), trainer.progress
        last[:] = [validator(codec_of(weights.arrays, weights.card.config))]
        log({"step": progress.step, "seconds": round(progress.seconds, 1), **asdict(last[0])})
        draw(log_path, job.folder / "progress.png")
        report(_summary(last[0]))

    run_loop(trainer, log, validate)
    bd_rate = last[0].bd_rate
    final = exported({} if bd_rate is None else {"validation_bd_rate_jpeg_percent": round(bd_rate, 2)})
    identity = save_weights(job.output, final.card, final.arrays)
    return replace(final.card, id=identity.hex())


def _summary(validation: Validation) -> str:
    points = "  ".join(f"{p.bpp:.3f} bpp {p.psnr:.2f} dB" for p in validation.points)
    gain = "" if validation.bd_rate is None else f"; BD-rate against JPEG {validation.bd_rate:+.1f} %"
    return f"validation: {points}{gain}"


def _revision() -> str:
    """The git revision of the program, where it runs from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Display:
    """Progress and time left: a line that renews itself on a terminal, a line a record elsewhere."""

    def __init__(self, trainer: Trainer, report: Callable[[str], None]) -> None:
        self._trainer, self._report = trainer, report
        self._began, self._fraction = time.monotonic(), trainer.fraction()

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
