"""The pictures that codecs are measured on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from aecodec.errors import AecError, ImageError
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.metrics import Pixels
from aecodec.folders import find_files
from aecodec.pictures import images
from aecodec.sampling import evenly

LOSSY = frozenset({"AVIF", "JPEG", "JPEG2000", "MPO", "WEBP"})  # formats that may have lost something already
RIFF_HEAD = 12  # bytes of a WebP file before its chunks


@dataclass(frozen=True)
class PictureRecord:
    """What a result says about a picture; ``lossy`` where its format may have lost something before."""

    name: str
    sha256: str
    width: int
    height: int
    channels: int
    bytes: int
    format: str
    lossy: bool

    @property
    def pixels(self) -> int:
        """How many pixels the picture has, its width times its height."""
        return self.width * self.height


@dataclass(frozen=True)
class Source:
    """A picture and its file."""

    path: Path
    picture: PictureRecord

    @property
    def name(self) -> str:
        """Its place in the folder, unique among the sources."""
        return self.picture.name

    def read(self) -> Pixels:
        """Its pixels, (H, W, 3), or (H, W) where it is grey; alpha is left out. Raises ImageError."""
        return images.read(self.path).pixels


def find_sources(folder: Path, limit: int | None = None) -> tuple[list[Source], list[str]]:
    """The pictures below a folder in the order of their names, and one line for each that cannot be read.

    With ``limit``, that many of them, evenly spread. Raises BenchError where there is none to measure.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder}: not a folder")
    kinds = images.suffixes() - {".aec"}
    found = find_files(folder, kinds)
    sources: list[Source] = []
    failures = found.unreadable
    for path in evenly(found.files, limit):
        try:
            sources.append(_describe(path, path.relative_to(folder).as_posix()))
        except (AecError, OSError) as error:
            failures.append(str(error))
    if not sources:
        first = f"; the first problem: {failures[0]}" if failures else ""
        raise BenchError(f"{folder}: no pictures that can be measured{first}")
    return sources, failures


def _describe(path: Path, name: str) -> Source:
    data = path.read_bytes()
    pixels = images.read(path).pixels
    try:
        with Image.open(path) as image:
            kind = image.format or "unknown"
    except OSError as error:
        raise ImageError(f"{path}: {error}") from error
    channels = 1 if pixels.ndim == 2 else 3
    digest = hashlib.sha256(data).hexdigest()
    lossy = kind in LOSSY and not (kind == "WEBP" and _is_lossless_webp(data))
    picture = PictureRecord(name, digest, pixels.shape[1], pixels.shape[0], channels, len(data), kind, lossy)
    return Source(path, picture)


def _is_lossless_webp(data: bytes) -> bool:
    """Whether the picture of a WebP file is in a chunk VP8L rather than VP8."""
    place = RIFF_HEAD
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        place += 8 + size + size % 2
    return False
