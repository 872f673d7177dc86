"""Colours that nobody sees cost nothing and do not bleed into what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.pictures.hidden import fill_smoothly
from aecodec.pictures.images import Pixels


def test_what_is_seen_stays_and_the_rest_is_smooth() -> None:
    y, x = np.mgrid[:37, :53]
    ramp = np.stack([x * 4, y * 6, 255 - x * 4], -1).astype(np.uint8)
    seen = np.hypot(x - 26, y - 18) < 12
    seen[0, 0] = True
    noise = np.random.default_rng(3).integers(0, 256, ramp.shape, np.uint8)
    filled = fill_smoothly(np.where(seen[..., None], ramp, noise), seen)
    assert np.array_equal(filled[seen], ramp[seen])

    def rough(pixels: Pixels) -> float:
        return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())

    assert rough(filled) < 8 < rough(np.where(seen[..., None], ramp, noise))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (33, 64, 3)])
def test_any_size_and_nothing_seen(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    assert fill_smoothly(pixels, np.zeros(shape[:2], bool)).shape == shape
    assert np.array_equal(fill_smoothly(pixels, np.ones(shape[:2], bool)), pixels)


@pytest.mark.parametrize("grey", [False, True])
def test_hidden_colours_change_neither_bytes_nor_pixels(tiny: Codec, picture: Pixels, grey: bool) -> None:
    photo = picture[:96, :96, :1] if grey else picture[:96, :96]
    alpha = np.zeros((96, 96, 1), np.uint8)
    alpha[30:70, 20:80] = 200
    rng = np.random.default_rng(3)
    hidden = [photo, 0 * photo, rng.integers(0, 256, photo.shape, np.uint8)]
    files = [tiny.encode(np.concatenate([np.where(alpha > 0, photo, h), alpha], -1), 50) for h in hidden]
    assert files[0] == files[1] == files[2]


def test_lossless_keeps_hidden_colours(tiny: Codec, picture: Pixels) -> None:
    rgba = np.concatenate([picture[:40, :40], np.zeros((40, 40, 1), np.uint8)], -1)
    assert np.array_equal(tiny.decode(tiny.encode(rgba, lossless=True)), rgba)
