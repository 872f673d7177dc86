"""What coding knows of every latent: its bits, the mean and the scale that were predicted for it.

A :class:`Meter` stands between :func:`aecodec.entropy.latents.code` and the side that rounds or reads the symbols, so
that pictures are measured without being written, and files without restoring a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aecodec.codec import Codec, CodedLatents, Pixels, codec_for
from aecodec.entropy import latents
from aecodec.entropy.latents import Part, Side
from aecodec.entropy.prior import Tables
from aecodec.entropy.range_coder import TOTAL_BITS, Indexes, Symbols, Table
from aecodec.errors import DecodeError, FormatError
from aecodec.format.container import MAX_PIXELS, Coding, Contents, Header, parse
from aecodec.networks.fixed_point import PRIOR_BITS, Int16, Int32
from aecodec.options import DEFAULT_QUALITY, hundredths
from aecodec.stack import parse_index

Floats = npt.NDArray[np.float32]

PIECE = 2**19  # pixels that are measured at once, one picture at least


@dataclass(frozen=True)
class Measured:
    """What is known of N pictures of one size, (N, h, w, M) each; of hyper latents (N, rows, columns, Z)."""

    codec: Codec
    quality: float
    size: tuple[int, int]  # height and width of the pictures
    hyper: Int16
    hyper_bits: Floats
    symbols: Symbols
    means: Floats  # as predicted, in quantisation steps
    indexes: Indexes  # of the scale: 0 is zero but for exceptions, see aecodec.networks.config.standard_deviation
    bits: Floats
    decoded: Int16  # what the synthesis is given

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def latents(self) -> Floats:
        """What the decoder knows, in quantisation steps."""
        return np.asarray(self.means + self.symbols, np.float32)

    @property
    def total_bits(self) -> Floats:
        """Of each picture (N,), as its symbols cost; a file has its header besides."""
        return np.asarray(_sums(self.bits) + _sums(self.hyper_bits), np.float32)

    @property
    def bit_map(self) -> Floats:
        """Bits of each position (N, h, w), those of hyper latents spread evenly over the positions they are for."""
        stride = self.codec.card.config.hyper_stride
        below = self.hyper_bits.sum(-1) / stride**2
        height, width = self.bits.shape[1:3]
        spread = below.repeat(stride, axis=1).repeat(stride, axis=2)[:, :height, :width]
        return np.asarray(self.bits.sum(-1) + spread, np.float32)

    def restored(self, grey: bool) -> Pixels:
        """The pictures as a decoder shows them, (N, H, W) or (N, H, W, 3)."""
        header = Header(self.size[1], self.size[0], 1 if grey else 3, Coding.LATENTS)
        return self.codec.synthesise(self.decoded, header)


class Meter:
    """A side that notes what another one writes or reads, and what coding knows of it."""

    def __init__(self, side: Side, tables: Tables, shape: tuple[int, int, int, int]) -> None:
        """``shape``: (N, h, w, M)."""
        self._side = side
        self._of_latents, self._of_hyper = Costs(tables.of_latents), Costs(tables.of_hyper)
        self.symbols = np.zeros(shape, np.int32)
        self.means, self.bits = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.indexes = np.zeros(shape, np.uint8)

    def hyper(self, count: int, height: int, width: int) -> Int16:
        self.hyper_symbols = self._side.hyper(count, height, width)
        channels = np.broadcast_to(np.arange(self.hyper_symbols.shape[-1]), self.hyper_symbols.shape)
        self.hyper_bits = self._of_hyper(self.hyper_symbols.astype(np.int32), channels)
        return self.hyper_symbols

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        symbols = self._side.step(part, mean, index)
        bits, coded = np.zeros(index.shape, np.float32), index > 0
        bits[coded] = self._of_latents(symbols[coded], index[coded])
        bits[~coded] = _exceptions(symbols[~coded])
        tile = part.tile
        part.put(symbols, tile.of(self.symbols))
        part.put((mean * 2.0**-PRIOR_BITS).astype(np.float32), tile.of(self.means))
        part.put(index, tile.of(self.indexes))
        part.put(bits, tile.of(self.bits))
        return symbols


class Costs:
    """The bits that symbols cost with each of several tables."""

    def __init__(self, tables: Sequence[Table]) -> None:
        sizes = np.array([len(table.frequencies) for table in tables])
        self._start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._minimum = np.array([table.minimum for table in tables])
        self._escape = sizes - 1
        frequencies = np.concatenate([table.frequencies for table in tables])
        self._bits = (TOTAL_BITS - np.log2(frequencies)).astype(np.float32)

    def __call__(self, symbols: Symbols, tables: npt.NDArray[np.integer]) -> Floats:
        """Bits of each symbol with the table of that number, in the same shape."""
        place = symbols - self._minimum[tables]
        escape = self._escape[tables]
        outside = (place < 0) | (place >= escape)
        bits = np.asarray(self._bits[self._start[tables] + np.where(outside, escape, place)])
        if outside.any():
            bits[outside] += 8 * _bytes(symbols[outside])
        return bits


def _bytes(values: Symbols) -> Floats:
    """Of integers that are written beside the symbols: seven bits in each, after the sign has become the last bit."""
    doubled = np.where(values >= 0, 2.0 * values, -2.0 * values - 1)
    return np.asarray(np.maximum(1, np.ceil(np.log2(doubled + 1) / 7)), np.float32)


def _exceptions(symbols: Symbols) -> Floats:
    """Bits of symbols (n,) that were to be zero: where they are not, they are written with the gap before them."""
    bits = np.zeros(symbols.shape, np.float32)
    places = np.flatnonzero(symbols)
    if len(places):
        gaps = (np.diff(places, prepend=-1) - 1).astype(np.int32)
        bits[places] = 8 * (_bytes(gaps) + _bytes(symbols[places]))
    return bits


def measure(codec: Codec, pixels: Pixels, quality: float = DEFAULT_QUALITY) -> Measured:
    """Measure pictures (N, H, W) grey or (N, H, W, 3) as they would be coded at effort 0. Raises ImageError."""
    y = codec.analyse(pixels)
    gains = codec.transform.gains
    gain, tables = gains.at(hundredths(quality)), codec.prior.tables_at(gains.position(hundredths(quality)))
    z = codec.transform.hyper_analyse(y, gain)
    found: list[tuple[Meter, Int16]] = []
    for each in (z, tables.covered(z)):  # as the encoder decides it
        side = latents.Quantiser(codec.prior, y, gain, each)
        meter = Meter(side, tables, y.shape)
        found.append((meter, latents.code(codec.prior, meter, gain, *y.shape[:3])))
        if not side.exceptions:
            break
    meter, decoded = min(found, key=lambda each: float(each[0].bits.sum() + each[0].hyper_bits.sum()))
    return _measured(codec, quality, pixels.shape[1:3], meter, decoded)


def measured_in_pieces(codec: Codec, pixels: Pixels, quality: float = DEFAULT_QUALITY) -> Iterator[Measured]:
    """As :func:`measure`, a few of many pictures at a time, so that memory stays bounded."""
    step = max(1, PIECE // max(1, pixels[0, ..., 0].size if pixels.ndim == 4 else pixels[0].size))
    for start in range(0, len(pixels), step):
        yield measure(codec, pixels[start : start + step], quality)


def measured_file(data: bytes, models: Sequence[Path] = (), max_pixels: int | None = MAX_PIXELS) -> Iterator[Measured]:
    """Measure the picture of an .aec file, or those of a stack chunk by chunk, from their symbols alone.

    Raises what decoding raises; FormatError also where pictures were stored without loss and so have no latents.
    """
    contents = parse(data, max_pixels)
    header = contents.header
    if header.coding != Coding.LATENTS:
        raise FormatError("stored without loss, and so without latents; restore the pictures, and measure those")
    codec = codec_for(header, models)
    for count, coded in _coded(contents):
        yield _read(codec, coded, count, header)


def _coded(contents: Contents) -> Iterator[tuple[int, CodedLatents]]:
    """How many pictures, and their symbols."""
    if contents.header.count is None:
        yield 1, CodedLatents(contents.payload, contents.escapes, contents.header.symbols_crc)
    else:
        for chunk in parse_index(contents):
            yield chunk.stop - chunk.start, chunk.coded


def _read(codec: Codec, coded: CodedLatents, count: int, header: Header) -> Measured:
    gains = codec.transform.gains
    tables = codec.prior.tables_at(gains.position(header.quality))
    grid = codec.transform.grid(header.height, header.width)
    reader = latents.Reader(tables, coded.payload, coded.escapes)
    meter = Meter(reader, tables, (count, *grid, codec.prior.channels))
    decoded = latents.code(codec.prior, meter, gains.at(header.quality), count, *grid)
    reader.finish()
    if reader.crc != coded.crc:
        raise DecodeError("decoded symbols are not those that were encoded")
    return _measured(codec, header.quality / 100, (header.height, header.width), meter, decoded)


def _measured(codec: Codec, quality: float, size: tuple[int, ...], meter: Meter, decoded: Int16) -> Measured:
    height, width = size
    hyper = meter.hyper_symbols, meter.hyper_bits
    return Measured(
        codec, quality, (height, width), *hyper, meter.symbols, meter.means, meter.indexes, meter.bits, decoded
    )


def _sums(bits: Floats) -> Floats:
    return np.asarray(bits.sum((1, 2, 3), dtype=np.float64), np.float32)
