"""Rounding: zeros are wider where ones are dear, and files are smaller for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data

from aecodec.codec import Codec
from aecodec.entropy import latents
from aecodec.evaluation.curves import bd_rate
from aecodec.networks.config import SCALE_COUNT
from aecodec.networks.dead_zone import DEAD_ZONE, ERROR_WEIGHT
from tests.curves import curve

NEAREST = np.full(SCALE_COUNT, 0.5, np.float32)


def test_a_zero_is_wider_where_a_one_costs_more() -> None:
    wider = DEAD_ZONE - NEAREST
    assert wider[0] == 0  # nothing but zeros can be coded there
    assert np.all(np.diff(wider[1:]) < 0)
    assert 0.1 < wider[1] < 0.2
    assert 0 <= wider[-1] < 1e-4


def test_at_its_edge_a_zero_costs_as_much_as_a_one() -> None:
    for index, scale in ((1, 0.1217), (32, 2.797), (SCALE_COUNT - 1, 64.0)):
        below_half, below_one_half = (math.erf(edge / scale / math.sqrt(2)) for edge in (0.5, 1.5))
        saved = math.log2(below_half / ((below_one_half - below_half) / 2))
        edge = float(DEAD_ZONE[index])
        assert ERROR_WEIGHT * (edge**2 - (1 - edge) ** 2) == pytest.approx(saved, rel=0.01, abs=1e-3)


def test_files_are_smaller_at_equal_quality(photo: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [skimage.data.coffee()[:256, :384], skimage.data.chelsea()[:256, :384]]
    cheapest = curve(photo, pictures)
    monkeypatch.setattr(latents, "ZONE", np.full(SCALE_COUNT, 2**9, np.int32))
    assert bd_rate(curve(photo, pictures), cheapest) < -0.2
