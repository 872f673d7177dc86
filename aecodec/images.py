"""Pictures of any kind <-> arrays of 8-bit grey or RGB, with alpha and metadata beside them.

What would lose something on the way is refused, with a word on what to do.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from aecodec.container import MAGIC, MAX_PIXELS, check_pixels
from aecodec.errors import AecError, FormatError, ImageError, OutputError

Pixels = npt.NDArray[np.uint8]

WEBP_MAX_SIDE = 16383
_SIGNATURES = {PngImageFile: b"\x89PNG\r\n\x1a\n", WebPImageFile: b"RIFF"}
_XMP_OF_PNG = "XML:com.adobe.xmp"
_SIXTEEN_BITS = "16 bits a sample; convert it to 8 bits first"
_REFUSED = {
    "CMYK": "CMYK, whose colours depend on its profile; convert it to RGB first",
    "YCbCr": "YCbCr, whose conversion rounds; convert it to RGB first",
    "LAB": "L*a*b*, whose conversion rounds; convert it to RGB first",
    "HSV": "HSV, whose conversion rounds; convert it to RGB first",
    "F": "floating point; scale it to 8 bits first",
}


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W) grey or (H, W, 3) RGB, alpha (H, W), all uint8; metadata as the source had them."""

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Of the colour: 1 or 3."""
        return 1 if self.pixels.ndim == 2 else 3

    def without_metadata(self) -> Picture:
        """The same picture without colour profile, Exif and XMP."""
        return replace(self, icc=None, exif=None, xmp=None)


def from_array(array: npt.ArrayLike) -> Picture:
    """A picture of an array (H, W), (H, W, 1..4): grey, grey and alpha, RGB, RGB and alpha. Raises ImageError."""
    array = np.asarray(array)
    if array.dtype != np.uint8:
        raise ImageError(f"an array of {array.dtype}; pixels are uint8, 0..255: scale and convert it first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4) or array.size == 0:
        raise ImageError(f"an array of shape {array.shape}; a picture is (H, W) or (H, W, channels) with 1..4 channels")
    if array.ndim == 2:
        return Picture(np.ascontiguousarray(array))
    colours = array.shape[2] - 1 if array.shape[2] in (2, 4) else array.shape[2]
    pixels = array[:, :, 0] if colours == 1 else array[:, :, :3]
    alpha = np.ascontiguousarray(array[:, :, -1]) if array.shape[2] in (2, 4) else None
    return Picture(np.ascontiguousarray(pixels), alpha)


def to_array(picture: Picture) -> Pixels:
    """The inverse of :func:`from_array`: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if picture.alpha is None:
        return picture.pixels
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[:, :, None]
    return np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)


def from_pillow(image: Image.Image) -> Picture:
    """A picture of a Pillow image of any mode that loses nothing. Raises ImageError for the others."""
    if getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"animated or of several pages ({getattr(image, 'n_frames', 1)}); save them one by one first")
    icc, exif, xmp = (image.info.get(key) for key in ("icc_profile", "exif", "xmp"))
    xmp = xmp or image.info.get(_XMP_OF_PNG)
    image = _eight_bits(image)
    array = np.asarray(image, np.uint8)
    return replace(from_array(array), icc=_bytes(icc), exif=_bytes(exif), xmp=_bytes(xmp))


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA that carries the metadata along when it is saved."""
    image = Image.fromarray(to_array(picture))
    for key, value in (("icc_profile", picture.icc), ("exif", picture.exif), ("xmp", picture.xmp)):
        if value is not None:
            image.info[key] = value
    return image


def read(source: Path | BinaryIO, max_pixels: int | None = MAX_PIXELS) -> Picture:
    """Read a picture file. Raises ImageError or LimitError, naming the file where ``source`` is a path."""
    name = f"{source}: " if isinstance(source, Path) else ""
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.read()
    except OSError as error:
        raise ImageError(f"{name}cannot read ({error.strerror})") from error
    if data.startswith(MAGIC):
        raise ImageError(f"{name}already compressed by aecodec")
    try:
        with _open(data) as image:
            check_pixels(image.width, image.height, max_pixels)
            _refuse_hidden_depth(image, data)
            image.load()
            return from_pillow(image)
    except AecError as error:
        raise type(error)(f"{name}{error}") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}not a picture of a known format") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, MemoryError) as error:
        raise ImageError(f"{name}damaged or incomplete picture ({error})") from error


def write(picture: Picture, stream: BinaryIO, format: str) -> None:
    """Write a picture in a format of Pillow ("PNG", "JPEG", ...) with its metadata. Raises ImageError."""
    if picture.alpha is not None and format in ("JPEG", "MPO", "PPM", "PCX"):
        raise ImageError(f"{format} cannot hold the alpha channel; choose PNG or WebP")
    image = to_pillow(picture)
    metadata = {key: image.info[key] for key in ("icc_profile", "exif", "xmp") if key in image.info}
    try:
        image.save(stream, format, **metadata)
    except (KeyError, ValueError, TypeError) as error:
        raise ImageError(f"cannot be written as {format} ({error})") from error
    except OSError as error:
        if error.errno is None:  # Pillow's own complaint about the picture, not the system's about the disk
            raise ImageError(f"cannot be written as {format} ({error})") from error
        raise OutputError(f"cannot write ({error.strerror})") from error


def encode_plane(plane: Pixels) -> bytes:
    """A plane (H, W) as a PNG."""
    return _save(plane, "PNG", optimize=True)


def decode_plane(data: bytes, width: int, height: int) -> Pixels:
    """The inverse of :func:`encode_plane`. Raises FormatError where it is not a grey PNG of this size."""
    return _restore(data, (PngImageFile,), width, height, "L")


def encode_lossless(pixels: Pixels) -> bytes:
    """Pixels (H, W) or (H, W, 3) as a complete PNG or lossless WebP file, the smaller of the two."""
    coded = _save(pixels, "PNG", optimize=True)
    if max(pixels.shape[:2]) > WEBP_MAX_SIDE:
        return coded
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return min(coded, _save(colour, "WEBP", lossless=True, quality=80, method=4, exact=True), key=len)


def decode_lossless(data: bytes, width: int, height: int, channels: int) -> Pixels:
    """The inverse of :func:`encode_lossless`. Raises FormatError where it is not such a file of this size."""
    return _restore(data, (PngImageFile, WebPImageFile), width, height, "L" if channels == 1 else "RGB")


def _save(pixels: Pixels, format: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def _restore(data: bytes, kinds: Sequence[type[ImageFile.ImageFile]], width: int, height: int, mode: str) -> Pixels:
    """Decode with one of Pillow's file classes, which look at the size in the header before anything is allocated."""
    kind = next((k for k in kinds if data.startswith(_SIGNATURES[k])), None)
    if kind is None:
        raise FormatError("stored picture is neither PNG nor WebP" if len(kinds) > 1 else "stored picture is no PNG")
    try:
        with kind(io.BytesIO(data)) as image:
            if image.size != (width, height):
                raise FormatError(f"stored picture of {image.size}, the header says {(width, height)}")
            grey_as_colour = kind is WebPImageFile and mode == "L" and image.mode == "RGB"
            if image.mode != mode and not grey_as_colour:
                raise FormatError(f"stored picture of mode {image.mode}, the header says {mode}")
            array = np.array(image, np.uint8)
            return np.ascontiguousarray(array[:, :, 0]) if grey_as_colour else array
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error) as error:
        raise FormatError(f"stored picture does not decode ({error})") from error


