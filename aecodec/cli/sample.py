"""``aecodec sample``: new pictures of a kind, or variations of one."""

from __future__ import annotations

import io
import math
from pathlib import Path

import click

from aecodec.cli.failures import clean
from aecodec.files import refuse_existing, write_atomically


@click.command()
@click.option("--model", default="photo", show_default=True, help="Name or weights file of a model of small pictures.")
@click.option("-n", "--count", type=click.IntRange(1, 100_000), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same gives the same pictures.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A sheet (.png) or array (.npy).")
@click.option("--like", type=click.Path(path_type=Path), help="Variations of this picture; any model.")
@click.option(
    "--strength", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Of variations: latents drawn anew."
)
@click.option(
    "--fit",
    "fitted",
    type=click.Path(path_type=Path),
    help="Array of pictures to fit a mixture to first.",
)
@click.option("--prior", is_flag=True, help="Draw hyper latents from the prior, without the model's mixture.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--quiet", is_flag=True, help="No summary.")
@clean
def sample(
    model: str,
    count: int,
    seed: int,
    output: Path,
    like: Path | None,
    strength: float,
    fitted: Path | None,
    prior: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Draw new pictures from a model of small pictures, or variations of a picture from any model.

    Models that were trained on small pictures have a mixture of Gaussians over their hyper latents, from which whole
    pictures can be drawn. A model of photographs knows patches, not pictures: of these only variations are offered.
    """
    from aecodec import load_codec
    from aecodec.pictures import arrays, images
    from aecodec.uses import sample as work
    from aecodec.uses.mixture import fit, stored

    refuse_existing(output, force)
    codec = load_codec(model)
    if like is not None:
        pictures = work.vary(codec, images.read(like).pixels, count, strength, seed)
    else:
        mixture = None if prior else stored(codec.weights.arrays)
        if fitted is not None:
            mixture = fit(codec, arrays.read_array(fitted)[:4000])
        if mixture is None and not prior and not quiet:
            click.echo(f"{codec.card.name} has no mixture of hyper latents; drawing from its prior", err=True)
        pictures = work.draw(codec, mixture, count, seed)
    stream = io.BytesIO()
    if arrays.is_array(output):
        arrays.dump(pictures, stream, output.name)
    else:
        from aecodec.uses.sheet import sheet

        columns = math.ceil(math.sqrt(count))
        images.write(images.from_array(sheet(pictures, columns)), stream, images.format_of(output.suffix))
    write_atomically(output, stream.getvalue(), force)
    if not quiet:
        click.echo(f"{output}: {count} pictures of {pictures.shape[2]} x {pictures.shape[1]}", err=True)
