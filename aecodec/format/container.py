"""The file format of aecodec, version 1: media type image/x-aecodec, suffix .aec.

Numbers of several bytes are little endian. A varint is an unsigned LEB128 number: seven bits per byte, the lowest
first, the high bit set in every byte but the last. It has no more bytes than its value needs and is at most 2^31 - 1,
so it has one to five bytes. A CRC-32 is that of zlib, gzip and PNG.

    bytes    content
    -----    -------
    6        magic: 89 41 45 43 0D 0A
    1        version: 1
    1        flags
               bit 0      channels: 0 grey, 1 RGB
               bit 1      coding: 0 latents, 1 lossless
               bit 2      0 one picture, 1 a stack of pictures of one size
               bit 3      0 samples of 8 bits, 1 of 16 bits: only one picture, and lossless
               bits 4..7  reserved, zero
    1..5     width, a varint, at least 1
    1..5     height, a varint, at least 1
    1..5     only in a stack: number of pictures, a varint, at least 1
             only where the coding is latents:
    2          quality in hundredths, 100..10000
    16         model id: the first 16 bytes of the SHA-256 of the weights file
    4          CRC-32 of the decoded symbols; in a stack, of all of INDEX
             for each section:
    1          tag, 1..255
    1..5       length, a varint
    length     the section
    1        tag 0: end of the sections
    4        CRC-32 of all bytes before it

The file ends there. Tags ascend, so that each section occurs at most once:

    tag        section    content
    ---        -------    -------
    1          PAYLOAD    latents: the coded symbols; lossless: a complete PNG file of the picture's
                          size, or of all pictures of a stack below each other, or such a WebP file
                          of at most 2^25 pixels. Required
    2          ESCAPES    the symbols outside the model's tables; only where the coding is latents
    3          ALPHA      the alpha channel: a complete grey PNG file of the picture's size
    4          ICC        colour profile, verbatim
    5          EXIF       Exif metadata, verbatim
    6          XMP        XMP metadata, verbatim
    7          INDEX      where the chunks of a stack are, see below; required in a stack of latents,
                          and only there
    8          IPTC       IPTC metadata (IIM), verbatim
    9          CHUNKS     what else is said of the picture, as chunks of PNG, see below
    10         PATCHES    cells of the picture as they are, see below; only where the coding is latents
    11..127    critical   for later use; a reader that does not know one refuses the file
    128..255   ancillary  for later use; a reader that does not know one skips it

Sections 2 to 10 are left out where they are empty. Without ALPHA the picture is opaque. Where samples have 16 bits, the
files in PAYLOAD and ALPHA have twice the picture's height: the high bytes of all samples above their low bytes. The
model id names the model that the file was made with and has to be decoded with. What PAYLOAD, ESCAPES and the CRC-32
of the symbols mean is specified where they are made: aecodec/codec.py, aecodec/entropy/latents.py and
aecodec/entropy/range_coder.py.

A stack is coded in chunks of pictures, which are decoded by themselves. INDEX is the number of pictures in a chunk, a
varint of at least 1 (the last chunk may have fewer), then for each chunk the bytes that it has in PAYLOAD and in
ESCAPES, two varints, and the CRC-32 of its symbols. A chunk of more than one picture
has at most 2^17 pixels. A stack has no ALPHA.

CHUNKS are chunks as in PNG files but without their CRC-32: the length of the body in four bytes, big endian, the type
in four bytes, the body. The types are cICP, mDCV, cLLI, gAMA, cHRM, sRGB, pHYs, tIME, tEXt, zTXt and iTXt, with the
meaning that PNG gives them; pictures of other formats have here what they say of this kind. A reader passes over types
that it does not know.

PATCHES are cells of 16 x 16 pixels that take the place of what is decoded there. Cells are numbered row by row, and in
a stack picture by picture; those at the right and at the lower edge may reach beyond the picture. The section begins
with the number of runs of patches, a varint of at least 1, then for each run two varints: how many cells lie between it
and the run before it, at least 1 but for the first run, and how many patches it has, at least 1. The rest is a
complete PNG or lossless WebP file of the patches, row by row, 64 in each row but the last, whose rest means nothing; it
has fewer columns where there are fewer than 64 patches.

A reader refuses every file that breaks one of these rules. It looks at the version before anything that follows it,
and trusts no number before the last CRC-32 is found right: the magic shows damage by text conversions (a high bit,
CR LF), that CRC-32 any other damage, the one of the symbols a decoder that does not do what the encoder did.

Example: 300 x 200 pixels, RGB, latents, quality 60, a payload of three bytes 01 02 03 and no other section.

    89 41 45 43 0D 0A 01 01 AC 02 C8 01 70 17 A1 A2 A3 A4 A5 A6 A7 A8 A9 AA AB AC AD AE AF B0
    0D 0C 0B 0A 01 03 01 02 03 00 1F 09 97 91
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import IO

from aecodec.errors import ChecksumError, FormatError, PixelLimit, TruncatedError, UnsupportedVersion

MAGIC = b"\x89AEC\r\n"
VERSION = 1
MAX_VARINT = 2**31 - 1
VARINT_BYTES = 5
QUALITY_RANGE = (100, 10_000)  # hundredths
MODEL_ID_BYTES = 16
CRC_BYTES = 4
HEADER_BYTES = 45  # the longest: so much of a file is enough for parse_header
FIRST_ANCILLARY = 128

MAX_PIXELS = 178_956_970  # above it Pillow, too, takes a picture for a decompression bomb
CELL = 16  # pixels; pictures are processed in whole cells of 16 x 16
NEGLIGIBLE_PIXELS = 2**20  # padding up to here is no reason to refuse a picture

_FLAG_RGB, _FLAG_LOSSLESS, _FLAG_STACK, _FLAG_DEEP = 1, 2, 4, 8
_LATENTS_FIELDS = struct.Struct(f"<H{MODEL_ID_BYTES}sI")  # quality, model id, CRC-32 of the symbols
_TEXT_DAMAGE = {
    b"\x89AEC\n": "CR LF became LF",
    b"\x89AEC\r\r\n": "LF became CR LF",
    b"\x09AEC\r\n": "the high bits are lost",
    b"\xc2\x89AEC": "it was converted from Latin-1 to UTF-8",
    b"\xef\xbf\xbdAEC": "it was taken for UTF-8",
}


class Coding(IntEnum):
    """How the payload holds the pixels."""

    LATENTS = 0
    LOSSLESS = 1


class Tag(IntEnum):
    """The sections of a file, in their order; END comes last."""

    END = 0
    PAYLOAD = 1
    ESCAPES = 2
    ALPHA = 3
    ICC = 4
    EXIF = 5
    XMP = 6
    INDEX = 7
    IPTC = 8
    CHUNKS = 9
    PATCHES = 10


_KNOWN = frozenset(Tag)


@dataclass(frozen=True)
class Header:
    """What a file says about itself; quality, model id and checksum only where the coding is latents."""

    width: int
    height: int
    channels: int  # 1 or 3
    coding: Coding
    quality: int = 0  # hundredths
    model_id: bytes = b""
    symbols_crc: int = 0
    count: int | None = None  # of the pictures of a stack
    depth: int = 8  # bits a sample: 8 or 16


@dataclass(frozen=True)
class Contents:
    """All that a file holds. Empty metadata are the same as none: :func:`pack` leaves them out."""

    header: Header
    payload: bytes
    escapes: bytes = b""
    alpha: bytes | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    index: bytes | None = None
    iptc: bytes | None = None
    chunks: bytes | None = None
    patches: bytes | None = None

    @property
    def coded_bytes(self) -> int:
        """How many bytes the pixels take."""
        return len(self.payload) + len(self.escapes) + len(self.patches or b"")


@dataclass(frozen=True)
class Outline:
    """The header of a file, and by its tag where each section starts and how many bytes it has."""

    header: Header
    sections: Mapping[int, tuple[int, int]]


def pack(contents: Contents) -> bytes:
    """Write a file. Raises ValueError for contents that the format cannot hold."""
    header = contents.header
    bodies: dict[int, bytes | None] = {
        Tag.PAYLOAD: contents.payload,
        Tag.ESCAPES: contents.escapes,
        Tag.ALPHA: contents.alpha,
        Tag.ICC: contents.icc,
        Tag.EXIF: contents.exif,
        Tag.XMP: contents.xmp,
        Tag.INDEX: contents.index,
        Tag.IPTC: contents.iptc,
        Tag.CHUNKS: contents.chunks,
        Tag.PATCHES: contents.patches,
    }
    sections = {tag: body or b"" for tag, body in bodies.items() if body or tag == Tag.PAYLOAD}
    _validate_header(header, ValueError)
    _validate_sections(header, sections, ValueError)
    flags = _FLAG_RGB * (header.channels == 3) | _FLAG_LOSSLESS * (header.coding == Coding.LOSSLESS)
    flags |= _FLAG_STACK * (header.count is not None) | _FLAG_DEEP * (header.depth == 16)

    data = bytearray(MAGIC)
    data += bytes([VERSION, flags])
    data += varint(header.width)
    data += varint(header.height)
    if header.count is not None:
        data += varint(header.count)
    if header.coding == Coding.LATENTS:
        data += _LATENTS_FIELDS.pack(header.quality, header.model_id, header.symbols_crc)
    for tag, body in sections.items():
        data.append(tag)
        data += varint(len(body))
        data += body
    data.append(Tag.END)
    data += zlib.crc32(data).to_bytes(CRC_BYTES, "little")
    return bytes(data)


def parse(data: bytes, max_pixels: int | None = MAX_PIXELS) -> Contents:
    """Read a file and verify all of it. Raises a child of FormatError, or LimitError: see :func:`check_pixels`."""
    reader = _open(data)
    try:
        header = _read_header(reader)
        sections = _read_sections(reader)
        _validate_sections(header, sections, FormatError)
    except FormatError as error:  # in a damaged file any rule may be broken, and the damage is the cause
        if isinstance(error, TruncatedError) or intact(data):
            raise
        raise ChecksumError(f"the file is damaged: its checksum is wrong ({error})") from error

    end = reader.position
    stored, computed = reader.integer(CRC_BYTES, "the checksum"), zlib.crc32(memoryview(data)[:end])
    if stored != computed:
        raise ChecksumError(f"the file is damaged: its checksum is {stored:08x}, that of its bytes {computed:08x}")
    if reader.remaining:
        raise FormatError(f"{reader.remaining} bytes follow the end of the file, which is at byte {reader.position}")
    check_pixels(header.width, header.height, max_pixels, header.count)
    return Contents(
        header,
        payload=sections[Tag.PAYLOAD],
        escapes=sections.get(Tag.ESCAPES, b""),
        alpha=sections.get(Tag.ALPHA),
        icc=sections.get(Tag.ICC),
        exif=sections.get(Tag.EXIF),
        xmp=sections.get(Tag.XMP),
        index=sections.get(Tag.INDEX),
        iptc=sections.get(Tag.IPTC),
        chunks=sections.get(Tag.CHUNKS),
        patches=sections.get(Tag.PATCHES),
    )


def parse_header(data: bytes) -> Header:
    """Read the head of a file, of which HEADER_BYTES are enough. Verifies neither a checksum nor the pixel limit."""
    return _read_header(_open(data))


def section_sizes(data: bytes) -> dict[int, int]:
    """Bytes of each section by its tag, unknown ones included. Verifies no checksum: see :func:`intact`."""
    reader = _open(data)
    _read_header(reader)
    return {tag: len(body) for tag, body in _read_sections(reader).items()}


def read_outline(file: IO[bytes]) -> Outline:
    """Where everything is in a file, of which only headers are read. Verifies no checksum. Raises FormatError."""
    start = file.tell()
    head = file.read(HEADER_BYTES)
    size = file.seek(0, os.SEEK_END) - start
    reader = _open(head)
    header = _read_header(reader)
    position, sections = reader.position, dict[int, tuple[int, int]]()
    while True:
        file.seek(start + position)
        reader = Reader(file.read(1 + VARINT_BYTES))
        tag = reader.integer(1, "the next section")
        if not tag:
            break
        length = reader.varint(f"the length of {_name(tag)}")
        position += reader.position
        if tag <= max(sections, default=0) or position + length > size:
            raise TruncatedError(
                f"the file is truncated or damaged: {_name(tag)} at byte {position} has {length} bytes"
            )
        sections[tag] = start + position, length
        position += length
    if position + 1 + CRC_BYTES > size:
        raise TruncatedError(f"the file is truncated: its last section ends at byte {position} of {size}")
    return Outline(header, sections)


def intact(data: bytes) -> bool:
    """Whether the checksum at the end of a file is right."""
    return data[-CRC_BYTES:] == zlib.crc32(memoryview(data)[:-CRC_BYTES]).to_bytes(CRC_BYTES, "little")


def check_pixels(width: int, height: int, max_pixels: int | None, count: int | None = None) -> None:
    """Raise LimitError for a picture, or a stack of ``count``, of more than ``max_pixels``; None is no limit.

    Work is done on whole cells, which make 16 x 100000000 pixels of a picture of 1 x 100000000. So the limit is also
    one of the pixels in whole cells, unless these are so few (NEGLIGIBLE_PIXELS) that they cannot matter.
    """
    if max_pixels is None:
        return
    pixels = width * height * (count or 1)
    padded = (-(-width // CELL) * CELL) * (-(-height // CELL) * CELL) * (count or 1)
    what = "a picture" if count is None else f"a stack of {count} pictures"
    if pixels > max_pixels or padded > max(max_pixels, NEGLIGIBLE_PIXELS):
        raise PixelLimit(
            f"{what} of {width} x {height} pixels needs a limit of {padded} pixels (it is processed in cells of "
            f"{CELL} x {CELL}), the limit in force, max_pixels, is {max_pixels}"
        )


def _validate_header(header: Header, error: type[Exception]) -> None:
    """The rules of the header, for writer and reader alike."""
    for name, size in (("width", header.width), ("height", header.height)):
        if not 1 <= size <= MAX_VARINT:
            raise error(f"{name} {size} is not within 1..{MAX_VARINT}")
    if header.count is not None and not 1 <= header.count <= MAX_VARINT:
        raise error(f"{header.count} pictures, not within 1..{MAX_VARINT}")
    if header.channels not in (1, 3):
        raise error(f"{header.channels} channels, neither 1 nor 3")
    if header.depth not in (8, 16):
        raise error(f"{header.depth} bits a sample, neither 8 nor 16")
    if header.depth == 16 and (header.coding != Coding.LOSSLESS or header.count is not None):
        raise error("16 bits a sample are only for single pictures without loss")
    if header.coding == Coding.LOSSLESS:
        if header.quality or header.model_id or header.symbols_crc:
            raise error("lossless coding has no quality, model or symbols")
        return
    low, high = QUALITY_RANGE
    if not low <= header.quality <= high:
        raise error(f"quality {header.quality} is not within {low}..{high} (hundredths)")
    if len(header.model_id) != MODEL_ID_BYTES:
        raise error(f"model id of {len(header.model_id)} bytes, not {MODEL_ID_BYTES}")
    if not 0 <= header.symbols_crc < 2**32:
        raise error(f"checksum of the symbols {header.symbols_crc} is not within 32 bits")


def _validate_sections(header: Header, sections: Mapping[int, bytes], error: type[Exception]) -> None:
    """The rules of the sections, for writer and reader alike."""
    if Tag.PAYLOAD not in sections:
        raise error(f"{_name(Tag.PAYLOAD)} is missing")
    for of_latents in (Tag.ESCAPES, Tag.PATCHES):
        if of_latents in sections and header.coding == Coding.LOSSLESS:
            raise error(f"{_name(of_latents)} in a lossless file")
    if (Tag.INDEX in sections) != (header.count is not None and header.coding == Coding.LATENTS):
        raise error(f"{_name(Tag.INDEX)} belongs to stacks of latents, and only there")
    if Tag.ALPHA in sections and header.count is not None:
        raise error(f"{_name(Tag.ALPHA)} in a stack")
    for tag, body in sections.items():
        if tag not in _KNOWN and tag < FIRST_ANCILLARY:
            raise UnsupportedVersion(f"unknown critical section {tag}: the file needs a later aecodec")
        if not body and tag in _KNOWN and tag != Tag.PAYLOAD:
            raise error(f"{_name(tag)} is empty")
        if len(body) > MAX_VARINT:
            raise error(f"{_name(tag)} has {len(body)} bytes, more than {MAX_VARINT}")


class Reader:
    """Takes bytes from the front of a file or section, and says what was wanted where they do not suffice."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def remaining(self) -> int:
        """How many bytes have not been taken yet."""
        return len(self.data) - self.position

    def take(self, count: int, what: str) -> bytes:
        """The next bytes. Raises TruncatedError."""
        if count > self.remaining:
            raise TruncatedError(
                f"the file is truncated or damaged: {what} at byte {self.position} needs {count} bytes, "
                f"{self.remaining} are left"
            )
        self.position += count
        return self.data[self.position - count : self.position]

    def integer(self, count: int, what: str) -> int:
        """The next bytes as a little-endian number."""
        return int.from_bytes(self.take(count, what), "little")

    def varint(self, what: str) -> int:
        """The next number that :func:`varint` has written. Raises FormatError and TruncatedError."""
        value = 0
        for index in range(VARINT_BYTES):
            byte = self.integer(1, what)
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if (byte == 0 and index) or value > MAX_VARINT:
                    break
                return value
        raise FormatError(f"{what} before byte {self.position} is longer than its value needs or above {MAX_VARINT}")


