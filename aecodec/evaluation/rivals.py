"""The codecs that are measured, each one small class: bytes of a real file in memory, arrays in and out.

A new one is a frozen dataclass with the members of :class:`Rival`, put into :data:`RIVALS`.
"""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, features

from aecodec.evaluation.curves import Measurement
from aecodec.evaluation.metrics import Pixels, psnr

TENS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)


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

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of the file that holds these pixels (H, W, 3)."""

    def decode(self, data: bytes) -> Pixels:
        """The pixels (H, W, 3) that the file holds."""


@dataclass(frozen=True)
class Jpeg:
    """JPEG by libjpeg-turbo; the reference of all BD-rates."""

    subsampling: str = "4:2:0"
    qualities: tuple[int, ...] = TENS

    @property
    def name(self) -> str:
        """Of the format; with the subsampling where it is not the reference's."""
        return "JPEG" if self.subsampling == "4:2:0" else f"JPEG {self.subsampling}"

    @property
    def settings(self) -> str:
        """Huffman tables and subsampling."""
        return f"Pillow, optimised Huffman tables, baseline, {self.subsampling}"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a JPEG file."""
        return _save(pixels, "JPEG", quality=quality, optimize=True, subsampling=self.subsampling)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a JPEG file."""
        return _open(data)


@dataclass(frozen=True)
class WebP:
    """Lossy WebP by libwebp; ``method`` 0..6 is its effort. The format knows 4:2:0 only."""

    method: int = 6
    qualities: tuple[int, ...] = TENS

    @property
    def name(self) -> str:
        """Of the format and method."""
        return f"WebP m{self.method}"

    @property
    def settings(self) -> str:
        """The method."""
        return f"Pillow, method {self.method}, 4:2:0"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of a WebP file."""
        return _save(pixels, "WEBP", quality=quality, method=self.method)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of a WebP file."""
        return _open(data)


@dataclass(frozen=True)
class Avif:
    """AVIF by libavif; ``speed`` 0..10, lower is more effort. The encoder's threads change the bytes by about 0.1 %."""

    speed: int = 6
    subsampling: str = "4:2:0"
    qualities: tuple[int, ...] = TENS

    @property
    def name(self) -> str:
        """Of the format and speed; with the subsampling where it is not Pillow's own."""
        return f"AVIF s{self.speed}" + ("" if self.subsampling == "4:2:0" else f" {self.subsampling}")

    @property
    def settings(self) -> str:
        """Speed and subsampling."""
        return f"Pillow, speed {self.speed}, {self.subsampling}, full range"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of an AVIF file."""
        return _save(pixels, "AVIF", quality=quality, speed=self.speed, subsampling=self.subsampling)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of an AVIF file."""
        return _open(data)


class LearnedCodec(Protocol):
    """What a loaded model of aecodec offers."""

    def encode(self, array: Pixels, /, quality: float) -> bytes:
        """Array to bytes."""

    def decode(self, data: bytes, /) -> Pixels:
        """Bytes to array."""


@dataclass(frozen=True)
class Aecodec:
    """A loaded model of aecodec as one of the codecs to measure."""

    codec: LearnedCodec
    qualities: tuple[int, ...] = (1, 10, 25, 40, 55, 70, 85, 100)
    name: str = "aecodec"
    settings: str = "one model for all qualities"

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of an aecodec file."""
        return self.codec.encode(pixels, quality=quality)

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


def _save(pixels: Pixels, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _open(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
