"""``aecodec duplicates``: which pictures are copies of each other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aecodec.cli.failures import clean
from aecodec.cli.progress import watched
from aecodec.files import refuse_existing, write_atomically

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="CSV: file, copy, distance.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option(
    "--close", type=click.FloatRange(0, 2), help="Distance up to which pictures are taken for copies.  [default: 0.015]"
)
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def duplicates(pictures: Path, output: Path, model: str, close: float | None, force: bool, quiet: bool) -> None:
    """Find pictures that are the same, coded differently, resized or slightly cropped; nearest pairs first."""
    from aecodec import load_codec
    from aecodec.uses.duplicates import CLOSE, marks, pairs
    from aecodec.uses.pictures import find, read

    refuse_existing(output, force)
    codec = load_codec(model)
    names: list[str] = []

    def pixels() -> Iterator[npt.NDArray[np.uint8]]:
        for picture in read(watched(find(pictures), quiet), pictures):
            names.append(picture.name)
            yield picture.pixels

    found = marks(codec, pixels())
    rows = [*pairs(names, found, CLOSE if close is None else close)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "copy", "distance"))
    writer.writerows((row.first, row.second, f"{row.distance:.4f}") for row in rows)
    write_atomically(output, text.getvalue().encode(), force)
    if not quiet:
        click.echo(f"{output}: {len(rows)} pairs among {len(names)} pictures", err=True)
