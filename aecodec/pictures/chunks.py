"""What is said of a picture in the terms of PNG: how its colours are meant, how dense it is, texts.

Files of aecodec keep it as chunks of PNG, whatever the format of the source was. Imports nothing heavy.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aecodec.errors import FormatError

COLOUR = (b"cICP", b"mDCV", b"cLLI", b"gAMA", b"cHRM", b"sRGB")
DENSITY = b"pHYs"
REMARKS = (b"tIME", b"tEXt", b"zTXt", b"iTXt")
KEPT = frozenset({*COLOUR, DENSITY, *REMARKS})

METRES_PER_INCH = 0.0254
INFO_KEY = "png_chunks"  # of the info of Pillow's images
IPTC_RESOURCE = 0x0404  # of Photoshop's
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")
_ANCILLARY = 0x20  # of the first letter of a type: it is a small one
_PER_METRE = 1  # the unit of pHYs; 0 is none, the two numbers are the shape of a pixel


@dataclass(frozen=True)
class Chunk:
    """A chunk of a PNG file: its type of four letters and its body."""

    type: bytes
    body: bytes


def serialise(chunks: Iterable[Chunk]) -> bytes:
    """As the section CHUNKS of a file has them."""
    return b"".join(_HEAD.pack(len(chunk.body), chunk.type) + chunk.body for chunk in chunks)


def parse_chunks(data: bytes) -> tuple[Chunk, ...]:
    """The inverse of :func:`serialise`; types that are not known are passed over. Raises FormatError."""
    chunks, position = [], 0
    while position < len(data):
        if len(data) - position < _HEAD.size:
            raise FormatError("the chunks of the picture's description end within a head")
        length, kind = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        if length > len(data) - position:
            raise FormatError(
                f"a chunk of the picture's description has {length} bytes, {len(data) - position} are left"
            )
        chunks.append(Chunk(kind, data[position : position + length]))
        position += length
    return tuple(chunk for chunk in chunks if chunk.type in KEPT)


def info_of(
    icc: bytes | None, exif: bytes | None, xmp: bytes | None, iptc: bytes | None, said: Sequence[Chunk]
) -> dict[str, Any]:
    """Metadata as Pillow's images have them."""
    if exif is not None and not exif.startswith(b"Exif\0\0"):  # WebP files do without it, Pillow's JPEG does not
        exif = b"Exif\0\0" + exif
    resources = None if iptc is None else {IPTC_RESOURCE: iptc}
    every = {"icc_profile": icc, "exif": exif, "xmp": xmp, "photoshop": resources, "dpi": density_of(said)}
    info: dict[str, Any] = {key: value for key, value in every.items() if value is not None}
    if said:
        info[INFO_KEY] = serialise(said)
    return info


def find(chunks: Iterable[Chunk], kind: bytes) -> bytes | None:
    """The body of the first chunk of a type."""
    return next((chunk.body for chunk in chunks if chunk.type == kind), None)


def density_of(chunks: Iterable[Chunk]) -> tuple[float, float] | None:
    """Pixels per inch, across and down; None where nothing is said, or only the shape of the pixels."""
    body = find(chunks, DENSITY)
    if body is None or len(body) != 9 or body[8] != _PER_METRE:
        return None
    across, down = struct.unpack(">II", body[:8])
    return (across * METRES_PER_INCH, down * METRES_PER_INCH) if across and down else None


