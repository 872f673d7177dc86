"""Pixels <-> latents: the float networks at work, in windows, so that memory stays bounded for pictures of any size.

Results differ in their last bits between machines. That is harmless here: the encoder's latents are rounded and the
rounded values are what is stored; the decoder's pixels stay within one grey level of each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aecodec.errors import ModelError
from aecodec.networks.config import ConvolutionalConfig, FullyConnectedConfig, SharedConfig
from aecodec.networks.model import Gains, Networks, channels_last, from_network, to_network
from aecodec.threads import spans, spread
from aecodec.weights import Arrays

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

Part = TypeVar("Part", bound=nn.Module)

WINDOW = 64  # latents; the largest side of what convolutional networks do in one piece
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
    """From latents to pixels."""
    return slice(part.start * factor, part.stop * factor)


def windows(height: int, width: int, halo: int) -> Iterator[Window]:
    """Windows that cover a latent grid, each seeing ``halo`` latents beyond itself where there are any."""

    tall = height > width  # what is cut in two at least is the longer side
    for rows in spans(height, WINDOW, least=8 if tall else height + 1):
        for columns in spans(width, WINDOW, least=width + 1 if tall else 8):
            yield Window(rows, columns, grown(rows, halo, height), grown(columns, halo, width))


def grown(part: slice, halo: int, size: int) -> slice:
    """``part`` of ``size`` and its surroundings."""
    return slice(max(0, part.start - halo), min(size, part.stop + halo))


class Transform:
    """The float networks of one model, ready to run; immutable."""

    synthesis: nn.Module  # latents (N, M, h, w) to pixels, as in aecodec.networks.model
    largest: int | None  # side of pictures, of networks that have seen none as large as a hyper latent

    def __init__(self, config: SharedConfig, arrays: Arrays, crop: int) -> None:
        """``crop``: side in pixels of what the networks were trained on, 0 where that is not known."""
        self.config = config
        self.largest = crop if 0 < crop < config.span else None
        networks = Networks(config)
        self._analysis = _load(networks.analysis, arrays, "analysis")
        self.synthesis = _load(networks.synthesis, arrays, "synthesis")
        self._hyper_analysis = _load(networks.hyper_analysis, arrays, "hyper_analysis")
        self._gains = _load(Gains(config), arrays, "gains")
        self._halo = _halo(config)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the latents of a picture."""
        return -(-height // self.config.stride), -(-width // self.config.stride)

    def analyse(self, pixels: Pixels) -> Floats:
        """Latents (N, h, w, M) of pixels (N, H, W, colours), which are extended by repeating their edges."""
        height, width = self.grid(pixels.shape[1], pixels.shape[2])
        stride = self.config.stride
        result = np.empty((len(pixels), height, width, self.config.latent_channels), np.float32)

        @torch.inference_mode()
        def work(job: tuple[slice, Window]) -> None:
            part, w = job
            seen = _extended(pixels[part], scaled(w.seen_rows, stride), scaled(w.seen_columns, stride))
            y = self._analysis(to_network(torch.from_numpy(seen))).permute(0, 2, 3, 1).numpy()
            result[part, w.rows, w.columns] = y[:, *w.inner]

        spread(work, self._jobs(len(pixels), height, width))
        return result

    def synthesise(self, y: Floats, height: int, width: int) -> Pixels:
        """Pixels (N, height, width, colours) of latents (N, h, w, M)."""
        stride = self.config.stride
        result = np.empty((len(y), height, width, self.config.colours), np.uint8)

        @torch.inference_mode()
        def work(job: tuple[slice, Window]) -> None:
            part, w = job
            seen = torch.from_numpy(np.ascontiguousarray(y[part, w.seen_rows, w.seen_columns]))
            x = self.synthesis(seen.permute(0, 3, 1, 2))
            rows, columns = (scaled(side, stride) for side in w.inner)
            pixels = from_network(x[:, :, rows, columns]).numpy()
            target = result[part, scaled(w.rows, stride), scaled(w.columns, stride)]
            target[:] = pixels[:, : target.shape[1], : target.shape[2]]

        spread(work, self._jobs(len(y), y.shape[1], y.shape[2]))
        return result

    def _jobs(self, count: int, height: int, width: int) -> list[tuple[slice, Window]]:
        """Parts of a batch and windows of their latent grids."""
        parts = _pieces(count, height * width * self.config.stride**2)
        return [(part, window) for part in parts for window in windows(height, width, self._halo)]

    @torch.inference_mode()
    def hyper_analyse(self, y: Floats) -> Floats:
        """Hyper latents (N, ...), not yet rounded, of scaled latents (N, h, w, M).

        Networks that were trained on crops of whole hyper latents predict badly where one stands for a few latents and
        nothing beside them, so the latents' edges are repeated. Networks of smaller pictures have seen just that.
        """
        stride = self.config.hyper_stride
        height, width = y.shape[1:3]
        right = 0 if self.largest else -width % stride
        results = []
        for rows in spans(-(-height // stride), WINDOW // stride):
            above = max(0, rows.start - 1)  # of a row above, the network sees the lower part
            part = y[:, above * stride : rows.stop * stride]
            below = 0 if self.largest else -part.shape[1] % stride
            part = np.pad(part, ((0, 0), (0, below), (0, right), (0, 0)), "edge") if below or right else part
            z: Tensor = self._hyper_analysis(torch.from_numpy(part).permute(0, 3, 1, 2))
            results.append(z[:, :, rows.start - above :].permute(0, 2, 3, 1).numpy())
        return np.concatenate(results, axis=1)

    @torch.inference_mode()
    def gains(self, q: float) -> tuple[Floats, Floats]:
        """Factors (M,) before and after quantisation at quality ``q`` in 0..1."""
        at = torch.tensor([q], dtype=torch.float32)
        return self._gains.forward_gain(at).numpy().ravel(), self._gains.inverse_gain(at).numpy().ravel()


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


def _load(part: Part, arrays: Arrays, prefix: str) -> Part:
    state = {n[len(prefix) + 1 :]: torch.from_numpy(a).float() for n, a in arrays.items() if n.startswith(prefix + ".")}
    try:
        part.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"weights do not fit their configuration ({error})") from error
    return channels_last(part.requires_grad_(False).eval())
