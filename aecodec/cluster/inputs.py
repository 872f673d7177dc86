"""From addresses to chunks of pictures, and from chunks to the pictures' bytes. Lists are never whole in memory."""

from __future__ import annotations

import tarfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, TypeVar

import fsspec

from aecodec.cluster.storage import FileSystem, is_address, open_system, read, reason, shown, whole_address
from aecodec.errors import ImageError

PART, SHARD = "part-", "shard-"  # how ids of chunks begin: those of files, and those of one shard
READ_AHEAD = 4  # files at a time
ROWS = 16  # of a Parquet file at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


class Kind(StrEnum):
    """What the addresses of a chunk are: files of one picture, or one file of many."""

    FILES = "files"
    TAR = "tar"  # as webdataset has them
    PARQUET = "parquet"


@dataclass(frozen=True)
class Chunk:
    """Work for one worker at a time: ``addresses``, the ``names`` of what is there, and those of results.

    Names begin below what the user named; ``stems`` lack a suffix.
    """

    kind: Kind
    addresses: tuple[str, ...]
    names: tuple[str, ...]
    stems: tuple[str, ...]

    @property
    def id(self) -> str:
        """The same for the same names, so that a chunk that is done again is written to the same place."""
        prefix = PART if self.kind == Kind.FILES else SHARD
        return prefix + blake2b("\0".join(self.names).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A picture's bytes, or why they cannot be had; ``other``: a file beside a picture in a shard, a label perhaps."""

    name: str
    stem: str
    source: str
    data: bytes
    error: str | None = None
    other: bool = False


def plan(sources: Sequence[str], recursive: bool, suffixes: Collection[str], size: int) -> Iterator[Chunk]:
    """Chunks of ``size`` picture files and of single shards, in an order that is the same for the same inputs.

    Raises ImageError for folders without ``recursive``.
    """
    files: list[_File] = []
    for found in chain.from_iterable(_listed(source, recursive) for source in sources):
        shards = [file for file in found if _suffix(file.name) in (".tar", ".parquet")]
        for file in shards:
            yield Chunk(Kind(_suffix(file.name)[1:]), (file.address,), (file.name,), (_stem(file.name),))
        files += _distinct([file for file in found if _suffix(file.name) in suffixes])
        while len(files) >= size:
            yield _of_files(files[:size])
            files = files[size:]
    if files:
        yield _of_files(files)


def entries(chunk: Chunk, suffixes: Collection[str]) -> Iterator[Entry]:
    """The pictures of a chunk, some of them read ahead. Raises what its file system does for a shard."""
    match chunk.kind:
        case Kind.FILES:
            yield from ahead(_read_file, list(zip(chunk.addresses, chunk.names, chunk.stems, strict=True)), READ_AHEAD)
        case Kind.TAR:
            yield from _of_tar(chunk.addresses[0], chunk.stems[0], suffixes)
        case Kind.PARQUET:
            yield from _of_parquet(chunk.addresses[0], chunk.stems[0])


def ahead(work: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """``map`` on threads that are at most ``count`` items ahead of who takes the results."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass(frozen=True)
class _File:
    address: str
    name: str
    stem: str


def _file(address: str, name: str) -> _File:
    return _File(address, name, _stem(name))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _stem(name: str) -> str:
    return name.removesuffix(PurePosixPath(name).suffix)


def _distinct(files: Sequence[_File]) -> list[_File]:
    """Those that differ in their suffix alone keep it."""
    count = Counter(file.stem for file in files)
    return [replace(file, stem=file.name) if count[file.stem] > 1 else file for file in files]


def _of_files(files: Sequence[_File]) -> Chunk:
    addresses, names, stems = zip(*((file.address, file.name, file.stem) for file in files), strict=True)
    return Chunk(Kind.FILES, addresses, names, stems)


def _listed(source: str, recursive: bool) -> Iterator[list[_File]]:
    """What a source stands for: a file, a folder, a glob or a list (.txt); a folder's files at a time."""
    if source.endswith(".txt"):
        with fsspec.open(source, "rt") as lines:
            yield from ([_file(line, _path_of(line))] for line in map(str.strip, lines) if line)
        return
    system, place = open_system(source)
    if any(letter in place for letter in "*?[") and not system.exists(place):
        root = place[: min(place.index(letter) for letter in "*?[" if letter in place)].rpartition("/")[0]
        yield [_file(whole_address(system, path), path[len(root) :].lstrip("/")) for path in sorted(system.glob(place))]
    elif not system.isdir(place):
        yield [_file(whole_address(system, place), PurePosixPath(_path_of(source)).name)]
    elif not recursive:
        raise ImageError(f"{shown(source)}: a folder; -r takes the files below it")
    else:
        below = len(place.rstrip("/"))
        for paths in _walk(system, place):
            yield [_file(whole_address(system, path), path[below:].lstrip("/")) for path in paths]


def _path_of(address: str) -> str:
    return (shown(address).partition("://")[2] if is_address(address) else address).lstrip("/")


def _walk(system: FileSystem, folder: str) -> Iterator[list[str]]:
    """Files below a folder, a folder's at a time; without what is hidden, and without our manifests."""
    entries = sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
    seen = [entry for entry in entries if not PurePosixPath(entry["name"]).name.startswith((".", "_"))]
    yield [entry["name"] for entry in seen if entry["type"] != "directory"]
    for entry in seen:
        if entry["type"] == "directory":
            yield from _walk(system, entry["name"])


def _read_file(file: tuple[str, str, str]) -> Entry:
    address, name, stem = file
    try:
        return Entry(name, stem, shown(address), read(address))
    except Exception as error:  # each file system has its own
        return Entry(name, stem, shown(address), b"", f"cannot read ({reason(error, address)})")


def _of_tar(address: str, stem: str, suffixes: Collection[str]) -> Iterator[Entry]:
    with fsspec.open(address, "rb") as file, tarfile.open(fileobj=file, mode="r|") as shard:
        for member in shard:
            if not member.isfile():
                continue
            opened = shard.extractfile(member)
            assert opened is not None
            name, other = f"{stem}/{member.name}", _suffix(member.name) not in suffixes
            yield Entry(name, _stem(name), f"{shown(address)}/{member.name}", opened.read(), other=other)


def _of_parquet(address: str, stem: str) -> Iterator[Entry]:
    """Of the first column of bytes, or of structures with bytes as Hugging Face has them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    with fsspec.open(address, "rb") as file:
        table = pq.ParquetFile(file)
        column, path_column = _columns(table.schema_arrow)
        for batch in table.iter_batches(ROWS, columns=[each for each in (column, path_column) if each]):
            for value, path in zip(
                batch.column(column).to_pylist(),
                batch.column(path_column).to_pylist() if path_column else [None] * len(batch),
                strict=True,
            ):
                if pa.types.is_struct(batch.schema.field(column).type):
                    path, value = path or value.get("path"), value["bytes"]
                name = f"{stem}/{path or f'{row:08d}'}"
                error = None if value is not None else "no bytes in this row"
                yield Entry(name, _stem(name), f"{shown(address)}/{row}", value or b"", error)
                row += 1


def _columns(schema: Any) -> tuple[str, str | None]:
    """The columns of the pictures' bytes and, where there is one, of their names. Raises ImageError."""
    import pyarrow as pa

    def holds_bytes(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return bool(kind.get_field_index("bytes") >= 0)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    names = [field.name for field in schema if holds_bytes(field.type)]
    if not names:
        raise ImageError("a Parquet file without a column of bytes")
    called = next((name for name in ("name", "path", "__key__") if schema.get_field_index(name) >= 0), None)
    return names[0], called
