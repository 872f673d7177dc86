"""Archives: a ZIP file of .aec files, with the weights of their model inside where these pay (aecodec/payoff.py).

Any program can take an archive apart, and make one. Pictures are the entries with the suffix .aec, weights those below
``models/``, whose names end in their ids; what else there is, is passed over. aecodec writes entries stored: coded
pictures do not become smaller. It reads deflated ones, too, because other programs write them. An archive may come
from anyone: all of its table of contents is checked before any entry is read, and one bad entry makes it a bad archive.
"""

from __future__ import annotations

import re
import stat
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from aecodec.errors import AecError, ChecksumError, FormatError, ImageError, LimitError, ModelError, TruncatedError
from aecodec.files import Attributes, write_atomically
from aecodec.format.container import HEADER_BYTES, MODEL_ID_BYTES, parse_header
from aecodec.networks.config import MAX_WEIGHTS_BYTES

SUFFIX = ".zip"
PICTURE_SUFFIX = ".aec"
START = b"PK\x03\x04"
MODE = 0o644  # of files that other programs unpack, at most
MAX_NAME_BYTES = 1024  # of an entry; longer ones could not be restored everywhere
PLAUSIBLE_RATIO = 100  # of deflating what is compressed already: an alpha channel of one value may reach that,
ALWAYS_PLAUSIBLE = 2**26  # and more, but is small then

