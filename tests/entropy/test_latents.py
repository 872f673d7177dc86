"""Encoder and decoder walk through the latents in the same way."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from aecodec.codec import LOSS, Codec
from aecodec.entropy.latents import TILE, Part, Reader, Tables, Tile, Writer, code, tiles
from aecodec.networks.coding_order import HALVES, PHASES, QUARTERS, Order, order_of
from aecodec.networks.config import ConvolutionalConfig
from aecodec.networks.model import coding_steps


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (TILE, TILE), (TILE + 1, 2 * TILE + 3)])
def test_tiles_cover_the_grid_once(size: tuple[int, int]) -> None:
    seen = np.zeros((2, *size, 1), np.float32)
    for tile in tiles(*size):
        tile.of(seen)[:] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
@pytest.mark.parametrize("order", [HALVES, QUARTERS])
def test_the_parts_of_all_steps_make_the_whole(size: tuple[int, int], order: Order) -> None:
    x = np.random.default_rng(0).normal(size=(2, *size, 8)).astype(np.float32)
    whole = np.zeros_like(x)
    for step in range(order.steps):
        part = Part(Tile(0, 0, *size), order, step)
        part.put(part.pick(x), whole)
    assert np.array_equal(whole, x)


@pytest.mark.parametrize("steps", [2, 3])
def test_latents_are_coded_in_the_order_that_training_saw(steps: int) -> None:
    x = np.arange(4 * 5 * 8, dtype=np.float32).reshape(1, 4, 5, 8)
    step_of = coding_steps(ConvolutionalConfig(latent_channels=8, coding_steps=steps), 4, 5).permute(1, 2, 0).numpy()
    for step in range(steps):
        part = Part(Tile(0, 0, 4, 5), order_of(steps), step).pick(x)
        assert np.array_equal(part.ravel(), x[0][step_of == step])


@pytest.mark.parametrize("order", [HALVES, QUARTERS])
def test_what_is_known_was_coded_before(order: Order) -> None:
    for step in range(1, order.steps):
        for phase in range(len(PHASES)):
            before = {c for s in range(step) for c in range(8)[order.coded(s, phase, 8)]}
            assert before == set(range(8)[order.known(step, phase, 8)])


def test_there_is_an_order_of_two_and_three_steps_only() -> None:
    with pytest.raises(ValueError, match="no order of 4 steps"):
        order_of(4)


@pytest.mark.parametrize(("q", "number"), [(0.0, 0), (0.06, 0), (0.07, 1), (0.5, 4), (0.93, 7), (0.94, 8), (1.0, 8)])
def test_the_tables_are_those_of_the_nearest_quality(photo: Codec, q: float, number: int) -> None:
    assert len(photo.prior.tables) == 9
    assert photo.prior.tables_at(q) is photo.prior.tables[number]


def test_a_model_may_have_one_set_of_tables_for_all_qualities(tiny: Codec) -> None:
    assert tiny.prior.tables_at(0.0) is tiny.prior.tables_at(1.0)


@pytest.mark.parametrize(("q", "other"), [(0.0, 0.5), (0.5, 0.0), (0.5, 1.0), (1.0, 0.5)])
def test_symbols_take_fewest_bytes_with_the_tables_of_their_quality(photo: Codec, q: float, other: float) -> None:
    y = photo.analyse(skimage.data.coffee()[None, :256])
    gain, _ = photo.transform.gains(q)

    def size(tables: Tables) -> int:
        writer = Writer(tables, y, gain, photo.transform.hyper_analyse(y * gain))
        code(photo.prior, writer, *y.shape[:3])
        return sum(map(len, writer.finish()))

    assert size(photo.prior.tables_at(q)) < size(photo.prior.tables_at(other))


def test_a_batch_has_the_symbols_of_its_pictures(tiny: Codec) -> None:
    """Probabilities inside a batch are those of each picture alone, to the last bit."""
    prior, rng = tiny.prior, np.random.default_rng(0)
    tables = prior.tables_at(0.5)
    y = rng.normal(0, 3, (5, 9, 7, prior.channels)).astype(np.float32)
    z = rng.normal(0, 3, (5, 3, 2, len(tables.of_hyper))).astype(np.float32)
    gain = np.full(prior.channels, 1.5, np.float32)
    together = code(prior, Writer(tables, y, gain, z), 5, 9, 7)
    for i in range(5):
        writer = Writer(tables, y[i : i + 1], gain, z[i : i + 1])
        alone = code(prior, writer, 1, 9, 7)
        assert np.array_equal(alone[0], together[i])
        reader = Reader(tables, *writer.finish())
        assert np.array_equal(code(prior, reader, 1, 9, 7), alone)
        assert reader.crc == writer.crc


def test_of_two_codings_the_one_that_loses_less_is_taken_where_predictions_are_far_off(photo: Codec) -> None:
    """Beyond what training saw, symbols that are not zero may be taken for certain to be zero, and are not coded."""
    tables, (gain, _) = photo.prior.tables_at(1.0), photo.transform.gains(1.0)
    taken = []
    for factor in (1, 3, 5, 6, 8, 10):
        y = photo.analyse(skimage.data.coffee()[None, :256])
        y[0, 8:12, 8:12] *= factor
        z = photo.transform.hyper_analyse(y * gain)
        plain, within = (Writer(tables, y, gain, each) for each in (z, tables.covered(z)))
        for writer in (plain, within):
            code(photo.prior, writer, *y.shape[:3])
        enough = plain.lost <= LOSS * y.size or plain.lost <= within.lost
        assert photo.write_latents(y, 10_000).crc == (plain if enough else within).crc
        taken.append("plain" if enough else "within")
    assert taken[0] == "plain" and "within" in taken
