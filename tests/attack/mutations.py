"""Hostile files, made of sound ones: what they hold is changed where it has structure, and checksums are made right.

Each kind of file is taken apart, changed in one place or a few, and put together again, so that the change gets past
the checksums to the code behind them. The same seed makes the same file.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from aecodec.codec import load_codec
from aecodec.format.container import MAGIC, VERSION, Contents, parse, varint
from aecodec.stack import encode_stack
from tests.conftest import TINY
from tests.golden.make import pictures, stack

Random = np.random.Generator
Body = dict[int, bytes]

VALUES = (0, 1, 2, 3, 7, 8, 15, 16, 17, 127, 128, 255, 256, 4095, 2**15 - 1, 2**15, 2**16, 2**24, 2**31 - 1)
TAGS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 127, 128, 255)
GOLDEN = TINY.parent


def changed(random: Random, data: bytes) -> bytes:
    """Bytes with a few of them set, flipped, left out, doubled, cut off or added."""
    body = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(0, len(body) + 1))
        match int(random.integers(0, 7)):
            case 0:
                body[at : at + 1] = random.bytes(1)
            case 1 if at < len(body):
                body[at] ^= 1 << int(random.integers(0, 8))
            case 2:
                del body[at : at + int(random.integers(1, 9))]
            case 3:
                body[at:at] = body[at : at + int(random.integers(1, 33))]
            case 4:
                del body[at:]
            case 5:
                body[at:at] = random.bytes(int(random.integers(1, 9)))
            case _:
                body[at : at + 4] = struct.pack("<I", int(random.choice(VALUES)))
    return bytes(body)


# Single files and stacks.


@dataclass(frozen=True)
class Parts:
    """A file of ours taken apart."""

    flags: int
    sizes: tuple[int, ...]  # width, height, number of pictures
    fields: bytes  # quality, model id and checksum
    sections: Body

    def sealed(self) -> bytes:
        """The file, with its checksum."""
        data = bytearray(MAGIC) + bytes([VERSION, self.flags]) + b"".join(map(varint, self.sizes)) + self.fields
        for tag, body in self.sections.items():
            data += bytes([tag]) + varint(len(body)) + body
        data.append(0)
        return bytes(data + zlib.crc32(data).to_bytes(4, "little"))


def taken_apart(data: bytes) -> Parts:
    """The parts of a sound file."""
    contents = parse(data)
    header = contents.header
    flags = (header.channels == 3) | 2 * header.coding | 4 * (header.count is not None) | 8 * (header.depth == 16)
    sizes = (header.width, header.height) + (() if header.count is None else (header.count,))
    fields = b"" if header.coding else struct.pack("<H16sI", header.quality, header.model_id, header.symbols_crc)
    return Parts(int(flags), sizes, fields, _sections(contents))


def _sections(c: Contents) -> Body:
    bodies: tuple[bytes | None, ...] = (
        c.payload,
        c.escapes,
        c.alpha,
        c.icc,
        c.exif,
        c.xmp,
        c.index,
        c.iptc,
        c.chunks,
        c.patches,
    )
    return {tag: body or b"" for tag, body in enumerate(bodies, start=1) if body or tag == 1}


@cache
def singles() -> tuple[Parts, ...]:
    """Of every kind: by a model and without loss, grey, with alpha, metadata, escapes and patches, 16 bits deep."""
    tiny = load_codec(TINY)
    deep = np.random.default_rng(0).integers(0, 2**16, (9, 11, 3), np.uint16)
    files = [tiny.encode_picture(picture, 60) for picture in pictures().values()]
    files += [tiny.encode_picture(pictures()[name], lossless=True) for name in ("grey", "alpha", "noise")]
    files.append(tiny.encode(deep, lossless=True))
    files.append(tiny.encode(_chart(), 100))
    return tuple(map(taken_apart, files))


def _chart() -> npt.NDArray[np.uint8]:
    squares = np.random.default_rng(1).integers(0, 2, (6, 6, 3))
    return (np.kron(squares, np.ones((9, 9, 1))) * 255).astype(np.uint8)


@cache
def stacks() -> tuple[Parts, ...]:
    """Of one chunk and of several, grey and colour, with patches, and without loss."""
    tiny, noise = load_codec(TINY), np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)
    several = np.tile(stack()[:, :, :, 0], (1, 9, 9))[:, :300, :400]
    files = [encode_stack(stack(), 60, tiny), encode_stack(noise, 60, tiny), encode_stack(several, 20, tiny)]
    files += [encode_stack(stack(), lossless=True), encode_stack(noise, 90, tiny, fallback=False)]
    return tuple(map(taken_apart, files))


def mutated(random: Random, sound: tuple[Parts, ...]) -> tuple[bytes, Parts | None]:
    """A hostile file; and where only coded bytes differ, whose checksum it keeps, the sound file that it is made of."""
    parts = sound[int(random.integers(len(sound)))]
    flags, sizes, fields, sections = parts.flags, list(parts.sizes), parts.fields, dict(parts.sections)
    comparable = False
    match int(random.integers(0, 9)):
        case 0:
            flags ^= 1 << int(random.integers(0, 8))
        case 1:
            sizes[int(random.integers(len(sizes)))] = int(random.choice(VALUES))
        case 2:
            fields = changed(random, fields)
        case 3:
            sections.pop(int(random.choice([*sections])), None)
        case 4:
            sections[int(random.choice(TAGS))] = random.bytes(int(random.integers(0, 40)))
            sections = dict(sorted(sections.items()) if random.random() < 0.8 else sections.items())
        case 5:
            other = sound[int(random.integers(len(sound)))]
            tag = int(random.choice([*other.sections]))
            sections = dict(sorted((sections | {tag: other.sections[tag]}).items()))
        case 6:
            tag = int(random.choice([*sections]))
            sections[tag] = with_checksums(changed(random, sections[tag]))
        case 7 if 7 in sections:
            sections[7] = changed(random, sections[7])
            fields = fields[:-4] + zlib.crc32(sections[7]).to_bytes(4, "little")
        case _:
            tag = 2 if 2 in sections and random.random() < 0.5 else 1
            sections[tag] = changed(random, sections[tag])
            comparable = bool(fields) and tag in parts.sections
    data = Parts(flags, tuple(sizes), fields, sections).sealed()
    if random.random() < 0.05:
        return changed(random, data), None  # now and then with a checksum that is wrong
    return data, parts if comparable else None


def with_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have the checksums of what is in them now; other data as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    result, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        result += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return bytes(result + data[at:])
