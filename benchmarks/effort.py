"""What effort brings and costs: bytes at equal PSNR against effort 0, and time.

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

from aecodec.codec import Codec, load_codec
from aecodec.effort import steps_of
from aecodec.evaluation.curves import Curve, Measurement, bd_rate, mean_curve
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.evaluation.rivals import machine
from aecodec.pictures.arrays import read_array
from aecodec.stack import decode_stack, encode_stack
from aecodec.training.data import find_pictures
from aecodec.training.sheet import to_sheet

QUALITIES = (10, 35, 60, 85)
SIDE = 256
STACK_PICTURES = 256


@dataclass(frozen=True)
class Row:
    """An effort; the BD-rate is against effort 0, in percent."""

    effort: int
    steps: int
    seconds_per_megapixel: float
    bd_rate: float


def load(source: Path) -> list[Pixels]:
    """Pictures (H, W, 3), or a single stack (N, H, W)."""
    if not source.is_dir():
        return [read_array(source)[:STACK_PICTURES]]
    return [middle(path) for path in find_pictures(source)]


def middle(path: Path) -> Pixels:
    with Image.open(path) as image:
        left, top = ((size - SIDE) // 2 for size in image.size)
        if min(left, top) < 0:
            raise SystemExit(f"effort.py: {path}: smaller than {SIDE} x {SIDE}")
        return np.asarray(image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)))


def is_stack(pixels: Pixels) -> bool:
    return bool(pixels.shape[-1] != 3)


def encode(codec: Codec, pixels: Pixels, quality: int, effort: int) -> bytes:
    if is_stack(pixels):
        return encode_stack(pixels, quality, codec, effort=effort, fallback=False)
    return codec.encode(pixels, quality, effort=effort, fallback=False)


def score(codec: Codec, pixels: Pixels, data: bytes) -> float:
    if is_stack(pixels):
        return psnr(to_sheet(pixels), to_sheet(decode_stack(data)))
    return psnr(pixels, codec.decode(data))


def measure(codec: Codec, effort: int, pictures: list[Pixels]) -> tuple[Curve, float]:
    """The mean curve, and the seconds that one megapixel takes."""
    rows, seconds = [], 0.0
    for i, pixels in enumerate(pictures):
        for quality in QUALITIES:
            start = time.perf_counter()
            data = encode(codec, pixels, quality, effort)
            seconds += time.perf_counter() - start
            area = pixels.size if is_stack(pixels) else pixels.size // 3
            rows.append(Measurement(str(i), "", quality, len(data), area, score(codec, pixels, data)))
    return mean_curve(f"effort {effort}", rows), seconds / sum(row.pixels for row in rows) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="What effort brings and costs.")
    parser.add_argument("source", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--efforts", type=int, nargs="+", default=[1, 2, 4, 6, 9])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "effort.json")
    options = parser.parse_args()
    pictures, codec = load(options.source), load_codec(options.model)
    measure(codec, 0, pictures[:1])  # to warm up
    reference, seconds = measure(codec, 0, pictures)
    found = [Row(0, 0, seconds, 0.0)]
    print("| effort | steps | seconds per megapixel | bytes at equal PSNR |\n|---:|---:|---:|---:|", flush=True)
    print(f"| 0 | 0 | {seconds:.2f} | |", flush=True)
    for effort in options.efforts:
        curve, seconds = measure(codec, effort, pictures)
        row = Row(effort, steps_of(effort), seconds, bd_rate(reference, curve))
        print(f"| {effort} | {row.steps} | {row.seconds_per_megapixel:.1f} | {row.bd_rate:+.1f} % |", flush=True)
        found.append(row)
    result = {
        "model": {"name": codec.card.name, "id": codec.id.hex()},
        "machine": asdict(machine()),
        "threads": torch.get_num_threads(),
        "pictures": sum(len(p) if is_stack(p) else 1 for p in pictures),
        "qualities": QUALITIES,
        "rows": [asdict(row) for row in found],
    }
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
