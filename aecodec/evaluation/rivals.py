"""The codecs that are measured, each one small class: bytes of a real file in memory, arrays in and out.

A new one is a frozen dataclass with the members of :class:`Rival`, listed in :mod:`aecodec.evaluation.codecs`.
"""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, features

from aecodec.evaluation.curves import Measurement
from aecodec.evaluation.extra import optional, version
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.networks.config import DEFAULT_EFFORT

TENS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
PERCENT = (1, 100)


class Rival(Protocol):
    """A codec under measurement."""

    @property
    def name(self) -> str:
        """Short and unique among the codecs of a comparison."""

    @property
    def settings(self) -> str:
        """Everything but the quality that decides the bytes, in words for the reader of a table."""

    @property
    def qualities(self) -> tuple[int, ...]:
        """The quality settings of its curve."""

    @property
    def quality_range(self) -> tuple[int, int]:
        """The lowest and the highest quality setting there is; size grows from one to the other."""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that decide the bytes and the pixels."""

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of the file that holds these pixels (H, W, 3), or grey ones (H, W)."""

    def decode(self, data: bytes) -> Pixels:
        """The pixels (H, W, 3) that the file holds; some codecs restore grey ones as (H, W)."""


@dataclass(frozen=True)
class Jpeg:
    """JPEG by libjpeg-turbo; the reference of all BD-rates."""

    subsampling: str = "4:2:0"
    qualities: tuple[int, ...] = TENS
    quality_range: tuple[int, int] = PERCENT

    @property
    def name(self) -> str:
        """Of the format; with the subsampling where it is not the reference's."""
        return "JPEG" if self.subsampling == "4:2:0" else f"JPEG {self.subsampling}"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow and libjpeg-turbo."""
        return _of_pillow("libjpeg-turbo")

    @property
    def settings(self) -> str:
        """Huffman tables and subsampling."""
        return f"Pillow, optimised Huffman tables, baseline, {self.subsampling}"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a JPEG file."""
        return save_file(pixels, "JPEG", quality=quality, optimize=True, subsampling=self.subsampling)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a JPEG file."""
        return open_file(data)


@dataclass(frozen=True)
class WebP:
    """Lossy WebP by libwebp; ``method`` 0..6 is its effort. The format knows 4:2:0 only."""

    method: int = 6
    qualities: tuple[int, ...] = TENS
    quality_range: tuple[int, int] = PERCENT

    @property
    def name(self) -> str:
        """Of the format and method."""
        return f"WebP m{self.method}"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow and libwebp."""
        return _of_pillow("libwebp")

    @property
    def settings(self) -> str:
        """The method."""
        return f"Pillow, method {self.method}, 4:2:0"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a WebP file."""
        return save_file(pixels, "WEBP", quality=quality, method=self.method)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a WebP file."""
        return open_file(data)


