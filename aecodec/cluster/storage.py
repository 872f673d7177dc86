"""Addresses: files, object stores and web servers by fsspec. What is written is whole or not there at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from aecodec.errors import OutputError
from aecodec.files import new_file

FileSystem = Any  # fsspec has no type hints


def is_address(text: str) -> bool:
    """Whether this is an address like ``s3://bucket/folder`` rather than a path."""
    return "://" in text


def open_system(address: str) -> tuple[FileSystem, str]:
    """The file system of an address or a path, and what it calls the place. Raises OutputError for unknown kinds."""
    try:
        system, place = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise OutputError(f"{shown(address)}: {error}") from error
    return system, place


def whole_address(system: FileSystem, place: str) -> str:
    """The inverse of :func:`open_system`; for a file, its absolute path."""
    return place if isinstance(system, LocalFileSystem) else str(system.unstrip_protocol(place))


def shown(address: str) -> str:
    """An address as it may be shown and kept: without a password or the signature of a request in it."""
    if not is_address(address):
        return address
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def reason(error: Exception, address: str) -> str:
    """What an error of a file system says, without what :func:`shown` leaves out."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).replace(address, shown(address))


def read(address: str) -> bytes:
    """All bytes of an object. Raises what its file system does."""
    system, place = open_system(address)
    data: bytes = system.cat_file(place)
    return data


def exists(address: str) -> bool:
    """Whether there is an object. Raises what its file system does."""
    system, place = open_system(address)
    return bool(system.exists(place))


def join(folder: str, name: str) -> str:
    """The address of what is called ``name``, with slashes, below a folder."""
    return f"{folder.rstrip('/')}/{name}"


@contextmanager
def new_object(address: str) -> Iterator[IO[bytes]]:
    """A file to write to, which becomes the object where the block ends without an error. Replaces an older one.

    Raises OutputError.
    """
    system, place = open_system(address)
    if isinstance(system, LocalFileSystem):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        with new_file(Path(place), True) as file:
            yield file
        return
    with tempfile.NamedTemporaryFile() as local:
        yield local
        local.flush()
        try:
            _put_whole(system, local.name, place)
        except Exception as error:  # each file system has its own
            raise OutputError(f"{shown(address)}: cannot write ({reason(error, address)})") from error


def write_new(address: str, data: bytes, overwrite: bool) -> None:
    """Write an object whole. Raises OutputError, also where there is another one already and ``overwrite`` is False.

    One that has the same bytes, from a run that was killed before it could note it down, is as good.
    """
    if not overwrite and exists(address):
        if read(address) != data:
            raise OutputError(f"{shown(address)}: exists already, with other contents; -f overwrites it")
        return
    with new_object(address) as file:
        file.write(data)


def remove(address: str) -> None:
    """Remove an object, where there is one."""
    system, place = open_system(address)
    with suppress(FileNotFoundError):
        system.rm_file(place)


def names_in(folder: str) -> list[str]:
    """Names of the objects directly in a folder; none where there is no such folder."""
    system, place = open_system(folder)
    try:
        entries = system.ls(place, detail=True)
    except FileNotFoundError:
        return []
    return [entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file"]


def _put_whole(system: FileSystem, local: str, place: str) -> None:
    """Object stores show an object when all of it is there; servers of files are given a rename."""
    protocols = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
    if protocols & {"s3", "gs", "gcs", "abfs", "az", "hf", "memory"}:
        system.put_file(local, place)
        return
    system.makedirs(place.rpartition("/")[0], exist_ok=True)
    system.put_file(local, f"{place}.part")
    system.mv(f"{place}.part", place)
