"""How fast aecodec and its rivals encode and decode, side by side, at about equal PSNR.

    python benchmarks/speed.py FOLDER [--model photo] [--threads 2] [--numpy] [-o benchmarks/results/speed.json]

Everything in one process and in memory, arrays in and out, each codec with as many threads where it can be told. Every
codec first looks for the integer quality whose mean PSNR is nearest to the target, which warms it up too. The
repetitions are interleaved, so that a disturbance of the machine hits all codecs; the medians are reported.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np

from aecodec.codec import Codec, load_codec
from aecodec.engine.network import NUMPY, VARIABLE
from aecodec.errors import AecError
from aecodec.evaluation import formats
from aecodec.evaluation.machine import machine
from aecodec.evaluation.measure import MeasuredCodec, measure
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.results import write_json
from aecodec.evaluation.rivals import JPEG, WEBP, Rival
from aecodec.evaluation.sources import find_sources
from aecodec.threads import set_threads, threads

RIVALS = (JPEG, Rival("WebP m4", formats.WEBP, {"method": 4}), WEBP)
YARDSTICK = Rival("AVIF s6", formats.AVIF, {"speed": 6})  # speeds are given relative to it
MATRIX = 2048  # rows and columns


@dataclass(frozen=True)
class Setting:
    """A codec at the quality that comes nearest to the target PSNR."""

    rival: MeasuredCodec
    quality: int
    bpp: float
    psnr: float


@dataclass(frozen=True)
class Speed:
    """Seconds for all the pictures, one entry per repetition."""

    encode: tuple[float, ...]
    decode: tuple[float, ...]


def at_quality(rival: MeasuredCodec, pictures: Sequence[Pixels], quality: int) -> Setting:
    """Mean rate and PSNR of a codec at a quality."""
    rows = [measure(rival, pixels, quality) for pixels in pictures]
    decibels = fmean(math.inf if row.psnr is None else row.psnr for row in rows)
    return Setting(rival, quality, fmean(row.bpp for row in rows), decibels)


def nearest_quality(rival: MeasuredCodec, pictures: Sequence[Pixels], target: float) -> Setting:
    """Of the qualities 1..100, the one whose mean PSNR is nearest to the target; PSNR rises with the quality."""
    low, high = at_quality(rival, pictures, 1), at_quality(rival, pictures, 100)
    while high.quality - low.quality > 1:
        middle = at_quality(rival, pictures, (low.quality + high.quality) // 2)
        low, high = (middle, high) if middle.psnr < target else (low, middle)
    return min(low, high, key=lambda setting: abs(setting.psnr - target))


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    action()
    return perf_counter() - start


def time_once(setting: Setting, pictures: Sequence[Pixels]) -> tuple[float, float]:
    """Seconds to encode and to decode all the pictures."""
    rival, quality = setting.rival, setting.quality
    start = perf_counter()
    files = [rival.encode(pixels, quality) for pixels in pictures]
    encoded = perf_counter()
    for data in files:
        rival.decode(data)
    return encoded - start, perf_counter() - encoded


def time_all(
    settings: Sequence[Setting], pictures: Sequence[Pixels], repetitions: int
) -> tuple[list[Speed], tuple[float, ...]]:
    """Every codec's speed, and the seconds of a matrix product, in interleaved repetitions."""
    a, b = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    times: list[list[tuple[float, float]]] = [[] for _ in settings]
    products = []
    for _ in range(2):
        np.matmul(a, b)
    for _ in range(repetitions):
        products += [seconds(lambda: np.matmul(a, b)) for _ in range(3)]
        for setting, collected in zip(settings, times, strict=True):
            collected.append(time_once(setting, pictures))
    speeds = [Speed(tuple(e for e, _ in collected), tuple(d for _, d in collected)) for collected in times]
    return speeds, tuple(products)


def startup_seconds(arguments: Sequence[str], repetitions: int) -> float:
    """Median seconds of a Python process with these arguments. Raises CalledProcessError where it fails."""

    def start() -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    start()
    return median(seconds(start) for _ in range(repetitions))


