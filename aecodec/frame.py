"""What a file of one picture holds beside its coded latents; and all of it, where the picture is coded without loss.

Samples of 16 bits are coded as pictures of twice the height: the high bytes above the low bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aecodec.format.container import CELL, Coding, Contents, Header
from aecodec.options import DEFAULT_EFFORT
from aecodec.patches import Patches, parse_patches
from aecodec.pictures import lossless
from aecodec.pictures.chunks import parse_chunks, serialise
from aecodec.pictures.images import Picture, Pixels, Samples


def frame_of(picture: Picture) -> Contents:
    """A file of this picture without its pixels."""
    return Contents(
        Header(picture.width, picture.height, picture.channels, Coding.LATENTS),
        b"",
        alpha=None if picture.alpha is None else lossless.encode_plane(_bytes_apart(picture.alpha)),
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
        iptc=picture.iptc,
        chunks=serialise(picture.chunks),
    )


def picture_of(contents: Contents, pixels: Samples) -> Picture:
    """The inverse of :func:`frame_of`, with the pixels that were decoded. Raises FormatError."""
    header, alpha = contents.header, None
    if contents.alpha is not None:
        alpha = lossless.decode_plane(contents.alpha, header.width, _rows(header))
        alpha = _bytes_together(alpha, header.depth)
    return Picture(
        pixels,
        alpha,
        contents.icc,
        contents.exif,
        contents.xmp,
        contents.iptc,
        parse_chunks(contents.chunks or b""),
    )


def patches_of(contents: Contents) -> Patches:
    """The cells of a file that its model could not show. Raises FormatError."""
    header = contents.header
    if not contents.patches:
        return Patches.none()
    cells = -(-header.width // CELL) * -(-header.height // CELL) * (header.count or 1)
    return parse_patches(contents.patches, cells, header.channels)


def encode_lossless(picture: Picture, effort: int = DEFAULT_EFFORT) -> Contents:
    """A file of this picture without loss."""
    frame = frame_of(picture)
    header = replace(frame.header, coding=Coding.LOSSLESS, depth=picture.depth)
    return replace(frame, header=header, payload=lossless.encode_lossless(_bytes_apart(picture.pixels), effort))


def decode_lossless(contents: Contents) -> Picture:
    """The inverse of :func:`encode_lossless`. Raises FormatError."""
    header = contents.header
    pixels = lossless.decode_lossless(contents.payload, header.width, _rows(header), header.channels)
    return picture_of(contents, _bytes_together(pixels, header.depth))


def _rows(header: Header) -> int:
    return header.height * header.depth // 8


def _bytes_apart(samples: Samples) -> Pixels:
    if samples.dtype == np.uint8:
        return samples
    return np.concatenate([samples >> 8, samples & 0xFF]).astype(np.uint8)


def _bytes_together(samples: Pixels, depth: int) -> Samples:
    """The inverse of :func:`_bytes_apart`."""
    if depth == 8:
        return samples
    high, low = np.split(samples.astype(np.uint16), 2)
    return np.asarray(high << 8 | low, np.uint16)
