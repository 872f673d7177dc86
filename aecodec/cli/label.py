"""``aecodec label``: labels for all pictures from those of a few."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from aecodec.cli.failures import clean
from aecodec.cli.features import table_of
from aecodec.files import refuse_existing, write_atomically


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="CSV with the columns file and label.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="CSV: file, label, confidence.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--pool", type=click.Choice(["mean", "max"]), help="Over positions; for pictures of different sizes.")
@click.option(
    "--at-least",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Confidence below which no label is given.",
)
@click.option("-q", "--quality", type=click.FloatRange(1, 100), default=60, show_default=True)
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def label(
    pictures: Path,
    labels: Path,
    output: Path,
    model: str,
    pool: str | None,
    at_least: float,
    quality: float,
    force: bool,
    quiet: bool,
) -> None:
    """Label all pictures like the few that have labels, and abstain where that is unsure.

    Pictures of an array or a stack are called NAME#0007, as `aecodec features` writes them. Labels spread over the
    nearest neighbours in the predicted means of the latents. Needs scikit-learn: pip install 'aecodec[learn]'.
    """
    from aecodec.uses.label import read_labels, spread

    refuse_existing(output, force)
    given = read_labels(labels)
    found = table_of(pictures, model, "means", pool, quality, quiet)
    rows = spread(found.names, found.values, given, at_least)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label", "confidence"))
    writer.writerows((row.name, row.label, f"{row.confidence:.3f}") for row in rows)
    write_atomically(output, text.getvalue().encode(), force)
    if not quiet:
        unsure = sum(not row.label for row in rows)
        click.echo(f"{output}: {len(rows) - unsure} pictures labelled, {unsure} unsure", err=True)
