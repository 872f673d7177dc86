"""Pillow's modes -> 8-bit grey or RGB, with alpha or without. What would lose something on the way is refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile
from PIL.PngImagePlugin import PngImageFile

from aecodec.errors import ImageError
from aecodec.pictures import deep

_SIXTEEN_BITS = "16 bits a sample; convert it to 8 bits first, for example with: magick IN -depth 8 OUT"
_REFUSED = {
    "CMYK": "CMYK, whose colours depend on its profile; convert it to RGB first",
    "YCbCr": "YCbCr, whose conversion rounds; convert it to RGB first",
    "LAB": "L*a*b*, whose conversion rounds; convert it to RGB first",
    "HSV": "HSV, whose conversion rounds; convert it to RGB first",
    "F": "floating point; scale and convert it to 8 bits first",
}


def eight_bits(image: Image.Image, profile: bool) -> Image.Image:
    """The image, with a colour ``profile`` or not, in mode L, LA, RGB or RGBA.

    Raises ImageError where that would lose something.
    """
    mode = image.mode
    if mode in _REFUSED:
        raise ImageError(_REFUSED[mode])
    if mode.startswith("I"):
        return Image.fromarray(_narrow(np.asarray(image)))
    if mode in ("P", "PA"):
        return _without_palette(image, profile)
    if "transparency" in image.info and mode in ("1", "L", "RGB"):
        return _with_alpha(image)
    converted = {"1": "L", "RGBX": "RGB", "La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    if converted not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"mode {mode}; convert it to RGB first")
    return image if converted == mode else image.convert(converted)


def _narrow(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """8-bit values of integers that hold no more than 8 bits: 16 bits of two equal bytes, or just 0..255 in 32 bits."""
    wide = values.astype(np.int64)
    if values.dtype.itemsize > 2 and wide.min() >= 0 and wide.max() <= 255:
        return wide.astype(np.uint8)
    high = wide // 257
    if wide.min() >= 0 and wide.max() <= 65535 and np.array_equal(high * 257, wide):
        return high.astype(np.uint8)
    raise ImageError(_SIXTEEN_BITS)


def _without_palette(image: Image.Image, profile: bool) -> Image.Image:
    colour = image.convert("RGBA" if image.has_transparency_data else "RGB")
    array = np.asarray(colour)
    grey = (array[:, :, 0] == array[:, :, 1]).all() and (array[:, :, 1] == array[:, :, 2]).all()
    if grey and not profile:  # the profile of a palette is one of RGB
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 3 else array[:, :, [0, 3]])
    return colour


def _with_alpha(image: Image.Image) -> Image.Image:
    """The image with the one colour that its file calls transparent as an alpha channel."""
    rawmode = image.tile[0].args if isinstance(image, PngImageFile) and image.tile else None
    if rawmode in ("L;2", "L;4"):  # Pillow scales the pixels to 0..255, but not this colour
        transparent = image.info["transparency"] * (85 if rawmode == "L;2" else 17)
        image = image.copy()
        image.info["transparency"] = transparent
    return image.convert("RGBA" if image.mode == "RGB" else "LA")


def sixteen_bits(image: Image.Image, data: bytes) -> npt.NDArray[np.uint16] | None:
    """Samples (H, W), (H, W, 3) or (H, W, 4) of an image of 16 bits a sample, read from the file in ``data``, if any.

    None for one of 8 bits. Raises ImageError for other depths, and where Pillow cannot read them.
    """
    bits = _bits_a_sample(image, data) if data and isinstance(image, ImageFile.ImageFile) else 16
    if image.mode.startswith("I;16") and bits == 16 and "transparency" not in image.info:
        return np.asarray(image)
    if not data or not isinstance(image, ImageFile.ImageFile):
        return None
    colour = image.format in ("PNG", "TIFF") and image.mode in ("RGB", "RGBA") and "transparency" not in image.info
    if colour and bits == 16 and (samples := deep.read_colour(image, data)) is not None:
        return samples
    refuse_hidden_depth(image, data)
    return None


def refuse_hidden_depth(image: ImageFile.ImageFile, data: bytes) -> None:
    """Pillow opens many pictures of more than 8 bits a sample as 8-bit ones, without a word."""
    if _bits_a_sample(image, data) > 8 and (not image.mode.startswith(("F", "I")) or "transparency" in image.info):
        raise ImageError(_SIXTEEN_BITS if image.format != "AVIF" else _SIXTEEN_BITS.replace("16", "more than 8", 1))
    if image.format == "PPM" and image.mode == "I":  # scaled, so that 0..255 would not mean 8 bits
        raise ImageError(_SIXTEEN_BITS)


def _bits_a_sample(image: ImageFile.ImageFile, data: bytes) -> int:
    """As the file has them, where that can be more than the image's mode tells; else 8."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        return int(np.max(image.tag_v2.get(ExifTags.Base.BitsPerSample, 8)))  # type: ignore[attr-defined]
    if image.format == "JPEG2000":
        start = data.find(b"\xff\x4f\xff\x51")  # start of the code stream and its SIZ segment
        components = int.from_bytes(data[start + 40 : start + 42], "big")
        return 1 + max((bits & 0x7F for bits in data[start + 42 : start + 42 + 3 * components : 3]), default=0)
    if image.format == "AVIF":
        return 10 if data[data.find(b"av1C") + 6] & 0x40 else 8
    if image.format == "PPM":
        args = image.tile[0].args
        return 16 if isinstance(args, tuple) and isinstance(args[1], int) and args[1] > 255 else 8
    return 16 if any(";16" in str(tile.args) and "BGR;16" not in str(tile.args) for tile in image.tile) else 8
