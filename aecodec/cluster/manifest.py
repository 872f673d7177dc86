"""What became of every input: a folder of Parquet files beside the results, one for each chunk that is finished.

The part of a chunk is written last of all. So what it says is there is there, and a chunk without one is not finished.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aecodec.cluster.inputs import PART, SHARD, Chunk, Kind, ahead
from aecodec.cluster.storage import exists, join, names_in, new_object, open_system, read, remove
from aecodec.errors import OutputError

FOLDER = "_manifest"  # readers of Parquet folders pass over names that begin like this
SETTINGS = "_settings.json"
DIGEST_BYTES = 12
PARTS_AHEAD = 16  # read at a time


@dataclass(frozen=True)
class Record:
    """One input. ``target`` is where the result is, below the output; None, with an ``error``, where there is none."""

    name: str
    source: str
    target: str | None = None
    error: str | None = None
    width: int | None = None
    height: int | None = None
    pictures: int | None = None
    model: str | None = None
    quality: float | None = None
    source_bytes: int | None = None
    bytes: int | None = None
    psnr: float | None = None


_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
SCHEMA = pa.schema([(field.name, _TYPES[str(field.type).removesuffix(" | None")]) for field in fields(Record)])


class Manifest:
    """The manifest of an output folder."""

    def __init__(self, output: str) -> None:
        self.folder = join(output, FOLDER)

    def begin(self, identity: dict[str, object], anew: bool) -> None:
        """Note down what the results depend on. Raises OutputError where an earlier run was told something else.

        ``anew`` forgets that run.
        """
        place = join(self.folder, SETTINGS)
        text = json.dumps(identity, indent=2, sort_keys=True).encode()
        if anew:
            system, folder = open_system(self.folder)
            if system.exists(folder):
                system.rm(folder, recursive=True)
        elif exists(place):
            if read(place) != text:
                raise OutputError(
                    f"{place}: another run was told other options; go on with those, choose another output, "
                    "or begin anew with -f"
                )
            return
        with new_object(place) as file:
            file.write(text)

    def write(self, chunk: Chunk, records: Sequence[Record]) -> None:
        """The part of a chunk. Raises OutputError."""
        self._write(chunk.id, records)

    def read(self, chunk: Chunk) -> list[Record] | None:
        """What became of a chunk's inputs; None where it is not finished."""
        return self._records(chunk.id) if exists(self._part(chunk.id)) else None

    def finished(self) -> Finished:
        """All that need not be done again. Forgets files that failed, which are tried again."""
        parts, digests = set[str](), list[bytes]()
        names = [name.removesuffix(".parquet") for name in names_in(self.folder) if name.endswith(".parquet")]
        for part, records in zip(names, ahead(self._records, names, PARTS_AHEAD), strict=True):
            good = [record for record in records if record.error is None]
            if part.startswith(SHARD) or good:
                parts.add(part)
            if part.startswith(PART) and len(good) < len(records):
                self._write(part, good) if good else remove(self._part(part))
            digests += [_digest(record.name) for record in good]
        return Finished(frozenset(parts), np.sort(np.array(digests, f"S{2 * DIGEST_BYTES}")))

    def _part(self, name: str) -> str:
        return join(self.folder, f"{name}.parquet")

    def _write(self, part: str, records: Sequence[Record]) -> None:
        with new_object(self._part(part)) as file:
            pq.write_table(pa.Table.from_pylist([asdict(record) for record in records], SCHEMA), file)

    def _records(self, part: str) -> list[Record]:
        table = pq.read_table(pa.BufferReader(read(self._part(part))))
        return [Record(**row) for row in table.to_pylist()]


@dataclass(frozen=True)
class Finished:
    """What earlier runs have done: ``parts`` of shards, and a sorted array of digests of names, 24 bytes each."""

    parts: frozenset[str]
    names: Any

    def remaining(self, chunk: Chunk) -> Chunk | None:
        """What is left to do of a chunk. Files that failed are tried again; of a shard that is done, none are."""
        if chunk.kind != Kind.FILES:
            return None if chunk.id in self.parts else chunk
        left = [i for i, name in enumerate(chunk.names) if not self._has(name)]
        if not left:
            return None
        columns = (tuple(column[i] for i in left) for column in (chunk.addresses, chunk.names, chunk.stems))
        return Chunk(chunk.kind, *columns)

    def _has(self, name: str) -> bool:
        digest = _digest(name)
        place = int(np.searchsorted(self.names, digest))
        return place < len(self.names) and bytes(self.names[place]) == digest


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=DIGEST_BYTES).hexdigest().encode()