_MODELS = "models/"
_WEIGHTS = re.compile(r"models/(?P<name>.*)-(?P<id>[0-9a-f]{" + str(2 * MODEL_ID_BYTES) + r"})\.safetensors")
_OF_OTHER_PROGRAMS = "__MACOSX/"  # shadows of files, with their suffixes
_ENCRYPTED = 0x1
_NO_DATE = (1980, 1, 1, 0, 0, 0)  # the first that there is
_LAST_YEAR = 2107
_DAMAGE = (BadZipFile, EOFError, zlib.error, struct.error, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class EmbeddedWeights:
    """A weights file in an archive."""

    entry: str
    name: str
    id: str  # hexadecimal
    bytes: int


class ArchiveWriter:
    """Writes an archive. The same pictures give the same bytes: nothing in it is of the time when it is made."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = ZipFile(file, "w", ZIP_STORED)

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, entry: str, data: bytes, attributes: Attributes | None = None) -> None:
        """Store an entry. Raises FormatError where no reader would take the name, and OSError."""
        check_name(entry)
        attributes = attributes or Attributes()
        info = ZipInfo(entry, _date(attributes.modified))
        info.external_attr = (stat.S_IFREG | attributes.mode & MODE) << 16
        self._zip.writestr(info, data)


class Archive:
    """An archive that is open for reading, and whose table of contents is sound.

    Its entries are called as if it were a folder: ``cells.zip/deep/one.aec``.
    """

    def __init__(self, path: Path, file: ZipFile, infos: Sequence[ZipInfo]) -> None:
        self.path = path
        self._zip = file
        self._infos = _checked(infos, path.stat().st_size)
        self.pictures = [path / entry for entry in self._infos if entry.lower().endswith(PICTURE_SUFFIX)]
        self.weights = [self._embedded(entry) for entry in self._infos if _is_weights(entry)]
        if not self.pictures:
            raise FormatError("a ZIP archive without .aec files")

    def size(self, entry: Path) -> int:
        """Of an entry, in bytes."""
        return self._info(entry).file_size

    def read(self, entry: Path, most: int | None = None) -> bytes:
        """An entry, or its first bytes. Raises ChecksumError for damage."""
        info = self._info(entry)
        size = info.file_size if most is None else min(most, info.file_size)
        try:
            with self._zip.open(info) as stream:
                return stream.read(size)  # never more than was declared and checked
        except OSError as error:
            raise ImageError(f"{entry}: cannot read ({error.strerror or error})") from error
        except _DAMAGE as error:
            raise ChecksumError(f"{entry}: damaged in the archive ({error or 'it ends too early'})") from error

    def head(self, entry: Path) -> bytes:
        """So much of an entry as its header can take."""
        return self.read(entry, HEADER_BYTES)

    def attributes(self, entry: Path) -> Attributes:
        """The time of an entry, and its permissions where it has some."""
        info = self._info(entry)
        mode = info.external_attr >> 16 & 0o666
        return Attributes(mode | stat.S_IRUSR | stat.S_IWUSR if mode else 0o666, _seconds(info.date_time))

    def unpack_weights(self, folder: Path) -> dict[str, Path]:
        """Write the weights that pictures need into a folder; where they are there, by their ids.

        Raises ModelError for what is not what its name says, and LimitError where it is more than one weights file
        may be, all together.
        """
        used = {self._model_of(entry) for entry in self.pictures} if self.weights else set()
        needed = {weights.id: weights for weights in self.weights if weights.id in used}
        size = sum(weights.bytes for weights in needed.values())
        if size > MAX_WEIGHTS_BYTES:
            raise LimitError(f"{self.path}: weights of {size} bytes; {MAX_WEIGHTS_BYTES} bytes in all are the limit")
        return {identity: self._unpack(weights, folder) for identity, weights in needed.items()}

    def _model_of(self, entry: Path) -> str:
        """The id of the model of an entry; empty where there is none, or no telling."""
        try:
            return parse_header(self.head(entry)).model_id.hex()
        except AecError:
            return ""

    def _info(self, entry: Path) -> ZipInfo:
        return self._infos[entry.relative_to(self.path).as_posix()]

    def _unpack(self, one: EmbeddedWeights, folder: Path) -> Path:
        from aecodec.weights import identify, load_weights  # NumPy

        name = self.path / one.entry
        data = self.read(name)
        identity = identify(data).hex()
        if identity != one.id:
            raise ModelError(f"{name}: changed since it was made: the id of these weights is {identity}")
        path = folder / f"{one.id}.safetensors"
        write_atomically(path, data)
        try:
            load_weights(path)  # now, so that what is wrong is said of the archive and not of a temporary file
        except ModelError as error:
            raise ModelError(str(error).replace(str(path), str(name))) from error
        return path

    def _embedded(self, entry: str) -> EmbeddedWeights:
        match, size = _WEIGHTS.fullmatch(entry), self._infos[entry].file_size
        if match is None:
            raise ModelError(f"{entry}: weights in an archive are named {_MODELS}NAME-ID.safetensors")
        if size > MAX_WEIGHTS_BYTES:
            raise LimitError(f"{entry}: {size} bytes, larger than any weights file ({MAX_WEIGHTS_BYTES} bytes)")
        return EmbeddedWeights(entry, match["name"], match["id"], size)


def is_archive(path: Path) -> bool:
    """Whether a file has the name or the first bytes of a ZIP file."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return path.suffix.lower() == SUFFIX or file.read(len(START)) == START
    except OSError:  # whoever reads it will say so
        return False


def is_foreign(path: Path) -> bool:
    """Whether a file is a sound ZIP archive of other things."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        with ZipFile(path) as file:
            return not any(entry.lower().endswith(PICTURE_SUFFIX) for entry in file.namelist())
    except (OSError, *_DAMAGE):
        return False


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive. Raises FormatError, LimitError, ModelError or ImageError where that is not safe or possible."""
    try:
        file = ZipFile(path)
    except OSError as error:
        raise ImageError(f"{path}: cannot read ({error.strerror or error})") from error
    except _DAMAGE as error:
        raise _reason(path, error) from error
    with file:
        try:
            archive = Archive(path, file, file.infolist())
        except AecError as error:
            raise type(error)(f"{path}: {error}") from error
        yield archive


def weights_entry(name: str, identity: bytes) -> str:
    """The entry of a model's weights."""
    return f"{_MODELS}{re.sub(r'[^A-Za-z0-9_.]+', '-', name).strip('-.') or 'model'}-{identity.hex()}.safetensors"


def check_name(entry: str) -> None:
    """Raise FormatError for a name that would lead out of the folder that an archive is restored to, on any system."""
    windows = PureWindowsPath(entry)
    if not entry or "\0" in entry or entry.startswith("/") or windows.anchor or ".." in windows.parts:
        raise FormatError(f"the entry {entry!r} has no safe place below a folder")
    try:
        size = len(entry.encode())
    except UnicodeEncodeError as error:
        raise FormatError(f"the entry {entry!r} has a name that is not text") from error
    if size > MAX_NAME_BYTES:
        raise FormatError(f"the entry {entry[:60]!r}... has a name of {size} bytes; {MAX_NAME_BYTES} are the limit")


def _checked(infos: Sequence[ZipInfo], size: int) -> dict[str, ZipInfo]:
    """The files among entries, by their normalised names. Raises FormatError and LimitError."""
    files: dict[str, ZipInfo] = {}
    for info in infos:
        check_name(info.filename)
        if info.is_dir() or info.filename.startswith(_OF_OTHER_PROGRAMS):
            continue
        entry = PurePosixPath(info.filename).as_posix()
        if files.setdefault(entry, info) is not info:
            raise FormatError(f"two entries are called {entry!r}")
        _check_sizes(entry, info)
    if sum(info.compress_size for info in files.values()) > size:
        raise LimitError("the entries claim more bytes than the archive has")
    return files


def _check_sizes(entry: str, info: ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise FormatError(f"{entry}: encrypted; unpack it with another program")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise FormatError(f"{entry}: compressed with method {info.compress_type}; known are 0, stored, and 8, deflated")
    if info.compress_type == ZIP_STORED and info.file_size != info.compress_size:
        raise FormatError(f"{entry}: stored, but of two sizes")
    if info.file_size > max(ALWAYS_PLAUSIBLE, PLAUSIBLE_RATIO * info.compress_size):
        raise LimitError(f"{entry}: {info.compress_size} bytes that claim to become {info.file_size}")


def _date(modified: float | None) -> tuple[int, int, int, int, int, int]:
    """A time as ZIP files have it: local, from 1980 to 2107."""
    if modified is None:
        return _NO_DATE
    date = time.localtime(modified)[:6]
    return date if _NO_DATE[0] <= date[0] <= _LAST_YEAR else _NO_DATE


def _seconds(date: tuple[int, int, int, int, int, int]) -> float | None:
    """The inverse of :func:`_date`; None also for what is no date."""
    try:
        return None if date == _NO_DATE else time.mktime((*date, 0, 0, -1))
    except (OverflowError, ValueError):
        return None


def _is_weights(entry: str) -> bool:
    return entry.startswith(_MODELS) and entry.endswith(".safetensors")


def _reason(path: Path, error: Exception) -> FormatError:
    """What to say of a file that Python does not take for a ZIP file."""
    with path.open("rb") as file:
        start = file.read(len(START))
    if not start:
        return TruncatedError(f"{path}: the file is empty")
    if start != START:
        return FormatError(f"{path}: not a ZIP archive")
    if "not a zip file" in str(error):
        return TruncatedError(f"{path}: the archive is truncated: its table of contents, at the end, is missing")
    return FormatError(f"{path}: damaged archive ({error})")
