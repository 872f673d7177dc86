"""Latents to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec.codec import Codec, load_codec
from aecodec.training.plot import draw_latents
from aecodec.uses.channels import BINS, activity, dearest, deviations, maps, strip
from aecodec.uses.meter import measure
from tests.uses.test_commands import grounds


def test_the_dearest_channels_are_shown(tiny: Codec) -> None:
    measured = measure(tiny, grounds(3))
    found = dearest(measured, 1, 4)
    bits = measured.bits[1].sum((0, 1))
    assert bits[found[0]] == bits.max() and (np.diff(bits[found]) <= 0).all()
    shown = maps(measured, 1, 4)
    assert np.array_equal(shown[2], measured.latents[1, :, :, found[2]])
    picture = strip(measured, 1, 4, 12)
    assert picture.shape == (12, 48)
    assert int(picture[0, 24]) > 128 if shown[2, 0, 0] > 0.01 else int(picture[0, 24]) <= 128
    assert (strip(measured, 1, 500, 2)[:, 2 * len(bits) :] == 128).all()


def test_latents_lie_as_the_prior_says() -> None:
    codec = load_codec("photo-psnr")
    measured = measure(codec, grounds(1).repeat(3, 1).repeat(3, 2))
    counts = deviations(measured)
    places = (np.arange(BINS) + 0.5) * 10 / BINS - 5
    assert counts.sum() > 0.99 * (measured.indexes > 0).sum()
    assert float(np.average(places, weights=counts)) == pytest.approx(0, abs=0.15)
    assert activity(measured).shape == (codec.prior.channels,)


def test_the_plot_of_a_run(tiny: Codec, tmp_path: Path) -> None:
    assert draw_latents(measure(tiny, grounds(1)), tmp_path / "latents.png")
    with Image.open(tmp_path / "latents.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert image.width > 1000
    assert (pixels[..., 2] - pixels[..., 0] > 60).sum() > 1000  # bars