def measure_startup(data: bytes, repetitions: int) -> dict[str, float]:
    """Startup times of the command line, and of Python alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.aec")
        path.write_bytes(data)
        commands = {
            "python -c pass": ["-c", "pass"],
            "aecodec --help": ["-m", "aecodec", "--help"],
            "aecodec info FILE": ["-m", "aecodec", "info", str(path)],
        }
        return {name: startup_seconds(arguments, repetitions) for name, arguments in commands.items()}


def describe(settings: Sequence[Setting], speeds: Sequence[Speed], pixels: int) -> list[dict[str, Any]]:
    """One row per codec: megapixels per second, and how many times the yardstick's."""
    rows = []
    for setting, speed in zip(settings, speeds, strict=True):
        row: dict[str, Any] = {"name": setting.rival.name, "settings": setting.rival.settings}
        row |= {"quality": setting.quality, "psnr": setting.psnr, "bpp": setting.bpp}
        row |= {
            "encode_mpx_s": pixels / 1e6 / median(speed.encode),
            "decode_mpx_s": pixels / 1e6 / median(speed.decode),
        }
        rows.append(row | {"encode_seconds": speed.encode, "decode_seconds": speed.decode})
    yardstick = next(row for row in rows if row["name"] == YARDSTICK.name)
    for row in rows:
        for task in ("encode", "decode"):
            row[f"{task}_ratio"] = row[f"{task}_mpx_s"] / yardstick[f"{task}_mpx_s"]
    return rows


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    yardstick = YARDSTICK.name
    lines = [
        f"| codec | quality | PSNR dB | bpp | encode Mpx/s | of {yardstick} | decode Mpx/s | of {yardstick} |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["codecs"]:
        cells = [row["name"], str(row["quality"]), f"{row['psnr']:.2f}", f"{row['bpp']:.3f}"]
        for task in ("encode", "decode"):
            cells += [f"{row[f'{task}_mpx_s']:.1f}", f"{row[f'{task}_ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| networks | kMAC/pixel | GMAC/s | share of the matrix-product peak |", "|---|---:|---:|---:|"]
    for task in ("encode", "decode"):
        network = result["networks"][task]
        lines.append(f"| {task} | {network['kmac_pixel']:.1f} | {network['gmac_s']:.0f} | {network['share']:.0%} |")
    peak = f"{result['matrix_gmac_s']:.0f} GMAC/s"
    lines += ["", f"Peak: {peak}, float32 {MATRIX} x {MATRIX}, {result['threads']} threads.", ""]
    lines += ["| start | seconds |", "|---|---:|"]
    lines += [f"| `{name}` | {value:.3f} |" for name, value in result["startup_seconds"].items()]
    return "\n".join(lines)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of aecodec and its rivals at about equal PSNR.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="photo", help="name or weights file (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, default=8, metavar="N", help="so many pictures, evenly spread (default: %(default)s)"
    )
    parser.add_argument("--psnr", type=float, default=33.0, help="mean PSNR to aim at (default: %(default)s dB)")
    parser.add_argument("--threads", type=int, default=threads(), metavar="N", help="of each codec (default: all)")
    parser.add_argument("--numpy", action="store_true", help="also aecodec without its native kernels")
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="default: %(default)s")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "speed.json")
    return parser.parse_args(arguments)


def main(
    arguments: Sequence[str] | None = None,
    load: Callable[[str], Any] = load_codec,
    startup: Callable[[bytes, int], dict[str, float]] = measure_startup,
) -> int:
    """Measure, write the result file, print the tables."""
    options = parse_arguments(arguments)
    sources, _ = find_sources(options.folder, options.images)
    pictures = [source.read() for source in sources]
    pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    set_threads(options.threads)
    codec = load(options.model)
    models = [Aecodec(codec)]
    if options.numpy:
        os.environ[VARIABLE] = NUMPY  # looked at when networks are made
        models.append(Aecodec(Codec(codec.weights), name=f"aecodec, {NUMPY}"))
        del os.environ[VARIABLE]
    rivals: tuple[MeasuredCodec, ...] = (
        *models,
        *(rival.with_threads(options.threads) for rival in (*RIVALS, YARDSTICK)),
    )
    settings = [nearest_quality(rival, pictures, options.psnr) for rival in rivals]
    speeds, products = time_all(settings, pictures, options.repetitions)
    rows = describe(settings, speeds, pixels)
    peak = MATRIX**3 / 1e9 / min(products)
    networks = {}
    for task, kmac in zip(("encode", "decode"), codec.card.config.kilo_macs_per_pixel(), strict=False):
        reached = rows[0][f"{task}_mpx_s"] * kmac  # 10^6 pixels a second times 10^3 MAC a pixel
        networks[task] = {"kmac_pixel": kmac, "gmac_s": reached, "share": reached / peak}
    result = {
        "version": 1,
        "date": date.today().isoformat(),
        "machine": asdict(machine()),
        "threads": options.threads,
        "versions": {name: number for rival in rivals for name, number in rival.versions.items()},
        "model": {"name": codec.card.name, "id": codec.card.id},
        "images": [{"name": source.name, "sha256": source.picture.sha256} for source in sources],
        "codecs": rows,
        "matrix_gmac_s": peak,
        "matrix_seconds": products,
        "networks": networks,
        "startup_seconds": startup(codec.encode(pictures[0], quality=settings[0].quality), options.repetitions),
    }
    write_json(options.output, result)
    print(table(result))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AecError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"speed.py: {error}")