_OPENING = threading.Lock()


def _open(data: bytes) -> ImageFile.ImageFile:
    """Pillow's lazy image of a file, whatever its size: the limit of pixels is ours to check, not Pillow's."""
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) and value else None


def _refuse_hidden_depth(image: Image.Image, data: bytes) -> None:
    """Pillow opens colour PNG and TIFF pictures of 16 bits a sample as 8-bit ones, without a word."""
    if image.format == "PNG" and data[24] == 16 and image.mode in ("RGB", "RGBA", "LA", "L"):
        raise ImageError(_SIXTEEN_BITS)
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        if image.mode in ("RGB", "RGBA", "LA", "RGBX") and max(np.atleast_1d(bits)) > 8:
            raise ImageError(_SIXTEEN_BITS)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in mode L, LA, RGB or RGBA. Raises ImageError where that would lose something."""
    mode = image.mode
    if mode in _REFUSED:
        raise ImageError(_REFUSED[mode])
    if mode.startswith("I"):
        return Image.fromarray(_narrow(np.asarray(image)))
    if mode in ("P", "PA"):
        return _without_palette(image)
    if "transparency" in image.info and mode in ("1", "L", "RGB"):
        return image.convert("RGBA" if mode == "RGB" else "LA")
    converted = {"1": "L", "RGBX": "RGB", "La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    if converted not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"mode {mode}; convert it to RGB first")
    return image if converted == mode else image.convert(converted)


def _narrow(values: npt.NDArray[np.generic]) -> Pixels:
    """8-bit values of integers that hold no more than 8 bits: 0..255, or 16 bits of two equal bytes."""
    wide = values.astype(np.int64)
    if wide.min() >= 0 and wide.max() <= 255 and values.dtype != np.uint16:
        return wide.astype(np.uint8)
    high = wide // 257
    if wide.min() >= 0 and wide.max() <= 65535 and np.array_equal(high * 257, wide):
        return high.astype(np.uint8)
    raise ImageError(_SIXTEEN_BITS)


def _without_palette(image: Image.Image) -> Image.Image:
    has_alpha = image.mode == "PA" or "transparency" in image.info
    colour = image.convert("RGBA" if has_alpha else "RGB")
    array = np.asarray(colour)
    if (array[:, :, 0] == array[:, :, 1]).all() and (array[:, :, 1] == array[:, :, 2]).all():
        return Image.fromarray(array[:, :, [0, 3]] if has_alpha else array[:, :, 0])
    return colour


def format_of(suffix: str) -> str:
    """Pillow's name of the format with this suffix, which Pillow can write. Raises ImageError."""
    name = Image.registered_extensions().get(suffix.lower())
    if name is None or name not in Image.SAVE:
        raise ImageError(f"no picture format {suffix!r} that can be written; for example .png, .webp, .jpg, .tif")
    return name


def suffixes() -> set[str]:
    """Suffixes of the picture formats that can be read."""
    return {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
