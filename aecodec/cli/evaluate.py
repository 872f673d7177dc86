"""``aecodec evaluate``: the comparison that ends a training run, of a model that is there already."""

from __future__ import annotations

import json
from pathlib import Path

import click

from aecodec.cli.failures import clean


@click.command()
@click.argument("model")
@click.argument("pictures", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--metric",
    type=click.Choice(["psnr", "ssimulacra2"]),
    default="psnr",
    show_default=True,
    help="By which files of equal quality are found; ssimulacra2 models what people see, and takes longer.",
)
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
@clean
def evaluate(model: str, pictures: Path, metric: str, as_json: bool) -> None:
    """Compare a model with JPEG, WebP, AVIF and the photo model on pictures below a folder or in one array file.

    MODEL is an installed model's name or a weights file. This is the comparison that training ends with: real files
    of as many of the pictures as take about a minute, extrapolated to all of them. Pictures that the model was trained
    on flatter it.
    """
    from aecodec.evaluation.extra import BenchError
    from aecodec.evaluation.metrics import PSNR, SSIMULACRA2
    from aecodec.evaluation.verdict import extent_of, judge
    from aecodec.training.data import load_source
    from aecodec.training.validation import pixels_of
    from aecodec.weights import find

    weights = find(model)
    loaded = pixels_of(load_source(pictures, lambda line: click.echo(line, err=True)))
    chosen = SSIMULACRA2 if metric == "ssimulacra2" else PSNR
    try:
        verdict = judge(weights, loaded, extent_of(loaded), chosen, held_out=False)
    except ModuleNotFoundError as error:
        raise BenchError(str(error)) from error
    click.echo(json.dumps(verdict.results(), indent=2) if as_json else str(verdict))
