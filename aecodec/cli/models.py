"""The command that lists models. Imports no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from aecodec import weights
from aecodec.cli.failures import clean
from aecodec.errors import AecError, ModelError

BD_RATE = "validation_bd_rate_jpeg_percent"  # the result in a card that the list shows


@dataclass(frozen=True)
class Listed:
    """A model, in short."""

    name: str
    id: str
    kind: str
    data: str
    pictures: int
    bytes: int
    bd_rate_jpeg_percent: float | None
    file: str


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER...]")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a model.")
@clean
def models(folders: Sequence[Path], as_json: bool) -> None:
    """List the installed models, or the weights files in folders.

    BD-rate is that of the model's card: against JPEG, on pictures that were held out of its training.
    """
    failed, found = False, []
    try:
        paths = [path for folder in folders for path in _weights_files(folder)] if folders else [*weights.installed()]
    except OSError as error:
        raise ModelError(f"{error.filename}: {error.strerror}") from error
    for path in paths:
        try:
            found.append(_listed(path))
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if as_json:
        click.echo(json.dumps([asdict(model) for model in found], indent=2))
    elif found:
        click.echo(_table(found))
    elif not paths:
        places = ", ".join(map(str, folders or weights.folders())) or "no folder"
        click.echo(f"no weights files (.safetensors) in {places}", err=True)
    if failed:
        raise SystemExit(1)


def _weights_files(folder: Path) -> list[Path]:
    """Those in a folder; a file stands for itself."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.iterdir() if path.suffix == ".safetensors")


def _listed(path: Path) -> Listed:
    card = weights.describe(path)
    kind = str(getattr(card.config, "ARCHITECTURE", "convolutional"))
    bd_rate = card.results.get(BD_RATE)
    size = path.stat().st_size
    return Listed(
        card.name,
        card.id,
        kind,
        card.training.data,
        card.training.pictures,
        size,
        bd_rate,
        click.format_filename(path),
    )


def _table(found: Iterable[Listed]) -> str:
    rows = [("name", "id", "kind", "size", "BD-rate", "trained on", "file")]
    for m in found:
        bd_rate = "" if m.bd_rate_jpeg_percent is None else f"{m.bd_rate_jpeg_percent:+.1f} %"
        rows.append((m.name, m.id, m.kind, f"{m.bytes / 1e6:.1f} MB", bd_rate, m.data, m.file))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
