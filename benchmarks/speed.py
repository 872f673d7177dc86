"""How fast aecodec and its rivals encode and decode, side by side, at about equal PSNR.

    python benchmarks/speed.py FOLDER [--model photo] [--threads 1,2] [--kernels avx2,numpy] [-o speed.json]

Everything in one process and in memory, arrays in and out, each codec at each number of threads where it can be told.
Every codec first looks for the integer quality whose mean PSNR is nearest to the target, which warms it up too; other
kernels make the same files, which is checked. The repetitions are interleaved, so that a disturbance of the machine
hits all codecs; the medians are reported. Commands are run as processes: the least processor time of each counts, which
other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from aecodec.codec import Codec, load_codec
from aecodec.engine.network import VARIABLE, available
from aecodec.errors import AecError
from aecodec.evaluation import formats
from aecodec.evaluation.machine import machine
from aecodec.evaluation.measure import MeasuredCodec, measure
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.results import write_json
from aecodec.evaluation.rivals import JPEG, WEBP, Rival, choose
from aecodec.evaluation.rivals import RIVALS as ALL_RIVALS
from aecodec.evaluation.sources import find_sources
from aecodec.threads import set_threads, threads

RIVALS = (JPEG, Rival("WebP m4", formats.WEBP, {"method": 4}), WEBP, *choose(ALL_RIVALS, ["JPEG XL e7"]))
YARDSTICK = Rival("AVIF s6", formats.AVIF, {"speed": 6})  # speeds are given relative to it
MATRIX = 2048  # rows and columns


@dataclass(frozen=True)
class Setting:
    """A codec at the quality that comes nearest to the target PSNR, and how it runs."""

    rival: MeasuredCodec
    quality: int
    bpp: float
    psnr: float
    threads: int = 1
    kernels: str = ""  # those of aecodec; the fastest where none are named

    @property
    def name(self) -> str:
        """The codec's, and the kernels'."""
        return f"{self.rival.name}, {self.kernels}" if self.kernels else self.rival.name

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Threads and kernels are these."""
        before = os.environ.pop(VARIABLE, None)
        if self.kernels:
            os.environ[VARIABLE] = self.kernels
        set_threads(self.threads)
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            if before is not None:
                os.environ[VARIABLE] = before

    def with_threads(self, threads: int) -> Setting:
        """The same with so many threads."""
        rival = self.rival.with_threads(threads) if isinstance(self.rival, Rival) else self.rival
        return replace(self, rival=rival, threads=threads)

    def with_kernels(self, codec: Codec, kernels: str, pixels: Pixels) -> Setting:
        """The same with other kernels, which make the same file of ``pixels``. Raises AecError where they do not."""
        other = replace(self, kernels=kernels)
        with other.chosen():
            other = replace(other, rival=Aecodec(Codec(codec.weights)))
            made = other.rival.encode(pixels, self.quality)
        with self.chosen():
            if made != self.rival.encode(pixels, self.quality):
                raise AecError(f"{kernels} makes other files")
        return other


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
    with setting.chosen():
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


