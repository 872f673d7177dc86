"""What the meter says is what files cost."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.codec import Codec, load_codec
from aecodec.entropy import latents
from aecodec.errors import FormatError
from aecodec.stack import encode_stack
from aecodec.uses.meter import measure, measured_file, measured_in_pieces
from aecodec.uses.sampler import Sampler
from tests.conftest import TINY


def test_bits_are_those_of_the_file(tiny: Codec, picture: np.typing.NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)  # which needs escapes
    for pixels in (picture, picture[:50, :70], noise):
        coded = tiny.write_latents(tiny.analyse(pixels[None]), 6000)
        size = 8 * (len(coded.payload) + len(coded.escapes))
        assert measure(tiny, pixels[None], 60).total_bits[0] == pytest.approx(size, rel=0.002, abs=64)


def test_a_file_measures_as_its_picture_does(tiny: Codec, picture: np.typing.NDArray[np.uint8]) -> None:
    found = measure(tiny, picture[None], 40)
    data = tiny.encode(picture, 40, effort=0, fallback=False)
    (read,) = measured_file(data, [TINY])
    for name in ("hyper", "hyper_bits", "symbols", "means", "indexes", "bits"):
        assert np.array_equal(getattr(read, name), getattr(found, name)), name
    assert np.array_equal(read.restored(grey=False)[0], tiny.decode(data))
    assert found.bit_map.sum() == pytest.approx(found.total_bits.sum(), rel=1e-5)


def test_a_stack_measures_as_its_pictures_do(tiny: Codec, picture: np.typing.NDArray[np.uint8]) -> None:
    pictures = np.stack([picture[i : i + 64, :90, 0] for i in range(30)])
    data = encode_stack(pictures, 50, tiny, effort=0, fallback=False)
    chunks = list(measured_file(data, [TINY]))
    assert len(chunks) > 1
    symbols = np.concatenate([chunk.symbols for chunk in chunks])
    assert np.array_equal(symbols, np.concatenate([m.symbols for m in measured_in_pieces(tiny, pictures, 50)]))


def test_pictures_without_loss_have_no_latents(tiny: Codec) -> None:
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    with pytest.raises(FormatError, match="without loss"):
        list(measured_file(tiny.encode(checkers, 90), [TINY]))


def test_drawn_symbols_have_the_probabilities_of_the_tables() -> None:
    codec = load_codec("digits")
    tables = codec.prior.tables_at(2**15)
    sampler = Sampler(tables, np.random.default_rng(0))
    drawn = sampler.hyper(4000, 1, 1)
    for channel, table in enumerate(tables.of_hyper[:8]):
        values = np.arange(table.minimum, table.minimum + table.escape)
        expected = table.frequencies[:-1] / table.frequencies[:-1].sum()
        seen = np.array([(drawn[..., channel] == value).mean() for value in values])
        assert np.abs(seen - expected).max() < 0.04


def test_drawn_latents_are_the_same_for_the_same_seed(tiny: Codec) -> None:
    tables = tiny.prior.tables_at(2**15)
    first, again, other = (
        latents.code(tiny.prior, Sampler(tables, np.random.default_rng(seed)), tiny.transform.gains.at(5000), 2, 5, 4)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
