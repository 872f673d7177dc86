"""What ``compress`` and ``decompress`` do with ``--cluster``, ``--shards`` and addresses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from aecodec.cluster.bulk import run
from aecodec.cluster.coding import Settings
from aecodec.cluster.manifest import FOLDER
from aecodec.cluster.outputs import Layout
from aecodec.cluster.storage import join, shown
from aecodec.cluster.worker import Job


def convert_all(
    settings: Settings,
    sources: Sequence[Path | str],
    output: str | None,
    shards: str | None,
    cluster: str | None,
    recursive: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Convert all sources, naming failures and going on past them; exit code 1 if there was one."""
    if output is None or output == "-":
        raise click.UsageError("with addresses, --cluster or --shards, -o names a folder")
    job = Job(settings, output, Layout(shards or Layout.FOLDER), force)
    began, done, failed, pixels, bytes_in, bytes_out = time.perf_counter(), 0, 0, 0, 0, 0
    for summary in run(job, [str(source) for source in sources], recursive, cluster):
        done += summary.done
        failed += summary.failed
        pixels += summary.pixels
        bytes_in += summary.bytes_in
        bytes_out += summary.bytes_out
        for failure in summary.failures:
            click.echo(f"aecodec: {failure}", err=True)
    if not quiet:
        seconds = time.perf_counter() - began
        click.echo(
            f"{shown(output)}: {done} files, {pixels} pixels, {bytes_in} -> {bytes_out} bytes, {seconds:.1f} s; "
            f"what became of each is in {shown(join(output, FOLDER))}",
            err=True,
        )
    if failed:
        click.echo(f"aecodec: {failed} of {done + failed} files failed", err=True)
        raise SystemExit(1)
