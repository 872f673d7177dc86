"""One picture's bytes to those of the other kind: what every worker does, with all it needs to be sent to it."""

from __future__ import annotations

import io
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy as np

from aecodec.codec import Codec, decode_picture
from aecodec.errors import ImageError
from aecodec.format.container import MAX_PIXELS, Coding, parse_header
from aecodec.options import Options
from aecodec.pictures import arrays, images
from aecodec.pictures.images import Picture
from aecodec.stack import decode_stack, encode_stack
from aecodec.weights import find, identify, load_weights


@dataclass(frozen=True)
class Coded:
    """A result, the suffix of its name, and what there is to say of it; model and quality None where it is lossless."""

    data: bytes
    suffix: str
    width: int
    height: int
    pictures: int
    model: str | None
    quality: float | None
    psnr: float | None = None


class Coder(Protocol):
    """A worker's function. Raises a child of AecError for what it cannot code."""

    def __call__(self, data: bytes) -> Coded: ...


class Settings(Protocol):
    """What to do with every picture; small, and the same for all workers."""

    @property
    def suffixes(self) -> frozenset[str]:
        """Of the files that are taken."""

    def coder(self) -> Coder:
        """Load what is needed once. Raises ModelError."""

    def identity(self) -> dict[str, object]:
        """All that results depend on."""


@dataclass(frozen=True)
class Compression:
    """``model`` is a whole weights file, so that workers need not have it."""

    model: bytes
    options: Options = field(default_factory=Options)
    strip: bool = False
    psnr: bool = False
    max_pixels: int = MAX_PIXELS

    @property
    def suffixes(self) -> frozenset[str]:
        """Endings of the names of files that are compressed: those of pictures."""
        return frozenset(images.suffixes() - {".aec"})

    def coder(self) -> Coder:
        """What compresses in a worker; loads the model."""
        return Compressor(self)

    def identity(self) -> dict[str, object]:
        """With the model by its id."""
        model = identify(self.model).hex()
        fixed = {"command": "compress", "model": model, "strip": self.strip, "max_pixels": self.max_pixels}
        return fixed | asdict(self.options)


@dataclass(frozen=True)
class Decompression:
    """``models`` are whole weights files, looked for beside the ones that workers have; ``kind`` is a suffix."""

    models: tuple[bytes, ...] = ()
    kind: str = ".png"
    max_pixels: int = MAX_PIXELS

    @property
    def suffixes(self) -> frozenset[str]:
        """Endings of the names of files that are decompressed."""
        return frozenset({".aec"})

    def coder(self) -> Coder:
        """Models are loaded as files ask for them."""
        return Decompressor(self)

    def identity(self) -> dict[str, object]:
        """Files name their models themselves."""
        return {"command": "decompress", "kind": self.kind}


class Compressor:
    """Pictures to ``.aec``; arrays of pictures to stacks."""

    def __init__(self, settings: Compression) -> None:
        self._settings = settings
        with tempfile.TemporaryDirectory() as folder:
            (path,) = _as_files([settings.model], folder)
            self._codec = Codec(load_weights(path))

    def __call__(self, data: bytes) -> Coded:
        settings, options = self._settings, self._settings.options
        if arrays.is_array_data(data):
            if any(goal is not None for goal in (options.bpp, options.target_size, options.score)):
                raise ImageError("an array of pictures, which is coded at one quality: ask for that, or for lossless")
            pictures = arrays.load(io.BytesIO(data), "array", max_pixels=settings.max_pixels)
            lossless, effort = options.lossless, options.effort
            coded = encode_stack(pictures, options.quality, self._codec, lossless=lossless, effort=effort)
            return _described(coded, coded, ".aec")
        return self.encode(images.read(io.BytesIO(data), settings.max_pixels, deep=options.lossless))

    def encode(self, picture: Picture) -> Coded:
        """A picture that is decoded already."""
        picture = picture.upright().without_metadata() if self._settings.strip else picture
        coded = self._codec.encode_picture(picture, **asdict(self._settings.options))
        psnr = _psnr(picture, self._codec.decode_picture(coded)) if self._settings.psnr else None
        return _described(coded, coded, ".aec", psnr)


class Decompressor:
    """``.aec`` to pictures; stacks to arrays (.npy)."""

    def __init__(self, settings: Decompression) -> None:
        self._settings = settings
        self._format = images.format_of(settings.kind)
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder)
        self._models = _as_files(settings.models, folder)

    def __call__(self, data: bytes) -> Coded:
        settings, stream = self._settings, io.BytesIO()
        if parse_header(data).count is None:
            images.write(decode_picture(data, self._models, settings.max_pixels), stream, self._format)
            return _described(stream.getvalue(), data, settings.kind)
        arrays.dump(decode_stack(data, None, self._models, settings.max_pixels), stream, ".npy")
        return _described(stream.getvalue(), data, ".npy")


def weights_bytes(model: str | PathLike[str]) -> bytes:
    """The weights file of a model's name or path, whole. Raises ModelError."""
    path = find(model)
    load_weights(path)  # what is wrong with it shows here, once
    return path.read_bytes()


def _as_files(models: Sequence[bytes], folder: str) -> list[Path]:
    """Weights as files of this machine."""
    paths = [Path(folder, f"{number}.safetensors") for number in range(len(models))]
    for path, data in zip(paths, models, strict=True):
        path.write_bytes(data)
    return paths


def _described(data: bytes, coded: bytes, suffix: str, psnr: float | None = None) -> Coded:
    """A result with what the header of the compressed file says."""
    header = parse_header(coded)
    model, quality = None, None
    if header.coding == Coding.LATENTS:
        model, quality = header.model_id.hex(), header.quality / 100
    return Coded(data, suffix, header.width, header.height, header.count or 1, model, quality, psnr)


def _psnr(original: Picture, restored: Picture) -> float:
    """In decibels, of the colours; infinite where they are the same."""
    difference = original.pixels.astype(np.float64) - restored.pixels
    error = np.mean(difference**2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
