"""Latents in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from aecodec.codec import Codec
from aecodec.uses.transformer import Latents
from tests.conftest import TINY
from tests.uses.test_commands import grounds


def test_rows_are_pictures(tiny: Codec) -> None:
    pictures = grounds(6)[:, :24, :24]
    shaped, rows = Latents(TINY), Latents(TINY)
    values = shaped.fit_transform(pictures)
    assert np.array_equal(values, rows.fit_transform(pictures.reshape(6, -1)))
    assert list(shaped.get_feature_names_out()[:2]) == ["means_r0_c0_0", "means_r0_c0_1"]
    assert len(shaped.get_feature_names_out()) == values.shape[1]
    with pytest.raises(ValueError, match="shape"):
        shaped.transform(grounds(2))


def test_latents_become_the_pictures_that_a_file_restores(tiny: Codec) -> None:
    pictures = grounds(3)
    transformer = Latents(TINY, "latents", quality=70)
    restored = transformer.inverse_transform(transformer.fit_transform(pictures))
    files = [tiny.decode(tiny.encode(each, 70, effort=0, fallback=False)) for each in pictures]
    assert np.abs(restored.astype(int) - np.stack(files)).max() <= 1
    with pytest.raises(ValueError, match="only latents and means"):
        pooled = Latents(TINY, pool="mean").fit(pictures)
        pooled.inverse_transform(pooled.transform(pictures))


def test_a_pipeline_is_cloned_and_learns() -> None:
    pictures, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 2
    for i, picture in enumerate(pictures):
        picture[8:20, 3 + i // 2 if labels[i] else slice(3 + i // 4, 9)] = 250
    pipeline = clone(make_pipeline(Latents("digits"), KNeighborsClassifier(1)))
    pipeline.fit(pictures[:10].reshape(10, -1), labels[:10])
    assert pipeline.score(pictures[10:].reshape(10, -1), labels[10:]) > 0.7
