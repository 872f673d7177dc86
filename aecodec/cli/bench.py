"""``aecodec bench``: what this codec saves on somebody's pictures, against what they use today."""

from __future__ import annotations

import os
from pathlib import Path

import click

from aecodec.cli.failures import clean
from aecodec.options import DEFAULT_EFFORT

_folder = click.Path(path_type=Path, exists=True, file_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


def _words(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> list[str]:
    return [word.strip() for each in value for word in each.split(",") if word.strip()]


@click.command()
@click.argument("pictures", type=_folder)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Report folder.")
@click.option("--model", "models", multiple=True, help="Name or weights file; repeatable.  [default: photo]")
@click.option(
    "--effort",
    "efforts",
    type=click.IntRange(0, 9),
    multiple=True,
    help=f"Of the models; repeatable.  [default: {DEFAULT_EFFORT}]",
)
@click.option(
    "--codecs", multiple=True, callback=_words, help="Beginnings of names, with commas between.  [default: all]"
)
@click.option("--limit", type=click.IntRange(1), help="So many of the pictures only, evenly spread.")
@click.option("--timed", type=click.IntRange(0), default=8, show_default=True, help="Pictures to take times on.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of each codec.")
@click.option("--jobs", type=click.IntRange(1), help="Processes for sizes and scores.  [default: cores]")
@click.option(
    "--metrics",
    multiple=True,
    callback=_words,
    help="Of ssimulacra2, ms-ssim, psnr (always measured) and flip (the slowest), with commas between.  "
    "[default: ssimulacra2,ms-ssim]",
)
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Folder for all restored pictures.")
@click.option("--scores", type=_file, help="JSON of scores by benchmarks/cvvdp.py to show as well.")
@click.option("--retime", is_flag=True, help="Measure times and memory again, for example on an idle machine.")
@click.option("--title", default="", help="Of the report.  [default: the folder's name]")
@click.option("--published", type=_file, help="JSON of published points to show beside.")
@click.option("--matrix", type=_file, help="JSON of a matrix of models and data sets to show.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def bench(
    pictures: Path,
    output: Path,
    models: tuple[str, ...],
    efforts: tuple[int, ...],
    codecs: list[str],
    limit: int | None,
    timed: int,
    threads: int,
    jobs: int | None,
    metrics: list[str],
    keep: Path | None,
    scores: Path | None,
    retime: bool,
    title: str,
    published: Path | None,
    matrix: Path | None,
    quiet: bool,
) -> None:
    """Compare codecs on the pictures below a folder and write a report.

    The report folder gets report.html, summary.md, results.json and plots. A run can be stopped, and the same command
    goes on; what was measured before is measured again only where picture, settings or versions have changed.
    """
    from aecodec.evaluation.bench import BenchOptions
    from aecodec.evaluation.command import Request, benchmark
    from aecodec.evaluation.extra import BenchError
    from aecodec.evaluation.metrics import computed
    from aecodec.evaluation.ours import models as models_of
    from aecodec.evaluation.rivals import RIVALS, choose

    ours = models_of(models or ("photo",), tuple(dict.fromkeys(efforts)) or (DEFAULT_EFFORT,))
    rivals = [rival.with_threads(threads) for rival in choose(RIVALS, codecs)]
    chosen = computed(metrics or ["ssimulacra2", "ms-ssim"])
    options = BenchOptions(jobs or os.cpu_count() or 1, threads, timed, chosen, retime, keep)
    request = Request(pictures, output, [*ours, *rivals], options, title, limit, published, matrix, scores)
    try:
        text = benchmark(request, lambda line: None if quiet else click.echo(line, err=True))
    except ModuleNotFoundError as error:
        raise BenchError(str(error)) from error
    if not quiet:
        click.echo(text)
        click.echo(f"{output / 'report.html'}: written", err=True)
