"""What the encoder decides about a picture: the quality that meets a goal, and what the model must not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aecodec.bisection import last_that_fits
from aecodec.errors import LimitError
from aecodec.format.container import Contents, pack
from aecodec.networks.fixed_point import Int16
from aecodec.options import QUALITY_RANGE
from aecodec.patches import Cells, Errors, Pixels, bound, errors, pack_patches, suspects, without

if TYPE_CHECKING:
    from aecodec.codec import Codec, CodedLatents

REFINED = 4  # times at most a picture is refined to meet a size
CLOSE = 0.99  # of a size that is met

LOWEST, HIGHEST = (int(100 * end) for end in QUALITY_RANGE)  # in hundredths
STEP = 50  # hundredths of quality; to which the quality of a score is found


@dataclass(frozen=True)
class Refinement:
    """Latents are to be made better ones for these pixels (N, H, W) or (N, H, W, 3), in so many steps."""

    pixels: Pixels
    steps: int


@dataclass(frozen=True)
class Version:
    """Pictures as they are coded at some qualities: latents (N, h, w, M), made of pixels without some cells."""

    pixels: Pixels
    y: Int16
    cells: Cells  # that are stored as they are


class Original:
    """Pictures (N, H, W) or (N, H, W, 3) of one size that are to be coded, at one quality or at several."""

    def __init__(self, codec: Codec, pixels: Pixels, trusted: bool = False) -> None:
        """``trusted``: whatever the model makes of them is right. Raises ImageError."""
        self._codec, self._trusted = codec, trusted
        self._suspects = np.zeros((0, 0, 0), np.bool_) if trusted else suspects(pixels)
        y = codec.analyse(pixels)
        self._errors = self._errors_of(pixels, y, self._suspects)
        self._plain = self._last = Version(pixels, y, np.zeros(self._suspects.shape, np.bool_))
        self._chosen = 0  # cells, for the last one

    def at(self, quality_field: int) -> Version:
        """What to code at a quality in hundredths."""
        too_wrong = bound(quality_field)
        cells = self._errors > too_wrong
        count = int(cells.sum())
        if not count:
            return self._plain
        if count != self._chosen:  # cells that are too wrong are so at higher qualities: their number tells them
            pixels = without(self._plain.pixels, cells)
            y = self._codec.analyse(pixels)
            # What is around them may have been shown by their help.
            cells |= self._errors_of(self._plain.pixels, y, self._suspects & ~cells) > too_wrong
            self._last, self._chosen = Version(pixels, y, cells), count
        return self._last

    def patches(self, version: Version) -> bytes:
        """The cells of a version that are stored as they are."""
        return pack_patches(self._plain.pixels, version.cells)

    def _errors_of(self, pixels: Pixels, y: Int16, cells: Cells) -> Errors:
        if not cells.any():
            return np.zeros(cells.shape, np.float32)
        return errors(pixels, cells, self._codec.shown(y, 1 if pixels.ndim == 3 else 3))


class Encoder:
    """Makes files of one picture."""

    def __init__(self, codec: Codec, original: Original, frame: Contents, steps: int) -> None:
        """``frame`` is a file without pixels, ``steps`` is how often latents are refined."""
        self._codec, self._original, self._frame, self._steps = codec, original, frame, steps

    def at(self, quality_field: int, refined: bool = True) -> Contents:
        """The file at a quality in hundredths."""
        version = self._original.at(quality_field)
        refinement = Refinement(version.pixels, self._steps) if refined and self._steps else None
        coded = self._codec.write_latents(version.y, quality_field, refinement)
        return self._file(quality_field, coded, self._original.patches(version))

    def _file(self, quality_field: int, coded: CodedLatents, patches: bytes) -> Contents:
        header = replace(self._frame.header, quality=quality_field, model_id=self._codec.id, symbols_crc=coded.crc)
        return replace(self._frame, header=header, payload=coded.payload, escapes=coded.escapes, patches=patches)

    def within(self, size: int) -> Contents:
        """The best file of at most so many bytes; that of quality 1 where there is none."""
        plain = self._search(size)
        return self._refined(plain, size) if self._steps else plain

    def reaching(self, score: float, score_of: Callable[[Contents], float]) -> Contents:
        """The smallest file with a score. Raises LimitError where quality 100 does not reach it."""

        def make(lower: int) -> tuple[Contents, float]:
            contents = self.at(HIGHEST - lower * STEP)
            return contents, score_of(contents)

        steps = (HIGHEST - LOWEST) // STEP
        contents, reached = last_that_fits(0, steps, make, lambda made: made[1] >= score)
        if reached < score:
            raise LimitError(f"cannot reach a score of {score:g}; quality 100 has {reached:.1f}, lossless coding any")
        return contents

    def _search(self, size: int) -> Contents:
        """The best quality, to a hundredth, within ``size`` bytes, without refinement; quality 1 where none is."""
        return last_that_fits(
            LOWEST, HIGHEST, lambda field: self.at(field, refined=False), lambda contents: len(pack(contents)) <= size
        )

    def _refined(self, plain: Contents, target: int) -> Contents:
        """``plain``, refined; what that saves of ``target`` bytes is spent on quality."""
        found = [self.at(plain.header.quality)]
        size = target
        for _ in range(REFINED - 1):
            length = len(pack(found[-1]))
            if CLOSE * target <= length <= target:
                break
            size = size * target // length
            quality = self._search(size).header.quality
            if quality != found[-1].header.quality:
                found.append(self.at(quality))
        fitting = [each for each in found if len(pack(each)) <= target]
        if fitting:
            return max(fitting, key=lambda each: each.header.quality)
        return min((plain, *found), key=lambda each: len(pack(each)))
