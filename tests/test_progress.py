"""Who codes a picture can be told how much of it is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aecodec import transform
from aecodec.bisection import last_that_fits, most_tries
from aecodec.codec import Codec, Pixels, decode_picture
from aecodec.entropy import latents
from aecodec.pictures.images import from_array, to_array
from aecodec.progress import Stage
from aecodec.stack import decode_stack, encode_stack
from tests.conftest import TINY
from tests.training_data import tiles


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of a few latents is worked on in as many parts as a large one; alone, so that they end in order."""
    monkeypatch.setattr(transform, "HIGHEST", 4)
    monkeypatch.setattr(latents, "TILE", 4)
    monkeypatch.setenv("AECODEC_THREADS", "1")


@pytest.mark.parametrize(
    "goal",
    [{}, {"effort": 2}, {"target_size": 3000}, {"target_size": 3000, "effort": 1}, {"bpp": 0.5}, {"score": 10}],
    ids=str,
)
def test_an_encoder_tells_how_much_is_done(tiny: Codec, picture: Pixels, goal: dict[str, Any]) -> None:
    told: list[float] = []
    data = tiny.encode_picture(from_array(picture), fallback=False, progress=told.append, **goal)
    assert len(told) > 10
    assert told == sorted(told)
    assert 0 < told[0] < 0.25
    assert told[-1] <= 1 + 1e-9
    assert goal or told[-1] == pytest.approx(1)  # what is sought may be found sooner
    assert data == tiny.encode_picture(from_array(picture), fallback=False, **goal)


def test_effort_is_most_of_the_work(tiny: Codec, picture: Pixels) -> None:
    quick, thorough = list[float](), list[float]()
    tiny.encode_picture(from_array(picture), progress=quick.append)
    tiny.encode_picture(from_array(picture), effort=4, progress=thorough.append)
    assert len(thorough) > 3 * len(quick)  # each step counts, not only each tile
    analysed = quick.index(max(share for share in quick if share < 0.75))
    assert thorough[analysed] < 0.1


def test_a_decoder_tells_how_much_is_done(tiny: Codec, picture: Pixels) -> None:
    told: list[float] = []
    data = tiny.encode(picture)
    restored = decode_picture(data, TINY, progress=told.append)
    assert np.array_equal(to_array(restored), tiny.decode(data))
    assert len(told) > 4
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_stacks_tell_how_many_chunks_are_done(tiny: Codec) -> None:
    told: list[float] = []
    pictures = tiles(7, 300)  # each a chunk of its own
    data = encode_stack(pictures, model=tiny, fallback=False, progress=told.append)
    decode_stack(data, models=TINY, progress=told.append)
    assert told == pytest.approx([n / 7 for n in range(1, 8)] * 2)


def test_whoever_listens_can_end_the_work(tiny: Codec, picture: Pixels) -> None:
    def stop(share: float) -> None:
        raise InterruptedError(f"at {share:.2f}")

    with pytest.raises(InterruptedError):
        tiny.encode_picture(from_array(picture), progress=stop)


def test_stages_follow_each_other() -> None:
    told: list[float] = []
    first, second = Stage(told.append).split(1, 3)
    for stage in (first, *second.split(1, 1)):
        done = stage.counter(2)
        done()
        done()
    assert told == pytest.approx([0.125, 0.25, 0.4375, 0.625, 0.8125, 1])


@pytest.mark.parametrize("high", [1, 2, 3, 7, 8, 198, 9900])
def test_a_bisection_tries_no_more_often_than_it_says(high: int) -> None:
    for found in {0, 1, high // 3, high - 1, high}:
        tried: list[int] = []
        last_that_fits(0, high, lambda n, tried=tried: tried.append(n) or n, lambda n, found=found: n <= found)  # type: ignore[misc]
        assert len(tried) <= most_tries(0, high)
