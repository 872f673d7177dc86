"""Where the bytes to convert come from: files, standard input, or an archive; and where their models may be."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Protocol

from aecodec.errors import ImageError, LimitError
from aecodec.files import Attributes, attributes_of, folder_of_files
from aecodec.format.archive import Archive, opened
from aecodec.format.container import HEADER_BYTES, Header

STREAM = Path("-")
MAX_STREAM_BYTES = 2**32  # of what does not say how long it is
STEP = 2**20


class Sources(Protocol):
    """Reads what a command is to work on."""

    def head(self, source: Path) -> bytes:
        """As much of a source as the header of an .aec file can take. Raises ImageError."""
        ...

    def read(self, source: Path) -> bytes:
        """All of a source. Raises ImageError."""
        ...

    def attributes(self, source: Path) -> Attributes:
        """What a file made of a source gets from it."""
        ...

    def mode_of_folder(self, source: Path) -> int:
        """Permissions at most of a folder that is made for what is made of a source."""
        ...

    def models(self, source: Path, header: Header) -> Sequence[Path]:
        """Weights files to look among, beside the installed ones, for the model of a source with this header."""
        ...


class Files:
    """Files and standard input. What can be read only once, such as a pipe, is."""

    def __init__(self, models: Sequence[Path] = ()) -> None:
        self._given = models
        self._beside: dict[Path, list[Path]] = {}
        self._kept: dict[Path, bytes] = {}

    def head(self, source: Path) -> bytes:
        if os.path.isfile(source):
            return _read(source, HEADER_BYTES)
        self._kept[source] = self.read(source)
        return self._kept[source][:HEADER_BYTES]

    def read(self, source: Path) -> bytes:
        if source in self._kept:
            return self._kept.pop(source)
        return _read(source)

    def attributes(self, source: Path) -> Attributes:
        if source == STREAM:
            return Attributes()
        with _readable(source):
            return attributes_of(source)

    def mode_of_folder(self, source: Path) -> int:
        if not os.path.isfile(source):
            return 0o777
        with _readable(source):
            return stat.S_IMODE(source.parent.stat().st_mode)

    def models(self, source: Path, header: Header) -> Sequence[Path]:
        return [*self._given, *self.models_beside(source)]

    def models_beside(self, source: Path) -> Sequence[Path]:
        """Weights files in the folder of a source."""
        from aecodec.weights import weights_files  # NumPy

        if source == STREAM:
            return ()
        if source.parent not in self._beside:
            self._beside[source.parent] = weights_files(source.parent)
        return self._beside[source.parent]


class ArchiveFiles:
    """The entries of an archive, and the weights that were unpacked from it, by their ids."""

    def __init__(self, archive: Archive, unpacked: Mapping[str, Path], models: Sequence[Path]) -> None:
        self.archive = archive
        self._unpacked = unpacked
        self._files = Files(models)

    def head(self, source: Path) -> bytes:
        return self.archive.head(source)

    def read(self, source: Path) -> bytes:
        return self.archive.read(source)

    def attributes(self, source: Path) -> Attributes:
        """Those of the entry, which is open to nobody to whom the archive is closed."""
        whole, entry = self._files.attributes(self.archive.path), self.archive.attributes(source)
        return Attributes(whole.mode & entry.mode, entry.modified or whole.modified)

    def mode_of_folder(self, source: Path) -> int:
        return folder_of_files(self._files.attributes(self.archive.path).mode)

    def models(self, source: Path, header: Header) -> Sequence[Path]:
        unpacked = self._unpacked.get(header.model_id.hex())
        return [unpacked] if unpacked else self._files.models(self.archive.path, header)


@contextmanager
def archive_files(path: Path, models: Sequence[Path]) -> Iterator[ArchiveFiles]:
    """Open an archive for the time of the block; errors as :func:`opened`."""
    with opened(path) as archive, TemporaryDirectory(prefix="aecodec-") as folder:
        yield ArchiveFiles(archive, archive.unpack_weights(Path(folder)), models)


def _read(source: Path, most: int = -1) -> bytes:
    """The bytes of a source, or its first ones. Raises ImageError, and LimitError for a stream that does not end."""
    with _readable(source):
        if source == STREAM:
            return _read_stream(sys.stdin.buffer, "stdin")
        with source.open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(most)
            return _read_stream(file, source)


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImageError(f"{source}: cannot read ({error.strerror or error})") from error


def _read_stream(file: BinaryIO, name: object) -> bytes:
    data = bytearray()
    while part := file.read(STEP):
        data += part
        if len(data) > MAX_STREAM_BYTES:
            raise LimitError(f"{name}: more than {MAX_STREAM_BYTES} bytes")
    return bytes(data)
