"""``aecodec features``: latents as a table of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aecodec.cli.failures import clean
from aecodec.cli.progress import watched
from aecodec.files import refuse_existing, write_atomically

if TYPE_CHECKING:
    from aecodec.uses.features import Table


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .npz, .csv or .parquet file.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--features", "kind", type=click.Choice(["means", "latents", "hyper", "bits"]), default="means")
@click.option("--pool", type=click.Choice(["mean", "max"]), help="Over positions; for pictures of different sizes.")
@click.option("-q", "--quality", type=click.FloatRange(1, 100), default=60, show_default=True)
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def features(
    pictures: Path, output: Path, model: str, kind: str, pool: str | None, quality: float, force: bool, quiet: bool
) -> None:
    """Write the latents of pictures as features for other programs.

    PICTURES is a folder, an array, a picture, or .aec files and stacks, which are read without restoring pixels. Means
    are those that the hyper latents predict. A .parquet file needs pyarrow.
    """
    from aecodec.uses.features import write_table

    refuse_existing(output, force)
    found = table_of(pictures, model, kind, pool, quality, quiet)
    write_atomically(output, write_table(output, found), force)
    if not quiet:
        click.echo(f"{output}: {len(found.names)} pictures, {len(found.columns)} features each", err=True)


def table_of(pictures: Path, model: str, kind: str, pool: str | None, quality: float, quiet: bool) -> Table:
    """The features of the pictures, with a progress bar."""
    from aecodec import load_codec
    from aecodec.uses.features import table
    from aecodec.uses.pictures import find
    from aecodec.weights import find as find_weights

    paths = find(pictures)
    given: Sequence[Path] = [find_weights(model)]
    return table(watched(paths, quiet), pictures, load_codec(model), quality, kind, pool, given)
