"""The codecs that people use today, and those without loss, at the settings at which they are measured.

A new one is an entry of :data:`RIVALS`; a new file format, one of :mod:`aecodec.evaluation.formats` as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aecodec.evaluation import formats
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.formats import Format
from aecodec.evaluation.metrics import Pixels

TENS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
FEW = (15, 30, 45, 60, 75, 90)
PERCENT = (1, 100)


@dataclass(frozen=True)
class Rival:
    """Another codec: a format at fixed options of its library, all but the quality."""

    name: str
    format: Format
    options: Mapping[str, Any] = field(default_factory=dict)
    qualities: tuple[int, ...] = TENS
    quality_range: tuple[int, int] = PERCENT
    lossless: bool = False

    @property
    def settings(self) -> str:
        """The library and its options."""
        return ", ".join([self.format.libraries[0], *(f"{name} {value}" for name, value in self.options.items())])

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the libraries that decide the bytes and the pixels."""
        return self.format.versions()

    def encode(self, pixels: Pixels, quality: float, /) -> bytes:
        """Bytes of a file that holds pixels (H, W, 3) or (H, W)."""
        setting = {} if self.lossless else self.format.quality(quality)
        return self.format.encode(pixels, **self.options, **setting)

    def decode(self, data: bytes, /) -> Pixels:
        """Pixels (H, W, 3) or (H, W) of a file that :meth:`encode` has made."""
        return self.format.decode(data)

    def with_threads(self, threads: int) -> Rival:
        """The same with so many threads, where the library can be told; they change AVIF's bytes by about 0.1 %."""
        if not self.format.threads:
            return self
        return replace(self, options={**self.options, self.format.threads: threads})


def _lossless(name: str, file_format: Format, options: Mapping[str, Any]) -> Rival:
    return Rival(name, file_format, options, qualities=(100,), quality_range=(100, 100), lossless=True)


# Nothing is tuned for a metric: of AVIF it is libavif's own default for pictures, tune=iq, which is for the eye.
JPEG = Rival("JPEG", formats.JPEG, {"optimize": True, "subsampling": "4:2:0"})  # the reference of all BD-rates
WEBP = Rival("WebP m6", formats.WEBP, {"method": 6})
AVIF = Rival("AVIF s6", formats.AVIF, {"speed": 6, "subsampling": "4:2:0", "max_threads": 1})
AVIF_444 = Rival("AVIF s6 4:4:4", formats.AVIF, {"speed": 6, "subsampling": "4:4:4", "max_threads": 1})
PNG = _lossless("PNG", formats.PNG, {"optimize": True})

RIVALS: tuple[Rival, ...] = (
    JPEG,
    Rival("JPEG 4:4:4", formats.JPEG, {"optimize": True, "subsampling": "4:4:4"}),
    Rival("JPEG by jpegli", formats.JPEGLI, qualities=FEW),
    Rival(  # 9/7 wavelet; the quality is the PSNR aimed at, in tenths of a decibel
        *("JPEG 2000", formats.JPEG_2000, {"irreversible": True}),
        qualities=(260, 280, 300, 320, 340, 360, 380, 400, 420),
        quality_range=(150, 600),
    ),
    WEBP,
    AVIF,
    Rival("AVIF s4", formats.AVIF, {"speed": 4, "subsampling": "4:2:0", "max_threads": 1}, FEW),
    Rival("JPEG XL e7", formats.JPEG_XL, {"effort": 7, "numthreads": 1}),
    _lossless("gzip -6", formats.GZIP, {"level": 6}),
    _lossless("zstd -3", formats.ZSTD, {"level": 3}),
    _lossless("zstd -19", formats.ZSTD, {"level": 19}),
    PNG,
    _lossless("WebP lossless", formats.WEBP, {"lossless": True, "method": 4, "quality": 80}),
    _lossless("JPEG XL lossless", formats.JPEG_XL, {"lossless": True, "effort": 7, "numthreads": 1}),
)


def choose(available: Sequence[Rival], wanted: Sequence[str]) -> tuple[Rival, ...]:
    """Those of a name in ``wanted``, or whose name begins with it; case does not matter. All where none are wanted.

    Raises BenchError for a word that fits none.
    """
    chosen: set[str] = set()
    for word in wanted:
        names = [rival.name for rival in available if rival.name.lower() == word.lower()]
        names = names or [rival.name for rival in available if rival.name.lower().startswith(word.lower())]
        if not names:
            raise BenchError(f"no codec {word!r}; there are {', '.join(rival.name for rival in available)}")
        chosen.update(names)
    return tuple(rival for rival in available if not wanted or rival.name in chosen)