def density_chunk(across: float, down: float) -> Chunk | None:
    """Of pixels per inch; None where these are no sensible numbers."""
    try:
        body = struct.pack(">IIB", *(round(float(n) / METRES_PER_INCH) for n in (across, down)), _PER_METRE)
    except (struct.error, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return Chunk(DENSITY, body) if across > 0 and down > 0 else None


def shape_chunk(across: int, down: int) -> Chunk:
    """Of pixels that are not square: so many across are as long as so many down."""
    return Chunk(DENSITY, struct.pack(">IIB", across, down, 0))


def turned(chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
    """Of a picture whose rows have become columns."""
    return tuple(
        Chunk(c.type, c.body[4:8] + c.body[:4] + c.body[8:]) if c.type == DENSITY and len(c.body) == 9 else c
        for c in chunks
    )


def text_chunk(keyword: str, text: str) -> Chunk:
    """A text under a keyword of 1..79 characters of Latin-1."""
    try:
        return Chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return Chunk(b"iTXt", keyword.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode())


def keyword_of(chunk: Chunk) -> str:
    """Of a text; for others the type."""
    return chunk.body.partition(b"\0")[0].decode("latin-1") if chunk.type.endswith(b"Xt") else chunk.type.decode()


def text_of(chunk: Chunk, limit: int) -> str | None:
    """The text of a tEXt, zTXt or iTXt chunk; None where it is damaged or longer than ``limit`` bytes."""
    _, _, rest = chunk.body.partition(b"\0")
    try:
        if chunk.type == b"tEXt":
            return rest.decode("latin-1")
        if chunk.type == b"zTXt":
            return inflate(rest[1:], limit).decode("latin-1")
        compressed, rest = rest[0], rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return (inflate(rest, limit) if compressed else rest).decode()
    except (ValueError, IndexError, zlib.error):
        return None


def inflate(data: bytes, limit: int) -> bytes:
    """Decompress at most ``limit`` bytes. Raises ValueError where there are more or the data are damaged."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, limit)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not stream.eof:
        raise ValueError(f"damaged, or of more than {limit} bytes")
    return inflated


def chunks_of_png(data: bytes) -> Iterator[Chunk]:
    """The ancillary chunks of a PNG file in their order, as far as they are whole and right."""
    position = len(PNG_SIGNATURE) if data.startswith(PNG_SIGNATURE) else len(data)
    while position + 12 <= len(data):
        length, kind = _HEAD.unpack_from(data, position)
        end = position + 8 + length
        crc = zlib.crc32(memoryview(data)[position + 4 : end]) if kind[0] & _ANCILLARY else None
        if crc is not None and data[end : end + 4] == crc.to_bytes(4, "big"):
            yield Chunk(kind, data[position + 8 : end])
        position = end + 4


def deflate(data: bytes) -> bytes:
    """Compress bytes by zlib, as PNG has them; the inverse of :func:`inflate`."""
    return zlib.compress(data, 9)


def png_of(chunks: Iterable[Chunk]) -> bytes:
    """A PNG file of all its chunks."""
    return PNG_SIGNATURE + b"".join(map(_with_crc, chunks))


def into_png(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """A PNG file with chunks inserted behind its first, IHDR."""
    end = len(PNG_SIGNATURE) + 25
    return data[:end] + b"".join(map(_with_crc, chunks)) + data[end:]


def _with_crc(chunk: Chunk) -> bytes:
    head = _HEAD.pack(len(chunk.body), chunk.type)
    return head + chunk.body + struct.pack(">I", zlib.crc32(chunk.type + chunk.body))


def without_descriptions(data: bytes) -> bytes:
    """A PNG file without its ancillary chunks but for those that its pixels or frames need.

    So that what is said of a picture, if large or damaged, cannot keep it from being read.
    """
    needed = {b"tRNS", b"acTL", b"fcTL", b"fdAT", b"sBIT"}
    kept, position = [data[: len(PNG_SIGNATURE)]], len(PNG_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = _HEAD.unpack_from(data, position)
        if not kind[0] & _ANCILLARY or kind in needed:
            kept.append(data[position : position + 12 + length])
        position += 12 + length
    return b"".join([*kept, data[position:]])


def is_complete_png(data: bytes) -> bool:
    """Whether a PNG file that is not interlaced has all its pixels, undamaged, and an end."""
    position, header, pixels, stream = len(PNG_SIGNATURE), b"", 0, zlib.decompressobj()
    while position + 12 <= len(data):
        length, kind = _HEAD.unpack_from(data, position)
        end = position + 8 + length
        if data[end : end + 4] != zlib.crc32(memoryview(data)[position + 4 : end]).to_bytes(4, "big"):
            return False
        if kind == b"IHDR":
            header = data[position + 8 : end]
        elif kind == b"IDAT":
            try:
                pixels += _inflated(stream, memoryview(data)[position + 8 : end])
            except zlib.error:
                return False
        elif kind == b"IEND":
            return len(header) == 13 and header[12] == 0 and stream.eof and pixels == _bytes_of_rows(header)
        position = end + 4
    return False


def _inflated(stream: zlib._Decompress, data: bytes | memoryview) -> int:
    """How many bytes a part of a stream becomes."""
    total, block = 0, 2**20
    while data:
        total += len(stream.decompress(data, block))
        data = stream.unconsumed_tail
    return total


def _bytes_of_rows(header: bytes) -> int:
    """Of all rows, each with its filter, by the header of a PNG file."""
    width, height, depth, kind = struct.unpack(">IIBB", header[:10])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 0)
    return int(height * (1 + (width * channels * depth + 7) // 8))
