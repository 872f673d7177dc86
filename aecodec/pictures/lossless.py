"""Pixels <-> the PNG and lossless WebP files inside .aec files: alpha channels, and pictures stored without loss.

Such a file may come from anyone, and is not opened like a picture of the user's: nothing but these two formats is
tried, and its size and mode must be those of the header around it, the size before any pixel is decoded.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from aecodec.errors import AecError, FormatError
from aecodec.options import DEFAULT_EFFORT
from aecodec.pictures.chunks import PNG_SIGNATURE, is_complete_png
from aecodec.pictures.picture import Pixels

SMALL_PICTURE = 128 * 128  # pixels; up to here lossless coding is always tried
DRAWING = 6  # bits per pixel of the estimate; photographs have more
STRIP = 8  # rows of each sample of a larger picture

WEBP_MAX_SIDE = 16383
WEBP_MAX_PIXELS = 2**25  # its lossless coder takes about 30 bytes of memory per pixel


def encode_plane(plane: Pixels) -> bytes:
    """A plane (H, W) as a PNG file."""
    return _save(plane, "PNG", optimize=True)


def decode_plane(data: bytes, width: int, height: int) -> Pixels:
    """The inverse of :func:`encode_plane`. Raises FormatError where it is not a grey PNG of this size."""
    if not data.startswith(PNG_SIGNATURE):
        raise FormatError("stored alpha is no PNG")
    return _restore(data, width, height, "L")


def lossless_may_be_smaller(pixels: Pixels, size: int) -> bool:
    """Whether trying the lossless coding is worth its time: cheaply estimated on strips of larger pictures."""
    height, width = pixels.shape[:2]
    if height * width <= SMALL_PICTURE:
        return True
    if width < STRIP:
        return lossless_may_be_smaller(pixels.swapaxes(0, 1), size)
    rows = np.arange(0, max(1, height - STRIP), max(128, height // 8))[:, None] + np.arange(min(STRIP, height))
    strips = pixels[rows.ravel()].astype(np.int16)
    residual = np.diff(strips, axis=1).astype(np.uint8)
    estimate = len(zlib.compress(residual.tobytes(), 1)) * height / rows.size
    # Lossless WebP takes less than this estimate, by up to a factor of about 6 where it is low, as of drawings; of
    # photographs by 2, of pictures with a palette by 3.
    factor = 8 if 8 * estimate < DRAWING * height * width else 4
    return bool(estimate < factor * size)


def encode_lossless(pixels: Pixels, effort: int = DEFAULT_EFFORT) -> bytes:
    """Pixels (H, W) or (H, W, 3) as a complete PNG or lossless WebP file, the smaller of the two.

    Pictures that are too large for WebP, or would take too much memory, become PNG. ``effort`` 0..9 is the time that
    WebP may take.
    """
    coded = _save(pixels, "PNG", optimize=True)
    height, width = pixels.shape[:2]
    if max(height, width) > WEBP_MAX_SIDE or height * width > WEBP_MAX_PIXELS:
        return coded
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return min(coded, _save(colour, "WEBP", lossless=True, exact=True, **_webp_effort(effort)), key=len)


def decode_lossless(data: bytes, width: int, height: int, channels: int) -> Pixels:
    """The inverse of :func:`encode_lossless`. Raises FormatError where it is not such a file of this size."""
    return _restore(data, width, height, "L" if channels == 1 else "RGB")


def _webp_effort(effort: int) -> dict[str, int]:
    if effort <= 1:
        return {"quality": 80, "method": 4}
    return {"quality": 100, "method": 6 if effort >= 5 else 5}


def _save(pixels: Pixels, format: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def _restore(data: bytes, width: int, height: int, mode: str) -> Pixels:
    """Decode a PNG or lossless WebP file, whose size is read from its first bytes before anything is allocated."""
    stored = _stored_size(data)
    if stored != (width, height):
        raise FormatError(f"stored picture of {stored[0]} x {stored[1]}, the header says {width} x {height}")
    if not data.startswith(PNG_SIGNATURE) and width * height > WEBP_MAX_PIXELS:
        raise FormatError(f"stored WebP of {width} x {height} pixels, more than {WEBP_MAX_PIXELS}")
    try:
        if data.startswith(PNG_SIGNATURE) and not is_complete_png(data):  # which Pillow can be told not to mind
            raise FormatError("stored picture is cut or damaged")
        with (PngImageFile if data.startswith(PNG_SIGNATURE) else WebPImageFile)(io.BytesIO(data)) as image:
            if image.mode != mode and not (isinstance(image, WebPImageFile) and image.mode == "RGB"):
                raise FormatError(f"stored picture of mode {image.mode}, the header says {mode}")
            array = np.array(image, np.uint8)
    except (AecError, MemoryError):
        raise
    except Exception as error:  # damage makes Pillow's readers fail in every way there is
        raise FormatError(f"stored picture does not decode ({error or type(error).__name__})") from error
    return array if array.ndim == 2 or mode == "RGB" else np.ascontiguousarray(array[:, :, 0])


def _stored_size(data: bytes) -> tuple[int, int]:
    """(width, height) of an 8-bit PNG or a lossless WebP file."""
    if data.startswith(PNG_SIGNATURE) and data[12:16] == b"IHDR" and data[24:25] == b"\x08":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"RIFF") and data[8:16] == b"WEBPVP8L" and data[20:21] == b"/" and len(data) > 24:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise FormatError("stored picture is neither a PNG of 8 bits nor a lossless WebP")
