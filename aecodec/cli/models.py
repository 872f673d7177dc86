"""The command that lists models. Imports no PyTorch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from aecodec import weights
from aecodec.cli.failures import Failures, clean
from aecodec.cli.text import say, table
from aecodec.errors import ModelError

# The results in a card that the list shows: that of the metric that a model for the eye is for, and of the others.
FOR_THE_EYE = "validation_bd_rate_jpeg_ssimulacra2_percent", "SSIMULACRA2"
FOR_THE_REST = "validation_bd_rate_jpeg_percent", "PSNR"


@dataclass(frozen=True)
class Listed:
    """A model as the list of models shows it."""

    name: str
    id: str
    kind: str
    data: str
    pictures: int
    bytes: int
    bd_rate_jpeg_percent: float | None
    bd_rate_metric: str
    file: str


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER...]")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a model.")
@clean
def models(folders: Sequence[Path], as_json: bool) -> None:
    """List the installed models, or the weights files in folders.

    BD-rate is that of the card: against JPEG, by the metric that is named, on pictures held out of the training.
    """
    failures, found = Failures(), []
    paths = [path for folder in folders for path in _weights_files(folder)] if folders else [*weights.installed()]
    for path in paths:
        with failures.caught():
            found.append(_listed(path))
    if as_json:
        click.echo(json.dumps([asdict(model) for model in found], indent=2))
    elif found:
        click.echo(_table(found))
    elif not paths:
        places = ", ".join(map(str, folders or weights.folders())) or "no folder"
        say(f"no weights files (.safetensors) in {places}")
    failures.end()


def _weights_files(folder: Path) -> list[Path]:
    """Those in a folder; a file stands for itself. Raises ModelError."""
    if os.path.isfile(folder):
        return [folder]
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror}") from error
    return weights.weights_files(folder)


def _listed(path: Path) -> Listed:
    card = weights.describe(path)
    kind = str(getattr(card.config, "ARCHITECTURE", "convolutional"))
    result, metric = FOR_THE_EYE if card.training.distortion == "eye" else FOR_THE_REST
    bd_rate = card.results.get(result)
    size = path.stat().st_size
    return Listed(
        card.name,
        card.id,
        kind,
        card.training.data,
        card.training.pictures,
        size,
        bd_rate,
        metric,
        str(path),
    )


def _table(found: Iterable[Listed]) -> str:
    rows = [("name", "id", "kind", "size", "BD-rate", "trained on", "file")]
    for m in found:
        bd_rate = "" if m.bd_rate_jpeg_percent is None else f"{m.bd_rate_jpeg_percent:+.1f} % {m.bd_rate_metric}"
        rows.append((m.name, m.id, m.kind, f"{m.bytes / 1e6:.1f} MB", bd_rate, m.data, m.file))
    return table(rows)