def varint(value: int) -> bytes:
    """A number 0..MAX_VARINT as the format has it."""
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _open(data: bytes) -> Reader:
    """A reader of what follows the version."""
    if not data.startswith(MAGIC):
        if MAGIC.startswith(data):
            raise TruncatedError(f"the file is truncated: it has {len(data)} bytes" if data else "the file is empty")
        for damaged, cause in _TEXT_DAMAGE.items():
            if data.startswith(damaged):
                raise FormatError(f"damaged by a transfer or conversion as text: {cause}")
        raise FormatError(f"not an aecodec file: it starts with {data[: len(MAGIC)].hex(' ')}, not {MAGIC.hex(' ')}")
    reader = Reader(data, len(MAGIC))
    version = reader.integer(1, "the version")
    if version != VERSION:
        raise UnsupportedVersion(
            f"format version {version}, only {VERSION} is known: made by a later aecodec or damaged"
        )
    return reader


def _read_header(reader: Reader) -> Header:
    flags = reader.integer(1, "the flags")
    if flags & ~(_FLAG_RGB | _FLAG_LOSSLESS | _FLAG_STACK | _FLAG_DEEP):
        raise FormatError(f"reserved bits are set in the flags {flags:08b}")
    width = reader.varint("the width")
    height = reader.varint("the height")
    count = reader.varint("the number of pictures") if flags & _FLAG_STACK else None
    channels = 3 if flags & _FLAG_RGB else 1
    depth = 16 if flags & _FLAG_DEEP else 8
    if flags & _FLAG_LOSSLESS:
        header = Header(width, height, channels, Coding.LOSSLESS, count=count, depth=depth)
    else:
        quality, model_id, crc = _LATENTS_FIELDS.unpack(reader.take(_LATENTS_FIELDS.size, "the header"))
        header = Header(width, height, channels, Coding.LATENTS, quality, model_id, crc, count, depth)
    _validate_header(header, FormatError)
    return header


def _read_sections(reader: Reader) -> dict[int, bytes]:
    """All sections up to the end tag, unknown ones included."""
    sections: dict[int, bytes] = {}
    last = 0
    while tag := reader.integer(1, "the next section"):
        if tag <= last:  # tested at once: it also bounds the number of sections
            raise FormatError(f"{_name(tag)} follows {_name(last)}: repeated or out of order")
        sections[tag] = reader.take(reader.varint(f"the length of {_name(tag)}"), _name(tag))
        last = tag
    return sections


def _name(tag: int) -> str:
    return f"section {tag} ({Tag(tag).name})" if tag in _KNOWN else f"section {tag}"
