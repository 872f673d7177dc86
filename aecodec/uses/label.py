"""Labels for many pictures from those of a few, by spreading them over the nearest neighbours (Zhou et al. 2004).

Neighbours are those in direction: features are scaled to unit length, for with more contrast a thing is no other one.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aecodec.errors import DataError
from aecodec.uses.extra import learn
from aecodec.uses.features import Features

NEIGHBOURS = 10
ALPHA = 0.9  # of what a picture believes that comes from its neighbours


@dataclass(frozen=True)
class Labelled:
    """What a picture seems to be, with the share of belief for it; no label where that is too little."""

    name: str
    label: str
    confidence: float


def read_labels(path: Path) -> dict[str, str]:
    """Labels by the names of pictures, from a CSV file whose columns are file and label. Raises DataError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [*csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot read ({error})") from error
    if not rows or not {"file", "label"} <= set(rows[0]):
        raise DataError(f"{path}: a CSV file with the columns file and label is needed")
    return {row["file"]: row["label"] for row in rows if row["label"]}


def spread(names: Sequence[str], values: Features, labels: Mapping[str, str], at_least: float) -> list[Labelled]:
    """A label for every picture; none where the confidence is below ``at_least``. Given labels stay.

    Raises DataError where labels are of no picture here, or all the same.
    """
    kinds = sorted(set(labels.values()))
    if len(kinds) < 2:
        raise DataError("labels of at least two kinds are needed")
    if unknown := sorted(set(labels) - set(names)):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DataError(f"labels of {unknown[0]}{more}, which is not among the pictures")
    number = {kind: i for i, kind in enumerate(kinds)}
    given = np.array([number[labels[name]] if name in labels else -1 for name in names])
    belief = _beliefs(values, given)
    found = []
    for name, row in zip(names, belief, strict=True):
        best = int(row.argmax())
        confidence = 1.0 if name in labels else float(row[best])
        found.append(Labelled(name, labels.get(name) or (kinds[best] if confidence >= at_least else ""), confidence))
    return found


def _beliefs(values: Features, given: np.typing.NDArray[np.int64]) -> Any:
    model = learn("sklearn.semi_supervised").LabelSpreading(
        kernel="knn", n_neighbors=min(NEIGHBOURS, len(values) - 1), alpha=ALPHA, max_iter=100
    )
    return np.nan_to_num(model.fit(of_unit_length(values), given).label_distributions_)


def of_unit_length(values: Features) -> Features:
    """Rows (N, K) scaled to length 1; those that are zero stay so."""
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), np.float32)
