"""What the encoder decides about a picture: the quality that meets a goal, and what the model must not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aecodec.bisection import last_that_fits, most_tries
from aecodec.errors import LimitError
from aecodec.format.container import Contents, pack
from aecodec.networks.fixed_point import Int16
from aecodec.options import QUALITY_RANGE
from aecodec.patches import Cells, Errors, Pixels, bound, errors, pack_patches, suspects, without
from aecodec.progress import UNWATCHED, Stage

if TYPE_CHECKING:
    from aecodec.codec import Codec, CodedLatents

REFINED = 4  # times at most a picture is refined to meet a size
CLOSE = 0.99  # of a size that is met

LOWEST, HIGHEST = (int(100 * end) for end in QUALITY_RANGE)  # in hundredths

ANALYSIS, REFINEMENT, CODING = 5, 37, 2  # time of a picture's analysis, a step of refinement and coding, in proportion

STEP = 50  # hundredths of quality; to which the quality of a score is found
STEPS = (HIGHEST - LOWEST) // STEP


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

    def __init__(self, codec: Codec, pixels: Pixels, fallback: bool, stage: Stage = UNWATCHED) -> None:
        """Without ``fallback``, or with a model that leaves out noise, all that it makes of them counts as right.

        Raises ImageError.
        """
        self._codec = codec
        doubted = fallback and not codec.card.training.denoising
        self._suspects = suspects(pixels) if doubted else np.zeros((0, 0, 0), np.bool_)
        y = codec.analyse(pixels, stage)
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

    def at(self, quality_field: int, refined: bool = True, stage: Stage = UNWATCHED) -> Contents:
        """The file at a quality in hundredths."""
        version = self._original.at(quality_field)
        refinement = Refinement(version.pixels, self._steps) if refined and self._steps else None
        coded = self._codec.write_latents(version.y, quality_field, refinement, stage)
        return self._file(quality_field, coded, self._original.patches(version))

    def _file(self, quality_field: int, coded: CodedLatents, patches: bytes) -> Contents:
        header = replace(self._frame.header, quality=quality_field, model_id=self._codec.id, symbols_crc=coded.crc)
        return replace(self._frame, header=header, payload=coded.payload, escapes=coded.escapes, patches=patches)

    def within(self, size: int, stage: Stage = UNWATCHED) -> Contents:
        """The best file of at most so many bytes; that of quality 1 where there is none."""
        if not self._steps:
            return self._search(size, stage)
        search, *attempts = stage.split(_time(0) * most_tries(LOWEST, HIGHEST), *[_time(self._steps)] * REFINED)
        return self._refined(self._search(size, search), size, attempts)

    def reaching(self, score: float, score_of: Callable[[Contents], float], stage: Stage = UNWATCHED) -> Contents:
        """The smallest file with a score. Raises LimitError where quality 100 does not reach it."""

        tries = iter(_tries(stage, 0, STEPS))

        def make(lower: int) -> tuple[Contents, float]:
            contents = self.at(HIGHEST - lower * STEP, stage=next(tries))
            return contents, score_of(contents)

        contents, reached = last_that_fits(0, STEPS, make, lambda made: made[1] >= score)
        if reached < score:
            raise LimitError(f"cannot reach a score of {score:g}; quality 100 has {reached:.1f}, lossless coding any")
        return contents

    def _search(self, size: int, stage: Stage = UNWATCHED) -> Contents:
        """The best quality, to a hundredth, within ``size`` bytes, without refinement; quality 1 where none is."""
        tries = iter(_tries(stage, LOWEST, HIGHEST))
        return last_that_fits(
            LOWEST,
            HIGHEST,
            lambda field: self.at(field, refined=False, stage=next(tries)),
            lambda contents: len(pack(contents)) <= size,
        )

    def _refined(self, plain: Contents, target: int, attempts: Sequence[Stage]) -> Contents:
        """``plain``, refined; what that saves of ``target`` bytes is spent on quality."""
        found = [self.at(plain.header.quality, stage=attempts[0])]
        size = target
        for attempt in attempts[1:]:
            length = len(pack(found[-1]))
            if CLOSE * target <= length <= target:
                break
            size = size * target // length
            quality = self._search(size).header.quality
            if quality != found[-1].header.quality:
                found.append(self.at(quality, stage=attempt))
        fitting = [each for each in found if len(pack(each)) <= target]
        if fitting:
            return max(fitting, key=lambda each: each.header.quality)
        return min((plain, *found), key=lambda each: len(pack(each)))


def stages(stage: Stage, steps: int, sought: bool) -> list[Stage]:
    """Two: the analysis of a picture, and its coding at a quality that is given or that meets a goal."""
    return stage.split(ANALYSIS, _time(steps) * (most_tries(0, STEPS) if sought else 1))


def _time(steps: int) -> int:
    """What coding once takes, with so many steps of refinement."""
    return steps * REFINEMENT + CODING


def _tries(stage: Stage, low: int, high: int) -> list[Stage]:
    """Of a bisection, which may need fewer of them."""
    return stage.split(*[1] * most_tries(low, high))
