"""Encoder and decoder walk through the latents in the same way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import skimage.data

from aecodec.codec import Codec
from aecodec.engine.symbols import SCALED_BITS
from aecodec.entropy.latents import EXCEPTIONS, TILE, Part, Reader, Tile, Writer, code, tiles
from aecodec.entropy.prior import Prior, Tables
from aecodec.entropy.range_coder import Symbols
from aecodec.errors import FormatError
from aecodec.networks.coding_order import HALVES, order_of
from aecodec.networks.config import ConvolutionalConfig
from aecodec.networks.fixed_point import PRIOR_BITS
from aecodec.networks.gains import GAIN_BITS
from aecodec.networks.model import coding_steps

BARE = Prior(8, 4, HALVES, None, (), ())  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (TILE, TILE), (TILE + 1, 2 * TILE + 3)])
def test_tiles_cover_the_grid_once(size: tuple[int, int]) -> None:
    seen = np.zeros((2, *size, 1), np.float32)
    for tile in tiles(*size):
        tile.of(seen)[:] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
@pytest.mark.parametrize("steps", [2, 3])
def test_the_order_of_coding_and_back(size: tuple[int, int], steps: int) -> None:
    x = np.random.default_rng(0).integers(-9, 9, (2, *size, 8), np.int32)
    prior = dataclasses.replace(BARE, order=order_of(steps))
    ordered = prior.ordered(x)
    assert np.array_equal(prior.restored(ordered), x)
    whole = np.zeros_like(x)
    for step in range(steps):
        Part(Tile(0, 0, *size), prior.order, step).put(ordered[..., prior.order.part(step, 8)], whole)
    assert np.array_equal(whole, x)


@pytest.mark.parametrize("steps", [2, 3])
def test_latents_are_coded_in_the_order_that_training_saw(steps: int) -> None:
    x = np.arange(4 * 5 * 8, dtype=np.int32).reshape(1, 4, 5, 8)
    step_of = coding_steps(ConvolutionalConfig(latent_channels=8, coding_steps=steps), 4, 5).permute(1, 2, 0).numpy()
    prior = dataclasses.replace(BARE, order=order_of(steps))
    for step in range(steps):
        part = prior.ordered(x)[..., prior.order.part(step, 8)]
        assert np.array_equal(part.ravel(), x[0][step_of == step])


def test_there_is_an_order_of_two_and_three_steps_only() -> None:
    with pytest.raises(ValueError, match="no order of 4 steps"):
        order_of(4)


@pytest.mark.parametrize(("q", "number"), [(0.0, 0), (0.06, 0), (0.07, 1), (0.5, 4), (0.93, 7), (0.94, 8), (1.0, 8)])
def test_the_tables_are_those_of_the_nearest_quality(photo: Codec, q: float, number: int) -> None:
    assert len(photo.prior.tables) == 9
    assert photo.prior.tables_at(round(q * 2**16)) is photo.prior.tables[number]


def test_a_model_may_have_one_set_of_tables_for_all_qualities(tiny: Codec) -> None:
    assert tiny.prior.tables_at(0) is tiny.prior.tables_at(2**16)


@pytest.mark.parametrize(("q", "other"), [(0.0, 0.5), (0.5, 0.0), (0.5, 1.0), (1.0, 0.5)])
def test_symbols_take_fewest_bytes_with_the_tables_of_their_quality(photo: Codec, q: float, other: float) -> None:
    y = photo.analyse(skimage.data.coffee()[None, :256])
    gain = photo.transform.gains.at(round(100 + 9900 * q))

    def size(tables: Tables) -> int:
        writer = Writer(photo.prior, tables, y, gain, photo.transform.hyper_analyse(y, gain))
        code(photo.prior, writer, gain, *y.shape[:3])
        return sum(map(len, writer.finish()))

    assert size(photo.prior.tables_at(round(q * 2**16))) < size(photo.prior.tables_at(round(other * 2**16)))


def test_a_batch_has_the_symbols_of_its_pictures(tiny: Codec) -> None:
    """Probabilities inside a batch are those of each picture alone, to the last bit."""
    prior, rng = tiny.prior, np.random.default_rng(0)
    tables, gain = prior.tables_at(2**15), tiny.transform.gains.at(5000)
    y = rng.normal(0, 1500, (5, 9, 7, prior.channels)).astype(np.int16)
    z = rng.normal(0, 3, (5, 3, 2, len(tables.of_hyper))).astype(np.int16)
    together = code(prior, Writer(prior, tables, y, gain, z), gain, 5, 9, 7)
    for i in range(5):
        writer = Writer(prior, tables, y[i : i + 1], gain, z[i : i + 1])
        alone = code(prior, writer, gain, 1, 9, 7)
        assert np.array_equal(alone[0], together[i])
        reader = Reader(tables, *writer.finish())
        assert np.array_equal(code(prior, reader, gain, 1, 9, 7), alone)
        assert reader.crc == writer.crc


@pytest.mark.parametrize("factor", [1, 3, 8])
def test_what_was_certain_to_be_zero_may_be_an_exception(photo: Codec, factor: int) -> None:
    """Beyond what training saw, predictions are far off; then each latent still comes back to half a step."""
    gain = photo.transform.gains.at(10_000)
    y = photo.analyse(skimage.data.coffee()[None, :256])
    y[0, 8:12, 8:12] = np.clip(factor * y[0, 8:12, 8:12].astype(int), -(2**15), 2**15 - 1)
    z = photo.transform.hyper_analyse(y, gain)
    tables = photo.prior.tables_at(2**16)
    writer = Writer(photo.prior, tables, y, gain, z)
    written = code(photo.prior, writer, gain, *y.shape[:3])
    assert (writer.exceptions > 0) == (factor > 3)
    reader = Reader(tables, *writer.finish())
    assert np.array_equal(code(photo.prior, reader, gain, *y.shape[:3]), written)
    reader.finish()
    assert reader.crc == writer.crc
    rounded = gain.undo((gain.apply(y) + 2**9 >> SCALED_BITS) << PRIOR_BITS).astype(int)
    step = gain.after * 2.0 ** (gain.bits_after - GAIN_BITS)
    error = np.abs(written - rounded)[0, 8:12, 8:12] / step
    assert np.percentile(error, 99) < 1.1


@pytest.mark.parametrize("escapes", [b"", b"\x02", b"\x02\x00", b"\x01\x00\x02", b"\x02\xfe\xff\x7f\x02"])
def test_exceptions_that_cannot_be_are_refused(escapes: bytes) -> None:
    """Of two latents whose scale index is 0: the number of exceptions, the place and the value of each."""
    payload, good = coded_exceptions(np.array([0, 5], np.int32))
    assert read_exceptions(payload, good).tolist() == [0, 5]
    with pytest.raises(FormatError):
        read_exceptions(payload, escapes)


def coded_exceptions(symbols: Symbols) -> tuple[bytes, bytes]:
    writer = Writer(BARE, Tables(EXCEPTIONS, EXCEPTIONS), *[None] * 3)  # type: ignore[arg-type]
    writer._write_exceptions(symbols)  # which a picture needs only where it is very strange
    return writer.finish()


def read_exceptions(payload: bytes, escapes: bytes) -> Symbols:
    symbols = np.zeros(2, np.int32)
    Reader(Tables(EXCEPTIONS, EXCEPTIONS), payload, escapes)._read_exceptions(symbols, np.zeros(2, np.uint8))
    return symbols
