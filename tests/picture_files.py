"""Pictures, and files of them as others may have made them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import ExifTags, Image, ImageCms

from aecodec.pictures.images import Picture, Pixels

COLOUR = np.ascontiguousarray(skimage.data.chelsea()[100:124, 120:151])  # (24, 31, 3)
GREY = np.ascontiguousarray(COLOUR[:, :, 1])
ALPHA = np.random.default_rng(7).integers(0, 256, GREY.shape, np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta><?xpacket end="w"?>'


def exif(orientation: int = 6) -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Artist] = "Ada"
    return tags.tobytes()


def file_of(image: Image.Image | npt.NDArray[Any], format: str = "PNG", **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, format, **options)
    return io.BytesIO(stream.getvalue())


def chunk(tag: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def png(width: int, height: int, depth: int, kind: int, rows: bytes, extra: bytes = b"") -> io.BytesIO:
    """A PNG file of rows with their filter bytes; kinds: 0 grey, 2 RGB, 4 grey and alpha, 6 RGB and alpha."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    body = header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + body)


def assert_same(picture: Picture, pixels: Pixels, alpha: Pixels | None = None) -> None:
    assert np.array_equal(picture.pixels, pixels)
    assert (picture.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(picture.alpha, alpha)  # type: ignore[arg-type]
