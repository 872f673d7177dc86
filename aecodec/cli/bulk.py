"""Very many pictures: ``compress`` and ``decompress`` with ``--cluster``, ``--shards`` and addresses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aecodec.cli.text import plural, say
from aecodec.errors import AecError

if TYPE_CHECKING:
    from aecodec.cluster.coding import Settings


@dataclass(frozen=True)
class Bulk:
    """Where very many pictures come from and go to."""

    sources: Sequence[Path | str]
    output: str | None
    cluster: str | None
    shards: str | None
    recursive: bool
    force: bool
    quiet: bool

    @property
    def wanted(self) -> bool:
        """Whether this is not about files of this machine alone."""
        addresses = any(isinstance(source, str) for source in self.sources) or "://" in (self.output or "")
        return bool(addresses or self.cluster or self.shards)

    def convert(self, settings: Callable[[], Settings]) -> None:
        """Convert all sources, naming failures and going on past them; exit code 1 if there was one."""
        if self.output is None or self.output == "-":
            raise click.UsageError("with addresses, --cluster or --shards, -o names a folder")
        try:
            from aecodec.cluster import bulk, manifest, storage
            from aecodec.cluster.outputs import Layout
            from aecodec.cluster.worker import Job
        except ImportError as error:
            raise AecError(f"not installed: {error.name}; pip install 'aecodec[cluster]'") from error
        job = Job(settings(), self.output, Layout(self.shards or Layout.FOLDER), self.force)
        began, done, failed, bytes_in, bytes_out = time.perf_counter(), 0, 0, 0, 0
        for summary in bulk.run(job, [str(source) for source in self.sources], self.recursive, self.cluster):
            done += summary.done
            failed += summary.failed
            bytes_in += summary.bytes_in
            bytes_out += summary.bytes_out
            for failure in summary.failures:
                say(f"aecodec: {failure}")
        if not self.quiet:
            output, seconds = storage.shown(self.output), time.perf_counter() - began
            say(f"{output}: {plural(done, 'file')}, {bytes_in} -> {bytes_out} bytes, {seconds:.1f} s")
            say(f"what became of each: {storage.join(output, manifest.FOLDER)}")
        if failed:
            say(f"aecodec: {failed} of {plural(done + failed, 'file')} failed")
            raise SystemExit(1)