@dataclass(frozen=True)
class Avif:
    """AVIF by libavif; ``speed`` 0..10, lower is more effort. The encoder's threads change the bytes by about 0.1 %.

    ``threads`` are as many as there are processors unless given.
    """

    speed: int = 6
    subsampling: str = "4:2:0"
    qualities: tuple[int, ...] = TENS
    threads: int | None = None
    quality_range: tuple[int, int] = PERCENT

    @property
    def name(self) -> str:
        """Of the format and speed; with the subsampling where it is not Pillow's own."""
        return f"AVIF s{self.speed}" + ("" if self.subsampling == "4:2:0" else f" {self.subsampling}")

    @property
    def settings(self) -> str:
        """Speed and subsampling, and threads where they are given."""
        threads = "" if self.threads is None else f", {self.threads} thread(s)"
        return f"Pillow, speed {self.speed}, {self.subsampling}, full range{threads}"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow, libavif and the libraries under it."""
        return _of_pillow("libavif", "AV1")

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of an AVIF file."""
        threads = {} if self.threads is None else {"max_threads": self.threads}
        return save_file(pixels, "AVIF", quality=quality, speed=self.speed, subsampling=self.subsampling, **threads)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of an AVIF file."""
        return open_file(data)


@dataclass(frozen=True)
class Jpeg2000:
    """JPEG 2000 by OpenJPEG, irreversible wavelet. The quality is the PSNR aimed at, in tenths of a decibel."""

    qualities: tuple[int, ...] = (260, 280, 300, 320, 340, 360, 380, 400, 420)
    quality_range: tuple[int, int] = (150, 600)
    name: str = "JPEG 2000"
    settings: str = "Pillow, 9/7 wavelet, colour transform, one tile, one layer; quality aims at a PSNR"

    @property
    def versions(self) -> dict[str, str]:
        """Of Pillow and OpenJPEG."""
        return _of_pillow("OpenJPEG")

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a JP2 file."""
        options = {"quality_mode": "dB", "quality_layers": [quality / 10], "irreversible": True}
        return save_file(pixels, "JPEG2000", mct=int(pixels.ndim == 3), **options)  # off by default, at twice the bytes

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a JP2 file."""
        return open_file(data)


@dataclass(frozen=True)
class JpegXl:
    """Lossy JPEG XL by libjxl. The quality is that of cjxl, whose mapping to a distance is repeated here."""

    effort: int = 7
    threads: int = 1
    qualities: tuple[int, ...] = TENS
    quality_range: tuple[int, int] = PERCENT

    @property
    def name(self) -> str:
        """Of the format and effort."""
        return f"JPEG XL e{self.effort}"

    @property
    def settings(self) -> str:
        """The effort and threads."""
        return f"imagecodecs, effort {self.effort}, {self.threads} thread(s)"

    @property
    def versions(self) -> dict[str, str]:
        """Of imagecodecs and libjxl."""
        return of_imagecodecs("libjxl")

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a JPEG XL codestream."""
        library = optional("imagecodecs")
        distance = _jxl_distance(quality)
        return bytes(library.jpegxl_encode(pixels, distance=distance, effort=self.effort, numthreads=self.threads))

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a JPEG XL file."""
        return np.asarray(optional("imagecodecs").jpegxl_decode(data, numthreads=self.threads))


class LearnedCodec(Protocol):
    """What a loaded model of aecodec offers."""

    def encode(self, array: Pixels, /, quality: float, *, effort: int) -> bytes:
        """Array to bytes."""

    def decode(self, data: bytes, /) -> Pixels:
        """Bytes to array."""


@dataclass(frozen=True)
class Aecodec:
    """A loaded model of aecodec as one of the codecs to measure."""

    codec: LearnedCodec
    qualities: tuple[int, ...] = (1, 10, 25, 40, 55, 70, 85, 100)
    name: str = "aecodec"
    effort: int = DEFAULT_EFFORT
    quality_range: tuple[int, int] = PERCENT

    @property
    def settings(self) -> str:
        """The effort."""
        return f"one model for all qualities, effort {self.effort}"

    @property
    def versions(self) -> dict[str, str]:
        """Of aecodec and of what computes for it."""
        return {name: version(name) for name in ("aecodec", "constriction", "numpy", "torch")}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of an aecodec file."""
        return self.codec.encode(pixels, quality=quality, effort=self.effort)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of an aecodec file."""
        return self.codec.decode(data)


REFERENCE = Jpeg()
RIVALS: tuple[Rival, ...] = (REFERENCE, WebP(), Avif())


def measure(rival: Rival, image: str, pixels: Pixels, qualities: Sequence[int]) -> list[Measurement]:
    """Code and restore a picture at each quality."""
    results = []
    for quality in qualities:
        data = rival.encode(pixels, quality)
        error = psnr(pixels, rival.decode(data))
        results.append(Measurement(image, rival.name, quality, len(data), pixels.shape[0] * pixels.shape[1], error))
    return results


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the rivals' bytes."""
    libraries = {"libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp", "libavif": "avif"}
    found = {name: str(features.version(feature)) for name, feature in libraries.items()}
    avif: Any = import_module("PIL._avif")
    return {"Pillow": str(features.version("pil")), **found, "AV1": str(avif.codec_versions())}


def of_imagecodecs(library: str) -> dict[str, str]:
    """Version of imagecodecs and of a library in it."""
    return {"imagecodecs": version("imagecodecs"), library: _in_imagecodecs().get(library, "unknown")}


@cache
def _in_imagecodecs() -> dict[str, str]:
    named = (entry.rpartition("-") for entry in str(optional("imagecodecs").version()).split(", "))
    return {name: number for name, _, number in named}


def _of_pillow(*libraries: str) -> dict[str, str]:
    found = {**versions(), "OpenJPEG": str(features.version("jpg_2000"))}
    return {name: found[name] for name in ("Pillow", *libraries)}


def _jxl_distance(quality: int) -> float:
    if quality >= 30:
        return 0.1 + 0.09 * (100 - quality)
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


@dataclass(frozen=True)
class Machine:
    """Where something was measured."""

    cpu: str
    cores: int
    system: str


def machine() -> Machine:
    """This machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return Machine(model, os.cpu_count() or 1, f"{platform.system()} {platform.machine()}")


def save_file(pixels: Pixels, kind: str, **options: Any) -> bytes:
    """Bytes of a file by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def open_file(data: bytes) -> Pixels:
    """Pixels (H, W, 3) of a file by Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
