"""Pixels <-> latents: the transforms at work, in windows, so that memory stays bounded for pictures of any size.

All of it is in fixed point: results do not depend on the windows, the machine or the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aecodec.engine import Network
from aecodec.engine.layers import shapes
from aecodec.errors import ModelError
from aecodec.networks import fixed_point
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig
from aecodec.networks.fixed_point import Int16, Layers, fractions
from aecodec.networks.gains import Gain, load_gains
from aecodec.progress import UNWATCHED, Stage
from aecodec.threads import spans, spread
from aecodec.weights import Arrays

Pixels = npt.NDArray[np.uint8]

HIGHEST, WIDEST = 64, 256  # latents; sides of what convolutional networks do in one piece
LOWEST = 8  # latents; a thread's part of a picture, where there are not enough for all threads
PIECE = 2**20  # pixels; so many of a batch of small pictures are done at once


@dataclass(frozen=True)
class Window:
    """A part of the latent grid, and how far beyond it the networks must see to compute it."""

    rows: slice
    columns: slice
    seen_rows: slice
    seen_columns: slice

    @property
    def inner(self) -> tuple[slice, slice]:
        """The window within what is seen."""
        return within(self.rows, self.seen_rows), within(self.columns, self.seen_columns)


def within(part: slice, whole: slice) -> slice:
    """Where ``part`` lies in what is cut out by ``whole``."""
    return slice(part.start - whole.start, part.stop - whole.start)


def scaled(part: slice, factor: int) -> slice:
    """A range of latents as a range of pixels, ``factor`` of them to each."""
    return slice(part.start * factor, part.stop * factor)


def windows(height: int, width: int, halo: int) -> Iterator[Window]:
    """Windows that cover a latent grid, each seeing ``halo`` latents beyond itself where there are any.

    Networks hold a few rows of each layer at a time, so that windows may be wide.
    """
    for rows in spans(height, HIGHEST, LOWEST):
        for columns in spans(width, WIDEST, width + 1):
            yield Window(rows, columns, grown(rows, halo, height), grown(columns, halo, width))


def grown(part: slice, halo: int, size: int) -> slice:
    """``part`` of ``size`` and its surroundings."""
    return slice(max(0, part.start - halo), min(size, part.stop + halo))


class Transform:
    """The transforms and gains of one model, ready to run; immutable."""

    largest: int | None  # side of pictures, of networks that have seen none as large as a hyper latent

    def __init__(self, config: SharedConfig, arrays: Arrays, crop: int) -> None:
        """``crop``: side in pixels of what the networks were trained on, 0 where that is not known.

        Raises ModelError where tensors do not fit together.
        """
        self.config = config
        self.largest = crop if 0 < crop < config.span else None
        make, bits = fixed_point.stored(arrays), fractions(arrays)
        self._hyper_bits = bits["hyper_analysis"]
        m, side, colours = config.latent_channels, config.stride, config.colours
        analysis = fixed_point.analysis(config, bits, make)
        synthesis = fixed_point.synthesis(config, bits, make)
        hyper_analysis = fixed_point.hyper_analysis(config, self._hyper_bits, make)
        self._analysis = _network(analysis, (side, side, colours), (1, 1, m))
        self._synthesis = _network(synthesis, (1, 1, m), (side, side, colours))
        self._hyper_analysis = _network(hyper_analysis, (1, 1, m), (1, 1, config.hyper_channels))
        self.gains = load_gains(config, arrays)
        self._halo = _halo(config)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the latents of a picture."""
        return -(-height // self.config.stride), -(-width // self.config.stride)

    def analyse(self, pixels: Pixels, stage: Stage = UNWATCHED) -> Int16:
        """Latents (N, h, w, M) of pixels (N, H, W, colours), which are extended by repeating their edges."""
        height, width = self.grid(pixels.shape[1], pixels.shape[2])
        stride = self.config.stride
        result = np.empty((len(pixels), height, width, self.config.latent_channels), np.int16)
        jobs = self._jobs(len(pixels), height, width)
        done = stage.counter(len(jobs))

        def work(job: tuple[slice, Window]) -> None:
            part, w = job
            seen = _extended(pixels[part], scaled(w.seen_rows, stride), scaled(w.seen_columns, stride))
            rows, columns = w.inner
            result[part, w.rows, w.columns] = self._analysis(seen, rows)[:, :, columns]
            done()

        spread(work, jobs)
        return result

    def synthesise(self, y: Int16, height: int, width: int, stage: Stage = UNWATCHED) -> Pixels:
        """Pixels (N, height, width, colours) of latents (N, h, w, M)."""
        stride = self.config.stride
        result = np.empty((len(y), height, width, self.config.colours), np.uint8)
        jobs = self._jobs(len(y), y.shape[1], y.shape[2])
        done = stage.counter(len(jobs))

        def work(job: tuple[slice, Window]) -> None:
            part, w = job
            rows, columns = (scaled(side, stride) for side in w.inner)
            pixels = self._synthesis(np.ascontiguousarray(y[part, w.seen_rows, w.seen_columns]), rows)[:, :, columns]
            target = result[part, scaled(w.rows, stride), scaled(w.columns, stride)]
            target[:] = pixels[:, : target.shape[1], : target.shape[2]]
            done()

        spread(work, jobs)
        return result

    def synthesise_part(self, y: Int16, rows: slice, columns: slice, prepare: Callable[[Int16], Int16]) -> Pixels:
        """A part of pictures (N, height, width, colours) of latents (N, h, w, M), each of which is prepared first."""
        stride = self.config.stride
        part = (rows, columns)
        inner = [slice(side.start // stride, -(-side.stop // stride)) for side in part]
        seen = [grown(side, self._halo, size) for side, size in zip(inner, y.shape[1:3], strict=True)]
        first, second = (scaled(within(a, b), stride) for a, b in zip(inner, seen, strict=True))
        made = self._synthesis(np.ascontiguousarray(prepare(y[:, seen[0], seen[1]])), first)[:, :, second]
        top, left = (side.start - stride * a.start for side, a in zip(part, inner, strict=True))
        return made[:, top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]

    def _jobs(self, count: int, height: int, width: int) -> list[tuple[slice, Window]]:
        """Parts of a batch and windows of their latent grids."""
        parts = _pieces(count, height * width * self.config.stride**2)
        return [(part, window) for part in parts for window in windows(height, width, self._halo)]

    def hyper_analyse(self, y: Int16, gain: Gain) -> Int16:
        """Hyper latents (N, ...) of latents (N, h, w, M).

        Networks that were trained on crops of whole hyper latents predict badly where one stands for a few latents and
        nothing beside them, so the latents' edges are repeated. Networks of smaller pictures have seen just that.
        """
        stride = self.config.hyper_stride
        height, width = y.shape[1:3]
        right = 0 if self.largest else -width % stride

        def work(rows: slice) -> Int16:
            above = max(0, rows.start - 1)  # of a row above, the network sees the lower part
            seen = gain.apply_saturated(y[:, above * stride : rows.stop * stride], self._hyper_bits)
            below = 0 if self.largest else -seen.shape[1] % stride
            if below or right:
                seen = np.pad(seen, ((0, 0), (0, below), (0, right), (0, 0)), "edge")
            return np.asarray(self._hyper_analysis(seen)[:, rows.start - above :], np.int16)

        return np.concatenate(
            spread(work, spans(-(-height // stride), HIGHEST // stride, LOWEST // stride or 1)), axis=1
        )


def _network(layers: Layers, takes: tuple[int, int, int], gives: tuple[int, int, int]) -> Network:
    """Raises ModelError where the layers do not make (rows, columns, channels) of others."""
    try:
        made = shapes(layers, takes)[-1]
    except ValueError as error:
        raise ModelError(f"weights do not fit their configuration ({error})") from error
    if made != gives:
        raise ModelError(f"weights do not fit their configuration ({takes} becomes {made} rather than {gives})")
    return Network(layers)


def _halo(config: SharedConfig) -> int:
    """Latents beyond a window on which its results depend."""
    if isinstance(config, FullyConnectedConfig):
        return 0
    assert isinstance(config, ConvolutionalConfig)
    return 1 + -(-max(config.analysis_blocks, config.synthesis_blocks) // 2)


def _pieces(count: int, pixels: int) -> Iterator[slice]:
    """Parts of a batch of ``count`` pictures of so many pixels each."""
    step = max(1, PIECE // pixels)
    return (slice(start, start + step) for start in range(0, count, step))


def _extended(pixels: Pixels, rows: slice, columns: slice) -> Pixels:
    """The part ``rows`` x ``columns`` of pictures (N, H, W, C) whose edges repeat without end."""
    below, right = max(0, rows.stop - pixels.shape[1]), max(0, columns.stop - pixels.shape[2])
    part = pixels[:, rows, columns]
    return (
        np.pad(part, ((0, 0), (0, below), (0, right), (0, 0)), "edge")
        if below or right
        else np.require(part, requirements=("C", "W"))
    )