def process_seconds(arguments: Sequence[str], repetitions: int) -> float:
    """Least processor time of a Python process with these arguments. Raises CalledProcessError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    least = math.inf
    for _ in range(repetitions + 1):
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        least = min(least, usage.ru_utime + usage.ru_stime)
    return least


def measure_processes(pixels: Pixels, repetitions: int) -> dict[str, float]:
    """Processor time of the command line on one picture at its default quality, and of Python alone."""
    with tempfile.TemporaryDirectory() as folder:
        source, coded, restored = (str(Path(folder, name)) for name in ("a.png", "a.aec", "restored.png"))
        Image.fromarray(pixels).save(source)
        run = ["-m", "aecodec"]
        commands = {
            "python -c pass": ["-c", "pass"],
            "python -c 'import numpy'": ["-c", "import numpy"],
            "aecodec --help": [*run, "--help"],
            "aecodec compress FILE": [*run, "compress", source, "-f", "--quiet"],
            "aecodec info FILE": [*run, "info", coded],
            "aecodec decompress FILE": [*run, "decompress", coded, "-o", restored, "-f", "--quiet"],
        }
        return {name: process_seconds(arguments, repetitions) for name, arguments in commands.items()}


def describe(settings: Sequence[Setting], speeds: Sequence[Speed], pixels: int) -> list[dict[str, Any]]:
    """One row per setting: megapixels per second, and how many times the yardstick's at as many threads."""
    rows = []
    for setting, speed in zip(settings, speeds, strict=True):
        row: dict[str, Any] = {"name": setting.name, "threads": setting.threads, "settings": setting.rival.settings}
        row |= {"quality": setting.quality, "psnr": setting.psnr, "bpp": setting.bpp}
        row |= {
            "encode_mpx_s": pixels / 1e6 / median(speed.encode),
            "decode_mpx_s": pixels / 1e6 / median(speed.decode),
        }
        rows.append(row | {"encode_seconds": speed.encode, "decode_seconds": speed.decode})
    yardsticks = {row["threads"]: row for row in rows if row["name"] == YARDSTICK.name}
    for row in rows:
        yardstick = yardsticks[row["threads"]]
        for task in ("encode", "decode"):
            row[f"{task}_ratio"] = row[f"{task}_mpx_s"] / yardstick[f"{task}_mpx_s"]
    return rows


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    yardstick = YARDSTICK.name
    lines = [
        "| codec | threads | quality | PSNR dB | bpp "
        f"| encode Mpx/s | of {yardstick} | decode Mpx/s | of {yardstick} |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["codecs"]:
        cells = [row["name"], str(row["threads"]), str(row["quality"]), f"{row['psnr']:.2f}", f"{row['bpp']:.3f}"]
        for task in ("encode", "decode"):
            cells += [f"{row[f'{task}_mpx_s']:.1f}", f"{row[f'{task}_ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| networks | kMAC/pixel | GMAC/s | share of the matrix-product peak |", "|---|---:|---:|---:|"]
    for task in ("encode", "decode"):
        network = result["networks"][task]
        lines.append(f"| {task} | {network['kmac_pixel']:.1f} | {network['gmac_s']:.0f} | {network['share']:.0%} |")
    peak = f"{result['matrix_gmac_s']:.0f} GMAC/s"
    lines += ["", f"Peak: {peak}, float32 {MATRIX} x {MATRIX}, {max(result['threads'])} threads.", ""]
    lines += ["| process | seconds of processor time |", "|---|---:|"]
    lines += [f"| `{name}` | {value:.3f} |" for name, value in result["process_seconds"].items()]
    return "\n".join(lines)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in _words(text))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of aecodec and its rivals at about equal PSNR.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="photo", help="name or weights file (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, default=8, metavar="N", help="so many pictures, evenly spread (default: %(default)s)"
    )
    parser.add_argument("--psnr", type=float, default=33.0, help="mean PSNR to aim at (default: %(default)s dB)")
    parser.add_argument("--threads", type=_numbers, default=(threads(),), metavar="N,N", help="default: all")
    parser.add_argument(
        "--kernels", type=_words, default=(), metavar="NAME,NAME", help="also aecodec with these: avx2, portable, numpy"
    )
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="default: %(default)s")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "speed.json")
    return parser.parse_args(arguments)


def main(
    arguments: Sequence[str] | None = None,
    load: Callable[[str], Any] = load_codec,
    processes: Callable[[Pixels, int], dict[str, float]] = measure_processes,
) -> int:
    """Measure, write the result file, print the tables."""
    options = parse_arguments(arguments)
    if unknown := set(options.kernels) - {*available()}:
        raise AecError(f"this machine has no kernels {', '.join(unknown)}; it has {', '.join(available())}")
    sources, _ = find_sources(options.folder, options.images)
    pictures = [source.read() for source in sources]
    pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    most = max(options.threads)
    set_threads(most)
    codec = load(options.model)
    rivals: tuple[MeasuredCodec, ...] = (
        Aecodec(codec, id=codec.card.id),
        *(rival.with_threads(most) for rival in (*RIVALS, YARDSTICK)),
    )
    found = [replace(nearest_quality(rival, pictures, options.psnr), threads=most) for rival in rivals]
    others = [found[0].with_kernels(codec, kernels, pictures[0]) for kernels in options.kernels]
    settings = [each.with_threads(count) for count in options.threads for each in (found[0], *others, *found[1:])]
    speeds, products = time_all(settings, pictures, options.repetitions)
    rows = describe(settings, speeds, pixels)
    peak = MATRIX**3 / 1e9 / min(products)
    networks = {}
    ours = next(row for row in rows if row["name"] == found[0].name and row["threads"] == most)
    for task, kmac in zip(("encode", "decode"), codec.card.config.kilo_macs_per_pixel(), strict=False):
        reached = ours[f"{task}_mpx_s"] * kmac  # 10^6 pixels a second times 10^3 MAC a pixel
        networks[task] = {"kmac_pixel": kmac, "gmac_s": reached, "share": reached / peak}
    result = {
        "version": 2,
        "date": date.today().isoformat(),
        "machine": asdict(machine()),
        "kernels": available()[0],
        "threads": options.threads,
        "versions": {name: number for rival in rivals for name, number in rival.versions.items()},
        "model": {"name": codec.card.name, "id": codec.card.id},
        "images": [{"name": source.name, "sha256": source.picture.sha256} for source in sources],
        "codecs": rows,
        "matrix_gmac_s": peak,
        "matrix_seconds": products,
        "networks": networks,
        "process_seconds": processes(pictures[0], options.repetitions),
    }
    write_json(options.output, result)
    print(table(result))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AecError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"speed.py: {error}")
