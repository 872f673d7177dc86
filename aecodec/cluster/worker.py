"""One chunk: read, code, write, and then its part of the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from aecodec.cluster.coding import Settings
from aecodec.cluster.inputs import Chunk, Entry, Kind, entries
from aecodec.cluster.manifest import Manifest, Record
from aecodec.cluster.outputs import Layout, Writer, shard_name, writer
from aecodec.cluster.storage import reason, shown
from aecodec.errors import AecError, OutputError


@dataclass(frozen=True)
class Job:
    """Where results go, and how they are made; what a worker is given, once."""

    settings: Settings
    output: str
    layout: Layout = Layout.FOLDER
    overwrite: bool = False


@dataclass(frozen=True)
class Summary:
    """What became of a chunk, in numbers."""

    chunk: str
    done: int = 0
    failed: int = 0
    pixels: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    failures: list[str] = field(default_factory=list)  # "name: what is wrong"


class Worker:
    """Does chunks; loads what is needed for it once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._manifest = Manifest(job.output)
        self._coder = job.settings.coder()

    def __call__(self, chunk: Chunk) -> Summary:
        """Do a chunk, or only tell of it where it was done before a machine was lost. Raises nothing."""
        try:
            records = self._manifest.read(chunk)
            if records is None or (chunk.kind == Kind.FILES and any(record.error for record in records)):
                records = self._convert(chunk)
                self._manifest.write(chunk, records)
        except Exception as error:  # of a file system, each of which has its own; the others go on
            return abandoned(chunk, reason(error, chunk.addresses[0]))
        return _summary(chunk, records)

    def _convert(self, chunk: Chunk) -> list[Record]:
        job = self._job
        with writer(job.layout, job.output, chunk, job.overwrite) as results:
            return list(self._convert_each(chunk, results))

    def _convert_each(self, chunk: Chunk, results: Writer) -> Iterator[Record]:
        for entry in entries(chunk, self._job.settings.suffixes):
            if entry.other:
                results.add_other(_within(chunk, entry.name), entry.data)
                continue
            try:
                yield self._convert_one(chunk, entry, results)
            except (AecError, MemoryError) as error:
                text = str(error) or "not enough memory"
                yield Record(entry.name, entry.source, error=text, source_bytes=len(entry.data))

    def _convert_one(self, chunk: Chunk, entry: Entry, results: Writer) -> Record:
        if entry.error is not None:
            raise AecError(entry.error)
        if ".." in PurePosixPath(entry.name).parts:
            raise OutputError("a name that leads out of the output")
        coded = self._coder(entry.data)
        renamed = entry.stem.removesuffix(coded.suffix) + coded.suffix
        in_shard = self._job.layout != Layout.FOLDER
        record = Record(
            entry.name,
            entry.source,
            shard_name(self._job.layout, chunk) if in_shard else renamed,
            width=coded.width,
            height=coded.height,
            pictures=coded.pictures,
            model=coded.model,
            quality=coded.quality,
            source_bytes=len(entry.data),
            bytes=len(coded.data),
            psnr=coded.psnr,
        )
        results.add(_within(chunk, renamed), record, coded.data)
        return record


def abandoned(chunk: Chunk, why: str) -> Summary:
    """Of a chunk that could not be finished; the next run takes it up again."""
    count = len(chunk.addresses)
    what = shown(chunk.addresses[0]) if count == 1 else f"{shown(chunk.addresses[0])} and {count - 1} more"
    return Summary(chunk.id, failed=count, failures=[f"{what}: {why}"])


def _within(chunk: Chunk, name: str) -> str:
    """The name of a shard's member, without that of the shard."""
    if chunk.kind == Kind.FILES:
        return name
    return name.removeprefix(f"{chunk.stems[0]}/")


def _summary(chunk: Chunk, records: Sequence[Record]) -> Summary:
    good = [record for record in records if record.error is None]
    return Summary(
        chunk.id,
        done=len(good),
        failed=len(records) - len(good),
        pixels=sum((r.width or 0) * (r.height or 0) * (r.pictures or 0) for r in good),
        bytes_in=sum(record.source_bytes or 0 for record in good),
        bytes_out=sum(record.bytes or 0 for record in good),
        failures=[f"{record.source}: {record.error}" for record in records if record.error is not None],
    )
