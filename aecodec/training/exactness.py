"""What fixed point costs: bytes at equal PSNR against the float networks that a codec was made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np
import torch
from torch import Tensor

from aecodec.codec import Codec, Pixels
from aecodec.evaluation.curves import Curve, CurveError, Point, bd_rate
from aecodec.networks.config import INDEX_UNIT, SCALE_COUNT
from aecodec.networks.gains import POSITION_BITS
from aecodec.networks.model import Model, entropy_parameters, from_network, to_network
from aecodec.networks.rate import symbols
from aecodec.uses.meter import Costs, measure

QUALITIES = (10, 40, 70, 100)
PICTURES = 6
SIDE = 256  # pixels; pictures are cut to this


def cost_of_fixed_point(model: Model, codec: Codec, pictures: Sequence[Pixels]) -> float | None:
    """BD-rate in percent of ``codec`` against ``model``, which it was exported from; None where it cannot be told.

    Counted are the ideal bits of both, with the same tables. ``pictures`` are (H, W) grey or (H, W, 3); cuts of a few
    of them are taken.
    """
    chosen = pictures[:: -(-len(pictures) // PICTURES)]
    cuts = [cut for pixels in chosen if (cut := _cut(pixels, codec)) is not None]
    if not cuts:
        return None
    curves = [
        Curve(side.__name__, tuple(_mean([side(model, codec, cut, quality) for cut in cuts]) for quality in QUALITIES))
        for side in (_float, _fixed)
    ]
    try:
        return bd_rate(*curves)
    except (CurveError, ModuleNotFoundError):
        return None


def _cut(pixels: Pixels, codec: Codec) -> Pixels | None:
    """A part (1, H, W, colours) of whole hyper latents; None where the picture has not one."""
    config = codec.card.config
    step = config.stride if codec.transform.largest else config.span
    height, width = (min(side, SIDE) // step * step for side in pixels.shape[:2])
    if not height or not width:
        return None
    part = pixels[:height, :width]
    colours = part[..., None] if part.ndim == 2 else part
    return np.repeat(colours, config.colours // colours.shape[-1], axis=-1)[None]


@torch.no_grad()
def _float(model: Model, codec: Codec, pixels: Pixels, quality: int) -> Point:
    position = codec.transform.gains.position(100 * quality)
    tables, q = codec.prior.tables_at(position), torch.tensor([position / 2**POSITION_BITS])
    y = model.analysis(to_network(torch.from_numpy(pixels))) * model.gains.forward_gain(q)
    z = model.hyper_analysis(y).round()
    first = model.hyper_synthesis(z)[:, :, : y.shape[2], : y.shape[3]]

    def restored(mean: Tensor, scale: Tensor) -> Tensor:
        return symbols(y - mean, scale) + mean

    mean, scale = entropy_parameters(model, first, restored)
    index = (scale * INDEX_UNIT).round().clamp(0, SCALE_COUNT - 1)
    coded, channels = index > 0, torch.arange(z.shape[1])[:, None, None].expand_as(z)
    bits = sum(
        Costs(of)(values.numpy().astype(np.int32), which.numpy().astype(np.intp)).sum(dtype=np.float64)
        for of, values, which in (
            (tables.of_hyper, z, channels),
            (tables.of_latents, symbols(y - mean, scale)[coded], index[coded]),
        )
    )
    x = from_network(model.synthesis(restored(mean, scale) * model.gains.inverse_gain(q)))
    return _point(quality, float(bits), pixels, x.numpy())


def _fixed(_: Model, codec: Codec, pixels: Pixels, quality: int) -> Point:
    grey = pixels.shape[-1] == 1
    measured = measure(codec, pixels[..., 0] if grey else pixels, quality)
    restored = measured.restored(grey)
    return _point(quality, float(measured.total_bits.sum()), pixels, restored[..., None] if grey else restored)


def _point(quality: int, bits: float, pixels: Pixels, restored: Pixels) -> Point:
    error = float(np.square(pixels.astype(np.float64) - restored).mean())
    return Point(quality, bits / pixels[..., 0].size, 10 * log10(255**2 / max(error, 1e-3)))


def _mean(points: Sequence[Point]) -> Point:
    rate, score = (float(np.mean([getattr(point, name) for point in points])) for name in ("bpp", "score"))
    return Point(points[0].quality, rate, score)
