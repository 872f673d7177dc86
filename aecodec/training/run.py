"""One training run, from a folder of pictures to a weights file."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from aecodec.card import Card, TrainingRecord
from aecodec.codec import Codec
from aecodec.errors import AecError, DataError, ModelError, OutputError
from aecodec.evaluation.curves import CurveError
from aecodec.evaluation.metrics import PSNR
from aecodec.evaluation.verdict import Extent, judge
from aecodec.files import set_aside
from aecodec.networks.config import SharedConfig
from aecodec.networks.gains import quality_map
from aecodec.networks.model import Model
from aecodec.training import log
from aecodec.training.advice import better_start, more_minutes
from aecodec.training.calibration import quality_knots, scores_by_position
from aecodec.training.checkpoint import load_checkpoint
from aecodec.training.data import Crops, StreamedCrops, values_of
from aecodec.training.device import DeviceTrainer
from aecodec.training.distributed import ALONE, Ranks
from aecodec.training.exactness import cost_of_fixed_point
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.loop import run as run_loop
from aecodec.training.pictures import PictureArray
from aecodec.training.plot import draw, draw_latents
from aecodec.training.preparation import Job, Prepared, Report, prepare
from aecodec.training.revive import revive
from aecodec.training.shards import ShardPictures
from aecodec.training.validation import FAST_SSIMULACRA2, Level, Validation, Validator, enlargement, pixels_of
from aecodec.training.warm_start import grown, trainable
from aecodec.uses.meter import measure
from aecodec.uses.mixture import fit
from aecodec.weights import ID_BYTES, Weights, describe, find, load_weights, save_weights

CALIBRATION_CROPS = 192
MIXED = 4000  # pictures that a mixture is fitted to
REVIVAL_CROPS = 32  # by which dead feed-forwards are found


def train_folder(
    job: Job,
    options: TrainOptions,
    config: SharedConfig | None = None,
    resume: bool = False,
    report: Report = print,
    show: Report | None = None,
    ranks: Ranks = ALONE,
) -> Card | None:
    """Train on the pictures below a folder and write the weights file; its card, of several ``ranks`` to the first.

    None where the job ends with its checkpoint.

    ``report`` gets what is to stay on the screen, ``show`` the state of the run, every few seconds. Raises DataError
    for unusable pictures, OutputError where a run is there already and ``resume`` is not asked for.
    """
    checkpoint = job.folder / "checkpoint.safetensors"
    _check_folder(checkpoint, resume)
    start = load_weights(find(job.init)) if job.init and not resume else None
    if resume:
        config = load_checkpoint(checkpoint)[0].config
    elif start:
        config = grown(start.card.config, job.shape)
    prepared = prepare(job, options, config, report)
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.folder}: cannot write there ({error.strerror})") from error
    run = Run(job, prepared, start, checkpoint, report, show or report, ranks)
    if not ranks.first:
        run_loop(run.trainer, lambda record: None, lambda: None)
        return None
    run_loop(run.trainer, run.log, run.validate if job.finish else lambda: None)
    return run.finish() if job.finish else None


def _check_folder(checkpoint: Path, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise OutputError(f"{checkpoint}: a run is there already; resume it, or give another folder for this one")
    if resume and not checkpoint.exists():
        raise DataError(f"{checkpoint}: nothing to resume")


class Run:
    """A run under way: what is logged, measured and written of it."""

    def __init__(
        self,
        job: Job,
        prepared: Prepared,
        start: Weights | None,
        checkpoint: Path,
        report: Report,
        show: Report,
        ranks: Ranks = ALONE,
    ) -> None:
        self._job, self._prepared, self._report, self._show = job, prepared, report, show
        options, config = prepared.options, prepared.config
        streamed = isinstance(prepared.pictures, ShardPictures)
        crops = partial(
            StreamedCrops if streamed else Crops,
            prepared.pictures,
            options.crop,
            options.seed,
            config.colours,
            prepared.turned,
        )
        count = CALIBRATION_CROPS * enlargement(prepared.pictures)
        self._calibration = torch.from_numpy(crops().batch(0, count)[0])
        model, origin = None, ""
        if start:
            origin = f"{start.card.name} {start.card.id}"
            model = _started(start, self._calibration, config, report)
        arguments = (options, crops(job.pattern_share), config, checkpoint, model, origin)
        # Neither messages between ranks nor gradient descent are part of a CUDA graph, nor can pictures be read there.
        if options.device == "cpu" or ranks.count > 1 or streamed or options.optimizer == "sgd":
            self.trainer = Trainer(*arguments, ranks)
        else:
            self.trainer = DeviceTrainer(*arguments)
        self._validator = Validator(prepared.held_out)
        self._validation: Validation | None = None
        self._log = job.folder / "log.jsonl"
        self._began, self._fraction = time.monotonic(), self.trainer.fraction()

    @property
    def _for_the_eye(self) -> bool:
        return self._prepared.options.objective.distortion == "eye"

    def log(self, record: dict[str, object]) -> None:
        """Write a record of the loop and show how far the run is."""
        log.append(self._log, record)
        fraction = self.trainer.fraction()
        done = fraction - self._fraction
        left = (time.monotonic() - self._began) * (1 - fraction) / done if done > 0 else 0.0
        self._show(
            f"{fraction:6.1%}  step {record['step']}  loss {record['loss']:.3f}  {record['bpp']:.3f} bpp  "
            f"mse {record['mse']:.1f}  {left / 60:.0f} min left"
        )

    def validate(self) -> None:
        """Measure the model so far on the held-out pictures, with real files."""
        progress = self.trainer.progress
        codec = Codec(self._exported({}))
        self._validation = self._validator(codec)
        seconds = round(progress.seconds, 1)
        log.append(self._log, {"step": progress.step, "seconds": seconds, **asdict(self._validation)})
        draw(self._log, self._job.folder / "progress.png")
        draw_latents(measure(codec, self._validator.pictures[0][None]), self._job.folder / "latents.png")
        self._report(_summary(self._validation))

    def finish(self) -> Card:
        """Write the weights, and once more with what a comparison with other codecs says."""
        output, everything = self._job.output, self._prepared.everything
        results = _gains(self._validation) if self._validation else {}
        final = self._exported(results)
        cost = cost_of_fixed_point(self.trainer.averaged_model(), Codec(final), self._validator.pictures)
        if cost is not None:
            self._report(f"fixed point costs {cost:+.2f} % bytes at equal PSNR against the float networks")
            final = replace(final, card=replace(final.card, results=results | {"fixed_point_percent": round(cost, 2)}))
            results = final.card.results
        if self._for_the_eye:
            final = self._calibrated(final)
        final = self._with_mixture(final)
        keep_former(output, self._report)
        identity = save_weights(output, final.card, final.arrays)  # already now, should the comparison be interrupted
        whole = Extent(len(everything), values_of(everything))
        try:
            metric = FAST_SSIMULACRA2 if self._for_the_eye else PSNR
            verdict = judge(output, pixels_of(self._prepared.held_out), whole, metric)
        except (AecError, OSError, ModuleNotFoundError) as error:  # the model is there, and that is what counts
            self._report(f"no comparison with other codecs: {error}")
            return replace(final.card, id=identity.hex())
        self._report(str(verdict))
        start = "" if self.trainer.progress.origin else better_start(verdict)
        for advice in filter(None, (start, more_minutes(log.read(self._log)))):
            self._report(advice)
        card = replace(final.card, results=results | verdict.results())
        return replace(card, id=save_weights(output, card, final.arrays).hex())

    def _calibrated(self, model: Weights) -> Weights:
        """The model with qualities that are scores, measured on the held-out pictures."""
        try:
            knots = quality_knots(scores_by_position(Codec(model), self._validator.pictures))
        except (CurveError, ModuleNotFoundError) as error:
            self._report(f"qualities are not calibrated: {error}")
            return model
        return replace(model, arrays=model.arrays | {"gains.positions": quality_map(knots)})

    def _with_mixture(self, model: Weights) -> Weights:
        """The model with a mixture over its hyper latents, to draw pictures from, where these are small and many."""
        pictures = self._prepared.pictures
        mixture = fit(Codec(model), pictures.pixels[:MIXED]) if isinstance(pictures, PictureArray) else None
        return replace(model, arrays=model.arrays | mixture.tensors()) if mixture else model

    def _exported(self, results: dict[str, float]) -> Weights:
        """The averaged model so far as a weights file has it."""
        job, options, progress = self._job, self._prepared.options, self.trainer.progress
        count = len(self._prepared.pictures)
        training = TrainingRecord(
            data=_described(job, count, progress.origin),
            pictures=count,
            crop=options.crop,
            minutes=round(progress.seconds / 60, 1),
            steps=progress.step,
            machine=progress.machine or self.trainer.machine,
            revision=_revision(),
            denoising=options.objective.noise is not None,
            distortion=options.objective.distortion,
        )
        model = self.trainer.averaged_model()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        card = Card(job.name or job.output.stem, model.config, parameters, training, job.licence, results)
        return Weights(card, bytes(ID_BYTES), export(model, self._calibration))


def keep_former(output: Path, report: Report) -> None:
    """Files may have been made with a model that ``output`` holds: it stays, with its id in the name."""
    try:
        identity = describe(output).id
    except ModelError:  # nothing there, or no weights
        return
    former = set_aside(output, f"{output.stem}-{identity[:16]}{output.suffix}")
    report(f"{output} was there already: it is {former} now, for the files that were made with it")


def _started(start: Weights, calibration: Tensor, config: SharedConfig, report: Report) -> Model:
    """The trainable model of a weights file, with all of its feed-forwards alive."""
    model = trainable(start, calibration, config)
    if count := revive(model, calibration[:REVIVAL_CROPS]):
        report(f"{count} feed-forward(s) of {start.card.name} were dead, and begin anew")
    return model


def _described(job: Job, count: int, origin: str) -> str:
    """The training data, in words."""
    data = job.data or f"{count} pictures from {job.pictures.resolve().name}{'/' * job.pictures.is_dir()}"
    return f"{data}; started from {origin}" if origin else data


def _gains(validation: Validation) -> dict[str, float]:
    """Bytes against JPEG's at equal quality (BD-rate, percent), for the model's card."""
    gains = {
        "validation_bd_rate_jpeg_percent": validation.bd_rate,
        "validation_bd_rate_jpeg_ssimulacra2_percent": validation.bd_rate_ssimulacra2,
    }
    return {name: round(gain, 2) for name, gain in gains.items() if gain is not None}


def _summary(validation: Validation) -> str:
    points = "  ".join(f"{p.bpp:.3f} bpp {p.psnr:.2f} dB{_score(p)}" for p in validation.points)
    gains = ((validation.bd_rate, "PSNR"), (validation.bd_rate_ssimulacra2, "SSIMULACRA2"))
    against = ", ".join(f"{gain:+.1f} % ({metric})" for gain, metric in gains if gain is not None)
    return f"validation: {points}" + (f"; BD-rate against JPEG {against}" if against else "")


def _score(level: Level) -> str:
    return "" if level.ssimulacra2 is None else f" {level.ssimulacra2:.1f}"


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
