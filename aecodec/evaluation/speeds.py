"""How fast codecs are at equal quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from aecodec.evaluation.ours import PREFIX
from aecodec.evaluation.results import Results


@dataclass(frozen=True)
class Speed:
    """A codec's rate, and its speed in megapixels per second, at a mean PSNR of the timed pictures.

    Between settings rate and speed are interpolated; a codec that does not reach the PSNR aimed at is shown at the
    setting next to it, and one without loss has no PSNR.
    """

    name: str
    ours: bool
    psnr: float | None
    bpp: float
    encode: float
    decode: float
    loaded: int | None
    encode_memory: int | None
    decode_memory: int | None


@dataclass(frozen=True)
class _Setting:
    """A quality setting on the timed pictures."""

    psnr: float
    bpp: float
    encode: float
    decode: float


def speeds_at(results: Results, target: float) -> tuple[Speed, ...]:
    """Every timed codec's speed at this PSNR."""
    speeds = []
    for codec in results.codecs:
        settings = _settings(results, codec.name)
        if settings:
            at = _interpolated(settings, target)
            memory = codec.memory
            speeds.append(
                Speed(
                    codec.name,
                    codec.name.startswith(PREFIX),
                    at.psnr if math.isfinite(at.psnr) else None,
                    at.bpp,
                    at.encode,
                    at.decode,
                    memory.loaded if memory else None,
                    memory.encode if memory else None,
                    memory.decode if memory else None,
                )
            )
    return tuple(speeds)


def _settings(results: Results, name: str) -> list[_Setting]:
    """A codec's settings by ascending PSNR, those of infinite PSNR only where there are no others."""
    pixels = {picture.name: picture.pixels for picture in results.pictures}
    times = results.times_of(name)
    settings = []
    for quality in sorted({time.quality for time in times}):
        taken = [time for time in times if time.quality == quality]
        timed = {time.image for time in taken}
        rows = [row for row in results.of(name) if row.quality == quality and row.image in timed]
        megapixels = sum(pixels[time.image] for time in taken) / 1e6
        settings.append(
            _Setting(
                fmean(math.inf if row.psnr is None else row.psnr for row in rows),
                fmean(row.bpp for row in rows),
                megapixels / sum(time.encode for time in taken),
                megapixels / sum(time.decode for time in taken),
            )
        )
    finite = [setting for setting in settings if math.isfinite(setting.psnr)]
    return sorted(finite or settings[:1], key=lambda setting: setting.psnr)


def _interpolated(settings: Sequence[_Setting], psnr: float) -> _Setting:
    """Between the settings around a PSNR, linear in it, the rate by its logarithm; the nearest one beyond the ends."""
    low = max((s for s in settings if s.psnr <= psnr), key=lambda s: s.psnr, default=settings[0])
    high = min((s for s in settings if s.psnr >= psnr), key=lambda s: s.psnr, default=settings[-1])
    if not low.psnr < psnr < high.psnr:
        return low if abs(low.psnr - psnr) <= abs(high.psnr - psnr) else high
    share = (psnr - low.psnr) / (high.psnr - low.psnr)
    return _Setting(
        psnr,
        math.exp((1 - share) * math.log(low.bpp) + share * math.log(high.bpp)),
        (1 - share) * low.encode + share * high.encode,
        (1 - share) * low.decode + share * high.decode,
    )
