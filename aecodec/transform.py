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

from aecodec.config import STRIDE, ModelConfig
from aecodec.errors import ModelError
from aecodec.networks import Gains, analysis, channels_last, from_network, hyper_analysis, synthesis, to_network
from aecodec.weights import Arrays

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

Part = TypeVar("Part", bound=nn.Module)

WINDOW = 64  # latents; pictures up to 1024 x 1024 are done in one piece


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
        return _within(self.rows, self.seen_rows), _within(self.columns, self.seen_columns)


def _within(part: slice, whole: slice) -> slice:
    return slice(part.start - whole.start, part.stop - whole.start)


def _scaled(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)


def windows(height: int, width: int, halo: int) -> Iterator[Window]:
    """Windows that cover a latent grid, each seeing ``halo`` latents beyond itself where there are any."""

    def spans(size: int) -> list[tuple[slice, slice]]:
        starts = range(0, size, WINDOW)
        parts = [slice(start, min(start + WINDOW, size)) for start in starts]
        return [(p, slice(max(0, p.start - halo), min(size, p.stop + halo))) for p in parts]

    for rows, seen_rows in spans(height):
        for columns, seen_columns in spans(width):
            yield Window(rows, columns, seen_rows, seen_columns)


class Transform:
    """The float networks of one model, ready to run; immutable."""

    def __init__(self, config: ModelConfig, arrays: Arrays) -> None:
        self.config = config
        self._analysis = _load(analysis(config), arrays, "analysis")
        self._synthesis = _load(synthesis(config), arrays, "synthesis")
        self._hyper_analysis = _load(hyper_analysis(config), arrays, "hyper_analysis")
        self._gains = _load(Gains(config), arrays, "gains")
        self._halo = 1 + -(-max(config.analysis_blocks, config.synthesis_blocks) // 2)

    @torch.inference_mode()
    def analyse(self, pixels: Pixels) -> Floats:
        """Latents (ceil(H/16), ceil(W/16), M) of pixels (H, W, 3), which are extended by repeating their edges."""
        height, width = (-(-side // STRIDE) for side in pixels.shape[:2])
        result = np.empty((height, width, self.config.latent_channels), np.float32)
        for w in windows(height, width, self._halo):
            seen = _extended(pixels, _scaled(w.seen_rows, STRIDE), _scaled(w.seen_columns, STRIDE))
            y = self._analysis(to_network(torch.from_numpy(seen)[None]))
            result[w.rows, w.columns] = y[0].permute(1, 2, 0).numpy()[w.inner]
        return result

    @torch.inference_mode()
    def synthesise(self, y: Floats, height: int, width: int) -> Pixels:
        """Pixels (height, width, 3) of latents (ceil(height/16), ceil(width/16), M)."""
        result = np.empty((height, width, 3), np.uint8)
        for w in windows(y.shape[0], y.shape[1], self._halo):
            seen = torch.from_numpy(np.ascontiguousarray(y[w.seen_rows, w.seen_columns]))
            x = self._synthesis(seen.permute(2, 0, 1)[None])
            rows, columns = (_scaled(part, STRIDE) for part in w.inner)
            pixels = from_network(x[:, :, rows, columns])[0].numpy()
            target = result[_scaled(w.rows, STRIDE), _scaled(w.columns, STRIDE)]
            target[:] = pixels[: target.shape[0], : target.shape[1]]
        return result

    @torch.inference_mode()
    def hyper_analyse(self, y: Floats) -> Floats:
        """Hyper latents (ceil(h/4), ceil(w/4), Z), not yet rounded, of scaled latents (h, w, M)."""
        z: Tensor = self._hyper_analysis(torch.from_numpy(y).permute(2, 0, 1)[None])
        return np.ascontiguousarray(z[0].permute(1, 2, 0).numpy())

    @torch.inference_mode()
    def gains(self, q: float) -> tuple[Floats, Floats]:
        """Factors (M,) before and after quantisation at quality ``q`` in 0..1."""
        at = torch.tensor([q], dtype=torch.float32)
        return self._gains.forward_gain(at).numpy().ravel(), self._gains.inverse_gain(at).numpy().ravel()


def _extended(pixels: Pixels, rows: slice, columns: slice) -> Pixels:
    """The part ``rows`` x ``columns`` of pixels whose edges repeat without end."""
    below, right = max(0, rows.stop - pixels.shape[0]), max(0, columns.stop - pixels.shape[1])
    part = pixels[rows, columns]
    return (
        np.pad(part, ((0, below), (0, right), (0, 0)), "edge")
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
