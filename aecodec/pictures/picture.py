"""The picture that is stored: samples of grey or RGB, alpha and metadata beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aecodec.errors import ImageError
from aecodec.pictures import orientation, profiles
from aecodec.pictures.chunks import COLOUR, DENSITY, Chunk, density_chunk, turned
from aecodec.pictures.hidden import fill_smoothly

Pixels = npt.NDArray[np.uint8]
Samples: TypeAlias = npt.NDArray[Any]  # uint8, or uint16 where coding is lossless


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W) grey or (H, W, 3) RGB, alpha (H, W), all uint8, or uint16 for lossless coding; metadata as the
    source had them.

    ``chunks`` says how colours are meant, the density and texts, in the chunks that PNG has for it.
    """

    pixels: Samples
    alpha: Samples | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    chunks: tuple[Chunk, ...] = ()

    @property
    def height(self) -> int:
        """Rows of the picture, in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of the picture, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Of the colour: 1 or 3."""
        return 1 if self.pixels.ndim == 2 else 3

    @property
    def depth(self) -> int:
        """Bits a sample, 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    def upright(self) -> Picture:
        """The picture turned as its Exif or XMP orientation says, which these then say no more."""
        turn = orientation.read(self.exif, self.xmp)
        if turn == 1:
            return self
        alpha = None if self.alpha is None else orientation.turn(self.alpha, turn)
        exif, xmp = orientation.cleared(self.exif, self.xmp)
        pixels = orientation.turn(self.pixels, turn)
        chunks = turned(self.chunks) if turn in orientation.ON_THE_SIDE else self.chunks
        return replace(self, pixels=pixels, alpha=alpha, exif=exif, xmp=xmp, chunks=chunks)

    def without_metadata(self) -> Picture:
        """The same pixels without colour profile, Exif, XMP, IPTC, density and texts.

        The few bytes that say which colours are meant where no profile does are kept, unless these are those of sRGB.
        """
        colour = tuple(chunk for chunk in self.chunks if chunk.type in COLOUR)
        if profiles.said_by(colour, self.channels) == (None, True):
            colour = ()
        return replace(self, icc=None, exif=None, xmp=None, iptc=None, chunks=colour)

    def with_smooth_hidden_colours(self) -> Picture:
        """The picture with colours below full transparency that cost few bytes and do not bleed into what is seen."""
        if self.alpha is None or self.alpha.all():
            return self
        return replace(self, pixels=fill_smoothly(self.pixels, self.alpha > 0))

    def in_colour(self) -> Picture:
        """A grey picture as RGB."""
        if self.channels == 3:
            return self
        return replace(self, pixels=np.repeat(self.pixels[:, :, None], 3, axis=2))


def with_density(picture: Picture, across: float, down: float) -> Picture:
    """The picture with so many pixels per inch."""
    chunk = density_chunk(across, down)
    others = tuple(each for each in picture.chunks if each.type != DENSITY)
    return replace(picture, chunks=others if chunk is None else (*others, chunk))


def from_array(array: npt.ArrayLike, deep: bool = False) -> Picture:
    """A picture of an array of uint8, 0..255, or where ``deep`` uint16: (H, W) or (H, W, 1) grey, (H, W, 2) grey and
    alpha, (H, W, 3) RGB, (H, W, 4) RGB and alpha. Raises ImageError for any other.
    """
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype == np.uint16 and not deep:
        raise ImageError("an array of uint16, which only lossless coding keeps; scale it to 0..255 as uint8")
    if array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"an array of {array.dtype}; pixels are uint8: scale to 0..255, round and convert it first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4) or array.size == 0:
        raise ImageError(f"an array of shape {array.shape}; a picture is (H, W) or (H, W, channels) with 1..4 channels")
    if array.ndim == 2:
        return Picture(np.ascontiguousarray(array))
    alpha = np.ascontiguousarray(array[:, :, -1]) if array.shape[2] in (2, 4) else None
    pixels = array[:, :, 0] if array.shape[2] < 3 else array[:, :, :3]
    return Picture(np.ascontiguousarray(pixels), alpha)


def to_array(picture: Picture) -> Samples:
    """The inverse of :func:`from_array`: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if picture.alpha is None:
        return picture.pixels
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[:, :, None]
    return np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)
