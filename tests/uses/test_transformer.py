"""Latents in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

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


def test_it_is_an_estimator_as_scikit_learn_has_them() -> None:
    results = check_estimator(Latents(TINY), on_skip=None, on_fail=None)
    assert len(results) > 30
    assert [(each["check_name"], str(each["exception"])) for each in results if each["status"] == "failed"] == []


def test_it_gives_tables_with_names_where_asked_to() -> None:
    pandas = pytest.importorskip("pandas")
    pictures = grounds(4)[:, :24, :24].reshape(4, -1)
    table = Latents(TINY).set_output(transform="pandas").fit_transform(pictures)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == list(Latents(TINY).fit(pictures).get_feature_names_out())
