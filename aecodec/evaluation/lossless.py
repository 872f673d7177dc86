"""Codecs without loss: general ones on raw pixels, as a PPM or PGM file holds them, and lossless picture formats."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import features

from aecodec.evaluation.extra import optional, version
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import of_imagecodecs, open_file, save_file

ONCE = (100,)  # the only quality
ONLY = (100, 100)


@dataclass(frozen=True)
class Gzip:
    """Deflate of the raw pixels; ``level`` 1..9, 6 is gzip's own."""

    level: int = 6
    qualities: tuple[int, ...] = ONCE
    quality_range: tuple[int, int] = ONLY

    @property
    def name(self) -> str:
        """Of the program and level."""
        return f"gzip -{self.level}"

    @property
    def settings(self) -> str:
        """The level."""
        return f"raw 8-bit pixels (PPM), level {self.level}"

    @property
    def versions(self) -> dict[str, str]:
        """Of zlib."""
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a gzip file."""
        return gzip.compress(save_file(pixels, "PPM"), self.level, mtime=0)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of the PPM file in it."""
        return open_file(gzip.decompress(data))


@dataclass(frozen=True)
class Zstd:
    """Zstandard of the raw pixels; ``level`` 1..22, 3 is zstd's own."""

    level: int = 3
    qualities: tuple[int, ...] = ONCE
    quality_range: tuple[int, int] = ONLY

    @property
    def name(self) -> str:
        """Of the program and level."""
        return f"zstd -{self.level}"

    @property
    def settings(self) -> str:
        """The level."""
        return f"raw 8-bit pixels (PPM), level {self.level}, 1 thread"

    @property
    def versions(self) -> dict[str, str]:
        """Of zstandard and libzstd."""
        numbers = optional("zstandard").ZSTD_VERSION
        return {"zstandard": version("zstandard"), "libzstd": ".".join(str(number) for number in numbers)}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a zstd frame."""
        return bytes(optional("zstandard").ZstdCompressor(self.level).compress(save_file(pixels, "PPM")))

    def decode(self, data: bytes) -> Pixels:
        """Pixels of the PPM file in it."""
        return open_file(optional("zstandard").ZstdDecompressor().decompress(data))


@dataclass(frozen=True)
class Png:
    """PNG."""

    qualities: tuple[int, ...] = ONCE
    quality_range: tuple[int, int] = ONLY
    name: str = "PNG"
    settings: str = "Pillow, optimize"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow and its zlib."""
        return {"Pillow": str(features.version("pil")), "zlib": str(features.version("zlib"))}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a PNG file."""
        return save_file(pixels, "PNG", optimize=True)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a PNG file."""
        return open_file(data)


@dataclass(frozen=True)
class LosslessWebP:
    """WebP without loss."""

    qualities: tuple[int, ...] = ONCE
    quality_range: tuple[int, int] = ONLY
    name: str = "WebP lossless"
    settings: str = "Pillow, lossless, method 4, effort 80"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow and libwebp."""
        return {"Pillow": str(features.version("pil")), "libwebp": str(features.version("webp"))}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a WebP file."""
        return save_file(pixels, "WEBP", lossless=True, method=4, quality=80)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a WebP file."""
        return open_file(data)


@dataclass(frozen=True)
class LosslessJpegXl:
    """JPEG XL without loss."""

    effort: int = 7
    threads: int = 1
    qualities: tuple[int, ...] = ONCE
    quality_range: tuple[int, int] = ONLY
    name: str = "JPEG XL lossless"

    @property
    def settings(self) -> str:
        """The effort and threads."""
        return f"imagecodecs, lossless, effort {self.effort}, {self.threads} thread(s)"

    @property
    def versions(self) -> dict[str, str]:
        """Of imagecodecs and libjxl."""
        return of_imagecodecs("libjxl")

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a JPEG XL codestream."""
        library = optional("imagecodecs")
        return bytes(library.jpegxl_encode(pixels, lossless=True, effort=self.effort, numthreads=self.threads))

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a JPEG XL file."""
        return np.asarray(optional("imagecodecs").jpegxl_decode(data, numthreads=self.threads))
