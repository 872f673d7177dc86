"""``aecodec evaluate``: an existing model against other codecs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.commands import cli, save
from tests.training_data import tiles


def test_a_model_is_compared_on_an_array(here: Path) -> None:
    np.save("pictures.npy", tiles(4, 40))
    said = cli("evaluate", "tiny", "pictures.npy").stdout
    assert "On 4 pictures (6,400 pixels), in one file" in said
    assert "AVIF s6" in said
    numbers = json.loads(cli("evaluate", "tiny", "pictures.npy", "--json").stdout)
    assert numbers["evaluated_pictures"] == 4
    assert numbers["evaluated_bpp"] > 0


def test_what_cannot_be_compared_is_named(here: Path) -> None:
    save(here / "pictures" / "a.png")
    assert "no model named 'nothing'" in cli("evaluate", "nothing", "pictures", code=1).stderr
    (here / "empty").mkdir()
    assert "empty: no pictures below it" in cli("evaluate", "tiny", "empty", code=1).stderr
