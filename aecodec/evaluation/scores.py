"""Scores that are measured elsewhere (``benchmarks/cvvdp.py``, in an environment of its own), joined with results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.metrics import METRICS
from aecodec.evaluation.results import Results


def with_scores(results: Results, path: Path) -> Results:
    """The results with the scores of a file, where they are of files of the same bytes. Raises BenchError.

    Its form is ``{"versions": {METRIC: ...}, "scores": [{"codec", "image", "quality", "bytes", METRIC: ...}, ...]}``.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        names = {metric.name for metric in METRICS}
        versions = {name: str(found["versions"][name]) for name in found["versions"] if name in names}
        scores: dict[tuple[object, ...], dict[str, Any]] = {
            (row["codec"], row["image"], row["quality"], row["bytes"]): {
                name: float(row[name]) for name in versions if name in row
            }
            for row in found["scores"]
        }
    except OSError as error:
        raise BenchError(f"{path}: cannot read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a file of scores ({type(error).__name__}: {error})") from error
    rows = (replace(row, **scores.get((row.codec, row.image, row.quality, row.bytes), {})) for row in results.rows)
    return replace(results, rows=tuple(rows), metrics={**results.metrics, **versions})
