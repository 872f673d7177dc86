"""The command test: whether files decode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from aecodec.cli.failures import Failures, clean, named
from aecodec.cli.find import files_below
from aecodec.cli.options import files_argument, max_pixels_option, models_option, threads_option
from aecodec.cli.sources import Files, Sources, archive_files
from aecodec.cli.text import printable
from aecodec.format.archive import is_archive
from aecodec.format.container import parse_header


@click.command()
@files_argument("paths", "PATH...")
@models_option
@max_pixels_option
@threads_option
@clean
def test(paths: Sequence[Path], models: Sequence[Path], max_pixels: int) -> None:
    """Decode .aec files, also those in archives and below folders, to nowhere and verify their checksums."""
    failures, files = Failures(), Files(models)
    for path in files_below(paths, failures, suffixes={".aec", ".zip"}):
        before = failures.count
        with failures.caught():
            if is_archive(path):
                with archive_files(path, models) as entries:
                    for entry in entries.archive.pictures:
                        with failures.caught():
                            _verify(entry, entries, max_pixels)
            else:
                _verify(path, files, max_pixels)
        if failures.count == before:
            click.echo(f"{printable(path)}: ok")
    failures.end()


def _verify(path: Path, sources: Sources, max_pixels: int) -> None:
    from aecodec.codec import decode_picture
    from aecodec.stack import decode_stack

    data = sources.read(path)
    with named(path):
        header = parse_header(data)
        models = sources.models(path, header)
        if header.count is None:
            decode_picture(data, models, max_pixels)
        else:
            decode_stack(data, models=models, max_pixels=max_pixels)
