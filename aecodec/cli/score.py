"""``aecodec score``: which pictures are unlike the normal ones, and where."""

from __future__ import annotations

from pathlib import Path

import click

from aecodec.cli.failures import clean
from aecodec.cli.progress import watched
from aecodec.errors import OutputError


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--normal", type=click.Path(path_type=Path), help="Normal pictures.  [default: PICTURES/train/good]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Report folder.")
@click.option("--model", default="photo", show_default=True, help="Name or weights file; best one of normal pictures.")
@click.option("--false-alarms", type=click.FloatRange(0, 1, min_open=True), default=0.01, show_default=True)
@click.option("-q", "--quality", type=click.FloatRange(1, 100), default=60, show_default=True)
@click.option("--same-kind", is_flag=True, help="Abnormal is another class of the same kind of pictures.")
@click.option("-f", "--force", is_flag=True, help="Write into a report folder that is there already.")
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@clean
def score(
    pictures: Path,
    normal: Path | None,
    output: Path,
    model: str,
    false_alarms: float,
    quality: float,
    same_kind: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Score pictures by how unlike normal ones they are, with a map of where.

    PICTURES and --normal are folders, arrays, .aec files or stacks. The report folder gets scores.csv, report.html and
    maps. --false-alarms is the share of normal pictures that may be called abnormal. A folder with train/good, test/*
    and perhaps ground_truth, as data sets of defects have them, needs no --normal.

    Needs scikit-learn: pip install 'aecodec[learn]'.
    """
    from aecodec.uses import score as work
    from aecodec.uses.anomaly import AnomalyDetector

    if output.exists() and not force:
        raise OutputError(f"{output}: exists already; -f writes into it")
    places = work.layout(pictures, normal)
    detector = AnomalyDetector(model, false_alarms, quality, same_kind=same_kind)

    found = work.score(detector, places, lambda paths: watched(paths, quiet))
    known = work.truth(found, places)
    output.mkdir(parents=True, exist_ok=True)
    work.write_report(output, detector, found, known)
    if not quiet:
        strange = sum(each.finding.score > -detector.offset_ for each in found)
        rate = f"at {detector.false_alarms_:.1%} false alarms"
        click.echo(f"{strange} of {len(found)} pictures are abnormal {rate}: {output / 'report.html'}", err=True)
