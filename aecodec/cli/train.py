"""The command that trains a model on pictures."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Literal

import click

from aecodec.cli.failures import clean
from aecodec.cli.options import FiniteRange
from aecodec.errors import OutputError, missing_extra
from aecodec.files import refuse_existing


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Weights file.")
@click.option("--minutes", type=FiniteRange(0, min_open=True), help="How long to train.  [default: 60]")
@click.option("--steps", type=click.IntRange(1), help="Train for so many steps instead.")
@click.option("--resume", is_flag=True, help="Go on with the run in the run folder.")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Checkpoint, log and plot.  [default: OUTPUT.run]"
)
@click.option(
    "--validation", type=click.Path(path_type=Path, exists=True), help="Held-out pictures.  [default: a part]"
)
@click.option("--init", default="", help="Start from an installed model or a weights file.  [default: your pictures]")
@click.option(
    "--architecture",
    type=click.Choice(["convolutional", "fully-connected"]),
    default="convolutional",
    show_default=True,
)
@click.option("--code-size", type=click.IntRange(2), help="Latents per 16 x 16 pixels, or per block; even.")
@click.option("--channels", type=click.IntRange(8), help="Width of the convolutional networks.  [default: 160]")
@click.option(
    "--analysis-blocks", type=click.IntRange(1, 16), help="Convolutional blocks at 1/8 of the encoder.  [default: 2]"
)
@click.option("--synthesis-blocks", type=click.IntRange(1, 16), help="And of the decoder.  [default: 2]")
@click.option("--coding-steps", type=click.IntRange(2, 3), help="Of the latents; 3 make smaller files.  [default: 2]")
@click.option("--block", type=click.IntRange(2, 64), help="Side of fully connected blocks.  [default: picture, or 16]")
@click.option("--layers", type=click.IntRange(0, 8), help="Fully connected layers on each side.  [default: 2]")
@click.option("--nodes", type=click.IntRange(1), help="Nodes of each of these layers.  [default: 512]")
@click.option(
    "--objective",
    type=click.Choice(["variational", "denoising", "sparse", "contractive"]),
    default="variational",
    show_default=True,
    help="What is added to rate and distortion, see docs/models.md.",
)
@click.option(
    "--noise",
    metavar="LOW..HIGH,mask=LOW..HIGH",
    help="Of the denoising objective: in grey levels, share of missing pixels, or both.  [default: 5..25]",
)
@click.option("--strength", type=FiniteRange(0), help="Of the sparse (default 0.3) or contractive one (200).")
@click.option(
    "--distortion",
    type=click.Choice(["eye", "mse", "bce"]),
    default="mse",
    show_default=True,
    help="What the eye sees (colour, from 64 x 64 up), squared error, or cross-entropy.",
)
@click.option("--optimizer", type=click.Choice(["muon", "adam", "sgd"]), default="muon", show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(1), help="CPU threads, each with its part of a batch.  [default: cores]")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Crops a step.")
@click.option(
    "--crop", type=click.IntRange(8), help="Side of a crop; multiple of 16.  [default: 256, less for small pictures]"
)
@click.option(
    "--rate",
    type=FiniteRange(0, 1, min_open=True),
    help="Learning rates, as a share of the usual.  [default: 1; with --init 0.1]",
)
@click.option(
    "--patterns",
    type=FiniteRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of crops that are drawn: stripes, charts, writing, noise.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--checkpoint-only",
    is_flag=True,
    help="End with the checkpoint: what is left needs no GPU, and the same command with --resume does it.",
)
@click.option("--name", default="", help="Name of the model.  [default: that of the weights file]")
@click.option("--data", default="", help="Description of the training data for the model's card.")
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing weights file.")
@clean
def train(
    pictures: Path,
    output: Path,
    minutes: float | None,
    steps: int | None,
    resume: bool,
    folder: Path | None,
    validation: Path | None,
    init: str,
    architecture: str,
    code_size: int | None,
    channels: int | None,
    analysis_blocks: int | None,
    synthesis_blocks: int | None,
    coding_steps: int | None,
    block: int | None,
    layers: int | None,
    nodes: int | None,
    objective: str,
    noise: str | None,
    strength: float | None,
    distortion: Literal["eye", "mse", "bce"],
    optimizer: Literal["muon", "adam", "sgd"],
    device: str,
    workers: int | None,
    batch: int,
    crop: int | None,
    rate: float | None,
    patterns: float,
    seed: int,
    checkpoint_only: bool,
    name: str,
    data: str,
    licence: str,
    force: bool,
) -> None:
    """Train a codec on the pictures below a folder, or in one array file (.npy, .npz, IDX).

    At the end the model is compared with other codecs on pictures that it was not trained on.
    """
    if minutes is not None and steps is not None:
        raise click.UsageError("--minutes and --steps exclude each other")
    if code_size is not None and code_size % 2:
        raise click.UsageError("--code-size must be even")
    if noise is not None and objective != "denoising":
        raise click.UsageError("--noise is of --objective denoising")
    if strength is not None and objective not in ("sparse", "contractive"):
        raise click.UsageError("--strength is of --objective sparse and contractive")
    ranges = _ranges(noise or "5..25") if objective == "denoising" else None
    refuse_existing(output, force or resume)
    if not os.access(output.parent, os.W_OK):  # now rather than after an hour
        raise OutputError(f"{output}: cannot write (no such folder, or not permitted)")
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_extra(error, "training") from error

    from aecodec.training.architecture import Shape
    from aecodec.training.distributed import joined, neighbours, own_device
    from aecodec.training.loop import TrainOptions
    from aecodec.training.objective import LARGEST_LOSS, Noise, Objective
    from aecodec.training.preparation import Job
    from aecodec.training.run import train_folder

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise click.UsageError("--device cuda: PyTorch finds no CUDA device here")
    if device == "cuda":
        device, workers = own_device(), 1
    options = TrainOptions(
        minutes=None if steps else minutes or 60.0,
        steps=steps,
        batch=batch,
        crop=crop or TrainOptions.crop,
        workers=min(batch, workers or max(1, (os.cpu_count() or 1) // neighbours())),
        device=device,
        seed=seed,
        rate_factor=rate,
        optimizer=optimizer,
        objective=Objective(
            noise=Noise(*ranges) if ranges else None,
            sparsity=(0.3 if strength is None else strength) if objective == "sparse" else 0.0,
            contraction=(200.0 if strength is None else strength) if objective == "contractive" else 0.0,
            distortion=distortion,
            largest_loss=LARGEST_LOSS if patterns else math.inf,
        ),
    )
    folder = folder or output.with_suffix(".run")
    shape = Shape(
        fully_connected=architecture == "fully-connected",
        code_size=code_size,
        channels=channels,
        analysis_blocks=analysis_blocks,
        synthesis_blocks=synthesis_blocks,
        coding_steps=coding_steps,
        block=block,
        layers=layers,
        nodes=nodes,
    )
    job = Job(
        pictures,
        output,
        folder,
        validation,
        name,
        data,
        licence,
        init,
        patterns,
        crop is None,
        shape,
        not checkpoint_only,
    )
    with joined(device) as ranks:
        screen = Screen(ranks.first)
        try:
            card = train_folder(job, options, resume=resume, report=screen.say, show=screen.renew, ranks=ranks)
        except KeyboardInterrupt:
            screen.say(f"stopped; the same command with --resume goes on from {folder}")
            raise
    if checkpoint_only and ranks.first:
        click.echo(f"{folder}: trained; the same command with --resume writes {output}")
    if card is not None:
        training = card.training
        click.echo(f"{output}: model {card.name} {card.id}, {training.steps} steps, {training.minutes} minutes")


class Screen:
    """Lines that stay on stderr and, on a terminal, one below them that renews itself."""

    def __init__(self, speaks: bool = True) -> None:
        """Of several processes one ``speaks``."""
        self._terminal, self._speaks = sys.stderr.isatty(), speaks

    def say(self, text: str) -> None:
        """Print a line that stays on the screen."""
        if self._speaks:
            click.echo("\r\033[K" * self._terminal + text, err=True)

    def renew(self, text: str) -> None:
        """The line that renews itself; one that stays where there is no terminal."""
        if self._speaks:
            click.echo("\r" + text + "\033[K" if self._terminal else text, nl=not self._terminal, err=True)


def _ranges(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of grey levels and of the share of missing pixels: "LOW..HIGH" or one number, "mask=" before the second.

    Raises UsageError.
    """
    levels = missing = (0.0, 0.0)
    for part in text.split(","):
        name, found, amount = part.strip().rpartition("=")
        low, _, high = amount.partition("..")
        try:
            limits = float(low), float(high or low)
        except ValueError:
            raise click.UsageError(f"--noise {text}: a number, or two with .. between them") from None
        if found and name != "mask":
            raise click.UsageError(f"--noise {text}: mask= is the only name there is")
        if found:
            missing = limits
        else:
            levels = limits
    if not 0 <= levels[0] <= levels[1] <= 255:
        raise click.UsageError(f"--noise {text}: grey levels are 0..255, the lower one first")
    if not 0 <= missing[0] <= missing[1] < 1:
        raise click.UsageError(f"--noise {text}: the share of missing pixels is in 0..1, the lower one first")
    return levels, missing
