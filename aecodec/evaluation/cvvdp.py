"""Scores by CVVDP, which ``benchmarks/cvvdp.py`` measures in an environment of its own, joined with results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.metrics import CVVDP
from aecodec.evaluation.results import Results


def with_cvvdp(results: Results, path: Path) -> Results:
    """The results with the scores of a file; those of files of other bytes, of an earlier version of a codec, are not.

    Its form is ``{"version": ..., "scores": [{"codec", "image", "quality", "bytes", "cvvdp"}, ...]}``. Raises
    BenchError.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        scores = {
            (each["codec"], each["image"], each["quality"], each["bytes"]): float(each["cvvdp"])
            for each in found["scores"]
        }
        measured_by = str(found["version"])
    except OSError as error:
        raise BenchError(f"{path}: cannot read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a file of CVVDP scores ({type(error).__name__}: {error})") from error
    rows = tuple(
        replace(row, cvvdp=scores.get((row.codec, row.image, row.quality, row.bytes), row.cvvdp))
        for row in results.rows
    )
    return replace(results, rows=rows, metrics={**results.metrics, CVVDP.name: measured_by})
