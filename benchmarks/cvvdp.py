"""CVVDP, and FLIP, of restored pictures that a benchmark has kept. Runs in an environment of its own.

    python -m venv cvvdp && cvvdp/bin/pip install cvvdp flip-evaluator pillow
    aecodec bench PICTURES -o REPORT --keep KEPT
    cvvdp/bin/python benchmarks/cvvdp.py PICTURES REPORT/results.json KEPT -o scores.json
    aecodec bench PICTURES -o REPORT --keep KEPT --scores scores.json

ColorVideoVDP (Mantiuk et al., 2024; package ``cvvdp``) predicts in just-objectionable differences how much a viewer
sees of a distortion: 10 is nothing. Pictures are judged as stills on its display ``standard_4k``: 30 inches, 200 cd/m2,
seen from 75 cm. The package brings its own PyTorch, of several gigabytes, hence the environment. About a second of one
core per picture of 0.4 megapixels; with ``--every 2`` only every second quality of each codec is scored. What the file
of scores holds is not measured again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Metric = Callable[[Pixels, Pixels], float]  # of the original and what was restored

DISPLAY = "standard_4k"


def cvvdp() -> Metric:
    import pycvvdp

    model = pycvvdp.cvvdp(display_name=DISPLAY, device=torch.device("cpu"))

    def score(original: Pixels, restored: Pixels) -> float:
        tensors = (torch.from_numpy(pixels.copy()) for pixels in (restored, original))
        jods, _ = model.predict(*tensors, dim_order="HWC")
        return float(jods)

    return score


def flip() -> Metric:
    import flip_evaluator

    def score(original: Pixels, restored: Pixels) -> float:
        pictures = (pixels.astype(np.float32) / 255 for pixels in (original, restored))
        return float(flip_evaluator.evaluate(*pictures, "LDR", applyMagma=False)[1])

    return score


def load(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def chosen_rows(results: dict[str, Any], limit: int | None, codecs: list[str], every: int) -> list[dict[str, Any]]:
    """The rows of some pictures, evenly spread, some codecs and qualities; without those restored exactly."""
    names = [picture["name"] for picture in results["pictures"]]
    if limit is not None and limit < len(names):
        names = [names[i * len(names) // limit] for i in range(limit)]
    chosen: list[dict[str, Any]] = []
    for codec in codecs or list(dict.fromkeys(row["codec"] for row in results["rows"])):
        rows = [row for row in results["rows"] if row["codec"] == codec]
        qualities = sorted({row["quality"] for row in rows})[::every]
        chosen += [r for r in rows if r["image"] in names and r["quality"] in qualities and r["psnr"] is not None]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description="CVVDP and FLIP of restored pictures that a benchmark has kept.")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("results", type=Path, help="results.json of the benchmark")
    parser.add_argument("kept", type=Path, help="folder of restored pictures")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="so many of the pictures only, evenly spread")
    parser.add_argument("--codec", dest="codecs", action="append", help="name of one to score; repeatable")
    parser.add_argument("--every", type=int, default=1, help="of each codec's qualities, this many-th")
    parser.add_argument("--metrics", default="cvvdp,flip")
    options = parser.parse_args()
    names = options.metrics.split(",")
    metrics = {name: {"cvvdp": cvvdp, "flip": flip}[name]() for name in names}
    known_versions = {
        "cvvdp": f"cvvdp {metadata.version('cvvdp')}, {DISPLAY}, stills",
        "flip": metadata.version("flip-evaluator"),
    }
    versions = {name: known_versions[name] for name in names}
    known: dict[tuple[object, ...], dict[str, Any]] = {}
    if options.output.exists():
        found = json.loads(options.output.read_text())
        known = {key(row): row for row in found["scores"]} if found["versions"] == versions else {}
    results = json.loads(options.results.read_text())
    rows = chosen_rows(results, options.limit, options.codecs or [], options.every)
    originals: dict[str, Pixels] = {}
    for number, row in enumerate(rows, 1):
        entry = known.setdefault(key(row), {name: row[name] for name in ("codec", "image", "quality", "bytes")})
        missing = [name for name in names if name not in entry]
        if not missing:
            continue
        original = originals.setdefault(row["image"], load(options.pictures / row["image"]))
        path = options.kept / row["codec"].replace("/", "_") / f"{row['quality']:g}" / f"{row['image']}.png"
        restored = load(path)
        for name in missing:
            entry[name] = round(metrics[name](original, restored), 5)
        print(f"{number}/{len(rows)}: {row['codec']}, {row['image']}, quality {row['quality']:g}", flush=True)
        write(options.output, versions, list(known.values()))
    write(options.output, versions, list(known.values()))


def key(row: dict[str, Any]) -> tuple[object, ...]:
    return row["codec"], row["image"], row["quality"], row["bytes"]


def write(path: Path, versions: dict[str, str], scores: list[dict[str, Any]]) -> None:
    lines = ",\n".join(f"  {json.dumps(row)}" for row in scores)
    beside = path.with_name(path.name + ".part")
    beside.write_text(f'{{\n "versions": {json.dumps(versions)},\n "scores": [\n{lines}\n ]\n}}\n')
    beside.replace(path)


if __name__ == "__main__":
    main()
