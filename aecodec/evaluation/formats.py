"""The file formats that others use, each written and read by a library; arrays in and out."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image, features

from aecodec.evaluation.extra import optional, version
from aecodec.evaluation.metrics import Pixels, as_rgb

Options = Mapping[str, Any]


def _plain_quality(quality: float) -> Options:
    return {"quality": round(quality)}


@dataclass(frozen=True)
class Format:
    """How files are written and read, and the libraries that decide their bytes and pixels, the one called first.

    ``encode`` takes pixels (H, W, 3) or grey ones (H, W) and the library's options; ``quality`` makes an option of a
    quality setting, and ``threads`` names the option for their number, where there is one.
    """

    encode: Callable[..., bytes]
    decode: Callable[[bytes], Pixels]
    libraries: tuple[str, ...]
    quality: Callable[[float], Options] = _plain_quality
    threads: str = ""

    def versions(self) -> dict[str, str]:
        """Versions of the libraries that encode and decode, by the library's name."""
        return {library: _version(library) for library in self.libraries}


def save_file(pixels: Pixels, kind: str, **options: Any) -> bytes:
    """Bytes of a file by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def open_file(data: bytes) -> Pixels:
    """Pixels (H, W, 3) of a file by Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _save_jpeg2000(pixels: Pixels, **options: Any) -> bytes:
    return save_file(pixels, "JPEG2000", mct=int(pixels.ndim == 3), **options)  # off by default, at twice the bytes


def _tenths_of_decibels(quality: float) -> Options:
    return {"quality_mode": "dB", "quality_layers": [quality / 10]}


def _save_jpegli(pixels: Pixels, quality: int) -> bytes:
    height, width = pixels.shape[:2]
    return bytes(optional("pyjpegli").encode(as_rgb(pixels).tobytes(), width, height, quality))


def _save_jpeg_xl(pixels: Pixels, **options: Any) -> bytes:
    return bytes(optional("imagecodecs").jpegxl_encode(pixels, **options))


def _open_jpeg_xl(data: bytes) -> Pixels:
    return np.asarray(optional("imagecodecs").jpegxl_decode(data, numthreads=1))


def _jpeg_xl_distance(quality: float) -> Options:
    """The mapping of cjxl from its quality to a distance."""
    if quality >= 30:
        return {"distance": 0.1 + 0.09 * (100 - quality)}
    return {"distance": 53 / 3000 * quality**2 - 23 / 20 * quality + 25}


def _gzip(pixels: Pixels, level: int) -> bytes:
    return gzip.compress(save_file(pixels, "PPM"), level, mtime=0)


def _gunzip(data: bytes) -> Pixels:
    return open_file(gzip.decompress(data))


def _zstd(pixels: Pixels, level: int) -> bytes:
    return bytes(optional("zstandard").ZstdCompressor(level).compress(save_file(pixels, "PPM")))


def _unzstd(data: bytes) -> Pixels:
    return open_file(optional("zstandard").ZstdDecompressor().decompress(data))


JPEG = Format(partial(save_file, kind="JPEG"), open_file, ("Pillow", "libjpeg-turbo"))
JPEGLI = Format(_save_jpegli, open_file, ("pyjpegli", "Pillow", "libjpeg-turbo"))
JPEG_2000 = Format(_save_jpeg2000, open_file, ("Pillow", "OpenJPEG"), _tenths_of_decibels)
JPEG_XL = Format(_save_jpeg_xl, _open_jpeg_xl, ("imagecodecs", "libjxl"), _jpeg_xl_distance, "numthreads")
WEBP = Format(partial(save_file, kind="WEBP"), open_file, ("Pillow", "libwebp"))
AVIF = Format(partial(save_file, kind="AVIF"), open_file, ("Pillow", "libavif", "AV1"), threads="max_threads")
PNG = Format(partial(save_file, kind="PNG"), open_file, ("Pillow", "zlib"))
GZIP = Format(_gzip, _gunzip, ("zlib",))  # of the raw pixels, as a PPM or PGM file holds them
ZSTD = Format(_zstd, _unzstd, ("zstandard", "libzstd"))


def _version(library: str) -> str:
    """Of a distribution, or of a library within Pillow, imagecodecs or zstandard."""
    of_pillow = {"Pillow": "pil", "libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp", "libavif": "avif"}
    of_pillow |= {"OpenJPEG": "jpg_2000"}
    if library in of_pillow:
        return str(features.version(of_pillow[library]))
    if library == "AV1":
        avif: Any = import_module("PIL._avif")
        return str(avif.codec_versions())
    if library == "zlib":
        return zlib.ZLIB_RUNTIME_VERSION
    if library == "libzstd":
        return ".".join(str(number) for number in optional("zstandard").ZSTD_VERSION)
    if library == "libjxl":
        return _in_imagecodecs().get(library, "unknown")
    return version(library)


@cache
def _in_imagecodecs() -> dict[str, str]:
    named = (entry.rpartition("-") for entry in str(optional("imagecodecs").version()).split(", "))
    return {name: number for name, _, number in named}
