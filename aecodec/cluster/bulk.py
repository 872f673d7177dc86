"""The run: what is not finished yet, chunk by chunk, on this machine or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from aecodec.cluster.inputs import Chunk, Kind, plan
from aecodec.cluster.manifest import Manifest
from aecodec.cluster.outputs import Layout, remove_unfinished
from aecodec.cluster.storage import open_system, whole_address
from aecodec.cluster.worker import Job, Summary, Worker, abandoned
from aecodec.errors import AecError

FILES_OF_A_CHUNK = {Layout.FOLDER: 64, Layout.TAR: 1000, Layout.PARQUET: 1000}
CHUNKS_OF_A_WAVE = 1000  # that the driver knows of at a time
TRIES = 4  # of a chunk whose worker dies
PATIENCE = "60"  # times that the only machine may miss its check, which comes every 3 s, for it is busy
OBJECT_STORE_BYTES = 2**28  # of our own cluster: no picture ever goes through it


def run(
    job: Job, sources: Sequence[str], recursive: bool = False, cluster: str | None = None, size: int | None = None
) -> Iterator[Summary]:
    """Do all chunks that are not finished; what became of each, as it ends.

    ``cluster`` is ``local`` for a Ray cluster of this machine alone, ``auto`` for the one this machine belongs to, or
    an address, ``ray://host:10001``; None is this process, without Ray. ``size`` is files in a chunk.
    Raises ImageError, OutputError and ModelError where the run cannot begin, AecError where the cluster cannot be had.
    """
    job = replace(job, output=whole_address(*open_system(job.output)))
    manifest = Manifest(job.output)
    manifest.begin(job.settings.identity() | {"layout": job.layout}, job.overwrite)
    finished = manifest.finished()
    remove_unfinished(job.layout, job.output, finished.parts)
    planned = plan(sources, recursive, job.settings.suffixes, size or FILES_OF_A_CHUNK[job.layout])
    chunks = (left for left in map(finished.remaining, planned) if left is not None)
    if cluster is None:
        yield from map(Worker(job), chunks)
    else:
        yield from _on_ray(job, chunks, cluster)


def _do(row: dict[str, Any], job: Job) -> dict[str, Any]:
    """A chunk as Ray Data has it: rows, one at a time, in and out.

    A function, not an actor: what ran on a lost node is done by any other worker, where an actor would have to come
    back first, for which there may be no room while the others wait for it.
    """
    return asdict(_worker(job)(_as_chunk(row)))


@lru_cache(1)
def _worker(job: Job) -> Worker:
    """Of this process, which is kept from chunk to chunk, and so is the model."""
    return Worker(job)


def _as_chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(Kind(row["kind"]), tuple(row["addresses"]), tuple(row["names"]), tuple(row["stems"]))


def _on_ray(job: Job, chunks: Iterator[Chunk], cluster: str) -> Iterator[Summary]:
    """Retries after lost machines and where work goes are Ray's to decide; so is how much is under way."""
    with connected(cluster) as ray:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.max_errored_blocks = -1  # those that are missing are known from their ids
        while wave := list(islice(chunks, CHUNKS_OF_A_WAVE)):
            rows = [asdict(chunk) | {"kind": chunk.kind.value} for chunk in wave]
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                _do, fn_args=(job,), num_cpus=1, max_retries=TRIES - 1
            )
            missing = {chunk.id: chunk for chunk in wave}
            for row in dataset.iter_rows():
                del missing[row["chunk"]]
                yield Summary(**row)
            for chunk in missing.values():
                yield abandoned(chunk, f"given up, its worker died {TRIES} times")


@contextmanager
def connected(cluster: str) -> Iterator[Any]:
    """Ray, connected to a cluster for a time, or to the one that the caller has. Raises AecError."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise AecError("--cluster needs Ray: pip install 'aecodec[cluster]'") from error
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {}
    if cluster == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_health_check_failure_threshold", PATIENCE)
        options = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    try:
        ray.init(address=cluster, logging_level="warning", log_to_driver=False, **options)
    except Exception as error:  # Ray's are of many kinds, the most general one among them
        raise AecError(f"no Ray cluster at {cluster}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
