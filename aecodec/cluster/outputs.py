"""Where results go: a folder that mirrors the inputs, or shards of many pictures, .tar or Parquet."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from aecodec.cluster.inputs import PART, Chunk, Kind
from aecodec.cluster.manifest import SCHEMA, Record
from aecodec.cluster.storage import join, names_in, new_object, remove, write_new

ROWS = 64  # of a Parquet file at a time


class Layout(StrEnum):
    """How the results of a run are kept."""

    FOLDER = "folder"
    TAR = "tar"
    PARQUET = "parquet"


class Writer(Protocol):
    """Takes the results of a chunk one by one."""

    def add(self, name: str, record: Record, data: bytes) -> None:
        """``name`` is that within a shard. Raises OutputError."""

    def add_other(self, name: str, data: bytes) -> None:
        """A file beside the pictures, a label perhaps, which shards of webdataset keep."""


@contextmanager
def writer(layout: Layout, output: str, chunk: Chunk, overwrite: bool) -> Iterator[Writer]:
    """For one chunk. A shard is there, whole, when the block has ended. Raises OutputError."""
    if layout == Layout.FOLDER:
        yield _Folder(output, overwrite)
        return
    with new_object(join(output, shard_name(layout, chunk))) as file:
        if layout == Layout.TAR:
            with tarfile.open(fileobj=file, mode="w|") as shard:
                yield _Tar(shard)
        else:
            with pq.ParquetWriter(file, _Parquet.SCHEMA) as table:
                rows = _Parquet(table)
                yield rows
                rows.flush()


def shard_name(layout: Layout, chunk: Chunk) -> str:
    """That of the shard it is made of, or of the chunk."""
    stem = chunk.id if chunk.kind == Kind.FILES else chunk.stems[0]
    return f"{stem}.{layout}"


def remove_unfinished(layout: Layout, output: str, parts: frozenset[str]) -> None:
    """Remove shards that were written, and whose run was killed before the manifest could tell of them."""
    if layout == Layout.FOLDER:
        return
    for name in names_in(output):
        stem, _, suffix = name.rpartition(".")
        if stem.startswith(PART) and suffix == layout and stem not in parts:
            remove(join(output, name))


class _Folder:
    def __init__(self, output: str, overwrite: bool) -> None:
        self._output, self._overwrite = output, overwrite

    def add(self, name: str, record: Record, data: bytes) -> None:
        assert record.target is not None
        write_new(join(self._output, record.target), data, self._overwrite)

    def add_other(self, name: str, data: bytes) -> None:
        """Not in a folder, which has pictures only."""


class _Tar:
    def __init__(self, shard: tarfile.TarFile) -> None:
        self._shard = shard

    def add(self, name: str, record: Record, data: bytes) -> None:
        self.add_other(name, data)

    def add_other(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)  # of no time and nobody: the same pictures are the same shard
        entry.size = len(data)
        self._shard.addfile(entry, io.BytesIO(data))


class _Parquet:
    SCHEMA = pa.schema([pa.field("data", pa.binary()), *SCHEMA])

    def __init__(self, table: Any) -> None:
        self._table, self._rows = table, list[dict[str, object]]()

    def add(self, name: str, record: Record, data: bytes) -> None:
        self._rows.append({"data": data, **asdict(record)})
        if len(self._rows) == ROWS:
            self.flush()

    def add_other(self, name: str, data: bytes) -> None:
        """Not in a table, which has pictures only."""

    def flush(self) -> None:
        if self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, self.SCHEMA))
            self._rows = []
