"""``aecodec map``: a page on which pictures are points."""

from __future__ import annotations

from pathlib import Path

import click

from aecodec.cli.failures import clean
from aecodec.cli.progress import watched
from aecodec.files import refuse_existing, write_atomically


@click.command("map")
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The page, .html.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with the columns file and label, for colours.")
@click.option("-q", "--quality", type=click.FloatRange(1, 100), default=60, show_default=True)
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing page.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def map_pictures(
    pictures: Path, output: Path, model: str, labels: Path | None, quality: float, force: bool, quiet: bool
) -> None:
    """Put pictures on a page, near each other where their latents are alike; it works without a network.

    Each point shows the picture, what is restored of it, bits and PSNR. Places are by UMAP where umap-learn is
    installed, else by t-SNE (scikit-learn) up to 3,000 pictures, else by PCA.
    """
    from aecodec import load_codec
    from aecodec.uses.label import read_labels
    from aecodec.uses.map import gather, page, placed
    from aecodec.uses.pictures import find

    refuse_existing(output, force)
    given = read_labels(labels) if labels else {}
    points, values, activity = gather(watched(find(pictures), quiet), pictures, load_codec(model), quality)
    places, method = placed(values)
    words = {"label": [given.get(point.name, "") for point in points]} if given else {}
    text = page(pictures.resolve().name, points, places, method, activity, words)
    write_atomically(output, text.encode(), force)
    if not quiet:
        click.echo(f"{output}: {len(points)} pictures by {method}, {len(text) / 1e6:.1f} MB", err=True)
