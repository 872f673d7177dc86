"""What effort brings and costs: bytes at equal PSNR and SSIMULACRA2 against effort 0, and time.

    python benchmarks/effort.py SOURCE [--model photo] [--efforts 1 2 4 6 9] [-o benchmarks/results/effort.json]

Of each picture in a folder the middle 256 x 256 are coded; of an array of small pictures the first 256, as one stack.
Four qualities, without the lossless fallback: real files, decoded again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from aecodec.codec import load_codec
from aecodec.effort import steps_of
from aecodec.evaluation.curves import Curve, bd_rate, mean_curve
from aecodec.evaluation.machine import machine
from aecodec.evaluation.measure import RoundTrip, score
from aecodec.evaluation.metrics import PSNR, SSIMULACRA2, Metric, Pixels, as_rgb
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.sheet import to_sheet
from aecodec.pictures.arrays import read_array
from aecodec.training.data import find_pictures
from aecodec.weights import find

QUALITIES = (10, 35, 60, 85)
SIDE = 256
STACK_PICTURES = 256


@dataclass(frozen=True)
class EffortResult:
    """An effort; the BD-rates are against effort 0, in percent. There is none by SSIMULACRA2 of stacks."""

    effort: int
    steps: int
    seconds_per_megapixel: float
    bd_rate: float
    bd_rate_ssimulacra2: float | None


@dataclass(frozen=True)
class EffortPictures:
    """Pictures (H, W, 3), or an array of small ones as a sheet, of pieces of this height and width."""

    pictures: list[Pixels]
    piece: tuple[int, int] | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (PSNR, SSIMULACRA2) if self.piece is None else (PSNR,)


def load(source: Path) -> EffortPictures:
    if source.is_dir():
        return EffortPictures([middle(path) for path in find_pictures(source)])
    pictures = read_array(source)[:STACK_PICTURES]
    return EffortPictures([to_sheet(pictures)], pictures.shape[1:3])


def middle(path: Path) -> Pixels:
    with Image.open(path) as image:
        left, top = ((size - SIDE) // 2 for size in image.size)
        if min(left, top) < 0:
            raise SystemExit(f"effort.py: {path}: smaller than {SIDE} x {SIDE}")
        return np.asarray(image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)))


def measure(model: Path, effort: int, sources: EffortPictures) -> tuple[list[Curve], float]:
    """The mean curves by each metric, and the seconds that encoding a megapixel takes."""
    codec = Aecodec(model, f"effort {effort}", effort=effort, fallback=False, piece=sources.piece)
    rows, seconds = [], 0.0
    for i, pixels in enumerate(sources.pictures):
        for quality in QUALITIES:
            start = time.perf_counter()
            data = codec.encode(pixels, quality)
            seconds += time.perf_counter() - start
            restored = RoundTrip(data, as_rgb(codec.decode(data)))
            rows.append(score(codec, pixels, quality, restored, sources.metrics, str(i)))
    curves = [mean_curve(codec.name, rows, metric).rising() for metric in sources.metrics]
    return curves, seconds / sum(row.pixels for row in rows) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="What effort brings and costs.")
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--efforts", type=int, nargs="+", default=[1, 2, 4, 6, 9])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "effort.json")
    options = parser.parse_args()
    sources, model = load(options.source), find(options.model)
    measure(model, 0, EffortPictures(sources.pictures[:1], sources.piece))  # to warm up
    references, seconds = measure(model, 0, sources)
    found = [EffortResult(0, 0, seconds, 0.0, 0.0)]
    print("| effort | steps | seconds per megapixel | bytes at equal PSNR | at equal SSIMULACRA2 |", flush=True)
    print(f"|---:|---:|---:|---:|---:|\n| 0 | 0 | {seconds:.2f} | | |", flush=True)
    for effort in options.efforts:
        curves, seconds = measure(model, effort, sources)
        rates = [bd_rate(*pair) for pair in zip(references, curves, strict=True)]
        row = EffortResult(effort, steps_of(effort), seconds, rates[0], rates[1] if len(rates) > 1 else None)
        shown = " | ".join(f"{rate:+.1f} %" for rate in rates)
        print(f"| {effort} | {row.steps} | {row.seconds_per_megapixel:.1f} | {shown} |", flush=True)
        found.append(row)
    codec = load_codec(model)
    result = {
        "model": {"name": codec.card.name, "id": codec.id.hex()},
        "machine": asdict(machine()),
        "threads": torch.get_num_threads(),
        "pictures": len(sources.pictures),
        "qualities": QUALITIES,
        "rows": [asdict(row) for row in found],
    }
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
