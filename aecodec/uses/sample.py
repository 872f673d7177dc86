"""New pictures: drawn from a model of small pictures, or variations of a given one."""

from __future__ import annotations

import numpy as np

from aecodec.codec import Codec, Pixels
from aecodec.entropy import latents
from aecodec.entropy.latents import Part
from aecodec.entropy.range_coder import Indexes, Symbols
from aecodec.errors import ModelError
from aecodec.format.container import Coding, Header
from aecodec.networks.fixed_point import PRIOR_BITS, Int16, Int32
from aecodec.options import DEFAULT_QUALITY, hundredths
from aecodec.uses.meter import Measured, measure
from aecodec.uses.mixture import Mixture, rounded
from aecodec.uses.sampler import Sampler


def draw(codec: Codec, mixture: Mixture | None, count: int, seed: int = 0, quality: float = DEFAULT_QUALITY) -> Pixels:
    """Pictures (count, H, W[, 3]) such as the model was trained on, uint8.

    Hyper latents come from the mixture, whose quality then counts, or else from the prior, channel by channel. Raises
    ModelError where the model is one of pictures of any size: nobody has told it what a whole picture is.
    """
    side = codec.transform.largest
    if side is None:
        raise ModelError(f"the model {codec.card.name} is for pictures of any size and can only vary a given one")
    size = mixture.size if mixture else (side, side)
    gains, at = codec.transform.gains, hundredths(mixture.quality if mixture else quality)
    grid = codec.transform.grid(*size)
    random = np.random.default_rng(seed)
    hyper = None
    if mixture:
        rows, columns = (-(-each // codec.prior.hyper_stride) for each in grid)
        hyper = rounded(mixture.draw(count, random), (rows, columns, codec.card.config.hyper_channels))
    sampler = Sampler(codec.prior.tables_at(gains.position(at)), random, hyper)
    drawn = latents.code(codec.prior, sampler, gains.at(at), count, *grid)
    return _shown(codec, drawn, size, codec.card.config.colours)


def vary(
    codec: Codec, picture: Pixels, count: int, strength: float, seed: int = 0, quality: float = DEFAULT_QUALITY
) -> Pixels:
    """Variations (count, H, W[, 3]) of one picture, of whose latents a share ``strength`` (0..1) is drawn anew."""
    measured = measure(codec, picture[None], quality)
    gains, at, random = codec.transform.gains, hundredths(quality), np.random.default_rng(seed)
    sampler = Sampler(codec.prior.tables_at(gains.position(at)), random)
    side = _Varying(codec, measured, sampler, random, strength)
    found = [latents.code(codec.prior, side, gains.at(at), 1, *measured.symbols.shape[1:3]) for _ in range(count)]
    return _shown(codec, np.concatenate(found), measured.size, 1 if picture.ndim == 2 else 3)


class _Varying:
    """A side that has the latents of a measured picture, some of them drawn anew."""

    def __init__(
        self, codec: Codec, picture: Measured, sampler: Sampler, random: np.random.Generator, strength: float
    ) -> None:
        self._prior, self._picture, self._sampler = codec.prior, picture, sampler
        self._random, self._strength = random, strength
        self._latents = np.rint(picture.latents).astype(np.int32)

    def hyper(self, count: int, height: int, width: int) -> Int16:
        return self._picture.hyper

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        coded = part.order.part(part.step, self._prior.channels)
        kept = self._prior.ordered(part.tile.of(self._latents))[..., coded]
        own = (kept - np.rint(mean * 2.0**-PRIOR_BITS).astype(np.int32)) * (index > 0)
        anew = self._random.random(index.shape) < self._strength
        return np.where(anew, self._sampler.step(part, mean, index), own)


def _shown(codec: Codec, drawn: Int16, size: tuple[int, int], channels: int) -> Pixels:
    return codec.synthesise(drawn, Header(size[1], size[0], 1 if channels == 1 else 3, Coding.LATENTS))
