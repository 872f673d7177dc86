"""Stacks: many pictures of one size in one file, each for the price of its symbols alone.

A file of one picture spends some thirty bytes on saying what it is, more than a small picture needs. A stack says it
once. It is coded in chunks of pictures, each with an index entry, so that one picture is restored without decoding all
the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from aecodec.codec import Codec, CodedLatents, Pixels, codec_for, load_codec
from aecodec.encoding import Original, Refinement
from aecodec.errors import DecodeError, FormatError, ImageError
from aecodec.format.container import CRC_BYTES, MAX_PIXELS, Coding, Contents, Header, Reader, pack, parse, varint
from aecodec.frame import patches_of
from aecodec.inputs import Model, Source, named, read_source
from aecodec.options import DEFAULT_EFFORT, DEFAULT_MODEL, DEFAULT_QUALITY, Options, hundredths
from aecodec.patches import Cells, pack_patches
from aecodec.pictures.lossless import decode_lossless, encode_lossless, lossless_may_be_smaller
from aecodec.progress import Listener, Stage
from aecodec.untraced import untraced

CHUNK_PIXELS = 2**17  # at least one picture; more would save little, and make one picture slow to get at


@dataclass(frozen=True)
class Chunk:
    """Pictures ``start .. stop - 1`` and their bytes."""

    start: int
    stop: int
    coded: CodedLatents


@dataclass(frozen=True)
class Manner:
    """How chunks are coded: the quality in hundredths, steps of refinement, and whether the model is doubted."""

    quality_field: int
    steps: int
    fallback: bool


@untraced
def encode_stack(
    pictures: Pixels,
    /,
    quality: float | None = None,
    model: Model | Codec = DEFAULT_MODEL,
    *,
    lossless: bool = False,
    effort: int = DEFAULT_EFFORT,
    fallback: bool = True,
    progress: Listener | None = None,
) -> bytes:
    """Compress pictures (N, H, W) grey or (N, H, W, 3) RGB, uint8; the options as for single pictures.

    Never larger than their lossless coding, which takes its place then, unless ``fallback`` is False.
    Raises ImageError for other arrays, ValueError for qualities outside 1..100 and efforts outside 0..9, ModelError.
    """
    Options(quality, lossless=lossless, effort=effort)
    pictures = _checked(pictures)
    count, height, width = pictures.shape[:3]
    channels = 1 if pictures.ndim == 3 else 3
    column = pictures.reshape(count * height, *pictures.shape[2:])
    if lossless:
        plain = Header(width, height, channels, Coding.LOSSLESS, count=count)
        return pack(Contents(plain, encode_lossless(column, effort)))
    codec = model if isinstance(model, Codec) else load_codec(model)
    quality_field = hundredths(DEFAULT_QUALITY if quality is None else quality)
    manner = Manner(quality_field, codec.steps(effort), fallback)
    size, chunks, cells = chunk_size(width, height), list[Chunk](), list[Cells]()
    done = Stage.of(progress).counter(-(-count // size))
    for start in range(0, count, size):
        latents, stored = _encode_chunk(codec, pictures[start : start + size], manner)
        done()
        chunks.append(Chunk(start, min(count, start + size), latents))
        cells.append(stored)
    index = _pack_index(size, chunks)
    header = Header(width, height, channels, Coding.LATENTS, quality_field, codec.id, zlib.crc32(index), count)
    payload, escapes = (b"".join(getattr(c.coded, part) for c in chunks) for part in ("payload", "escapes"))
    coded = Contents(header, payload, escapes, index=index, patches=pack_patches(pictures, np.concatenate(cells)))
    if fallback and lossless_may_be_smaller(column, coded.coded_bytes):
        plain = replace(header, coding=Coding.LOSSLESS, quality=0, model_id=b"", symbols_crc=0)
        smaller = Contents(plain, encode_lossless(column))
        if len(pack(smaller)) <= len(pack(coded)):
            coded = smaller
    return pack(coded)


@untraced
def decode_stack(
    data: Source,
    /,
    picture: int | None = None,
    models: Model | Iterable[Model] = (),
    max_pixels: int | None = MAX_PIXELS,
    *,
    progress: Listener | None = None,
) -> Pixels:
    """The pictures (N, H, W[, 3]) of a stack, or only number ``picture`` (H, W[, 3]), for which one chunk is decoded.

    ``data`` is the bytes of a file or its path. Raises a child of AecError for what is not an intact stack whose model
    is at hand; ImageError for a picture that it does not have.
    """
    with named(data):
        return _decode(parse(read_source(data), max_pixels), picture, models, Stage.of(progress))


def _decode(contents: Contents, picture: int | None, models: Model | Iterable[Model], stage: Stage) -> Pixels:
    header = contents.header
    if header.count is None:
        raise FormatError("a single picture, not a stack")
    if picture is not None and not 0 <= picture < header.count:
        raise ImageError(f"no picture {picture} in a stack of {header.count}, counted from 0")
    if header.coding == Coding.LOSSLESS:
        rows = header.height * header.count
        column = decode_lossless(contents.payload, header.width, rows, header.channels)
        pictures = column.reshape(header.count, header.height, *column.shape[1:])
        return np.asarray(pictures if picture is None else pictures[picture])
    chunks = list(parse_index(contents))
    codec, patches, done = codec_for(header, models), patches_of(contents), stage.counter(len(chunks))

    def decode(chunk: Chunk) -> Pixels:
        pixels = _decode_chunk(codec, chunk, header)
        patches.put(pixels, chunk.start)
        done()
        return pixels

    if picture is not None:
        chunk = next(c for c in chunks if c.start <= picture < c.stop)
        return np.asarray(decode(chunk)[picture - chunk.start])
    return np.concatenate([decode(chunk) for chunk in chunks])


def chunk_size(width: int, height: int) -> int:
    """Pictures of this size in a chunk."""
    return max(1, CHUNK_PIXELS // (width * height))


def _checked(pictures: Pixels) -> Pixels:
    pictures = np.asarray(pictures)
    shaped = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[3] in (1, 3))
    if pictures.dtype != np.uint8 or not shaped or not pictures.size:
        raise ImageError(
            f"an array of {pictures.dtype} and shape {pictures.shape}; a stack is (N, H, W) or (N, H, W, 3) of uint8"
        )
    return pictures[..., 0] if pictures.ndim == 4 and pictures.shape[3] == 1 else pictures


def _encode_chunk(codec: Codec, pictures: Pixels, manner: Manner) -> tuple[CodedLatents, Cells]:
    """Coded latents, and the cells that are stored as they are."""
    version = Original(codec, pictures, manner.fallback).at(manner.quality_field)
    refinement = Refinement(version.pixels, manner.steps) if manner.steps else None
    return codec.write_latents(version.y, manner.quality_field, refinement), version.cells


def _decode_chunk(codec: Codec, chunk: Chunk, header: Header) -> Pixels:
    return codec.synthesise(codec.read_latents(chunk.coded, chunk.stop - chunk.start, header), header)


def _pack_index(size: int, chunks: list[Chunk]) -> bytes:
    index = varint(size)
    for chunk in chunks:
        coded = chunk.coded
        index += varint(len(coded.payload)) + varint(len(coded.escapes)) + coded.crc.to_bytes(CRC_BYTES, "little")
    return index


def parse_index(contents: Contents) -> Iterator[Chunk]:
    """The inverse of :func:`_pack_index`. Raises FormatError where it does not fit the file."""
    header, index = contents.header, contents.index or b""
    if zlib.crc32(index) != header.symbols_crc:
        raise DecodeError("the index of the stack is not the one that was written")
    reader = Reader(index)
    size, most = reader.varint("the size of a chunk"), chunk_size(header.width, header.height)
    if not 1 <= size <= most:
        raise FormatError(f"chunks of {size} pictures, not within 1..{most}")
    payload, escapes = Reader(contents.payload), Reader(contents.escapes)
    assert header.count is not None
    for start in range(0, header.count, size):
        sizes = reader.varint("the length of a chunk"), reader.varint("the length of a chunk's escapes")
        crc = reader.integer(CRC_BYTES, "the checksum of a chunk")
        coded = CodedLatents(payload.take(sizes[0], "a chunk"), escapes.take(sizes[1], "a chunk's escapes"), crc)
        yield Chunk(start, min(header.count, start + size), coded)
    if reader.remaining or payload.remaining or escapes.remaining:
        raise FormatError("the index of the stack does not cover its chunks")
