"""Rate and distortion of aecodec and its rivals on a folder of lossless pictures, such as the 24 of the Kodak set.

    python benchmarks/kodak.py FOLDER [--model photo] [-o benchmarks/results/kodak.json]

Real bytes of real files, each decoded again. The result file keeps one row per picture, codec and quality; what it
already holds of the rivals is used again where picture, settings and library versions are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from aecodec.errors import AecError
from aecodec.evaluation.curves import Curve, CurveError, Measurement, bd_rate, common_psnr_range, mean_curve
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import REFERENCE, RIVALS, Aecodec, Rival, machine, measure, versions

LOSSLESS = {".png", ".ppm", ".bmp", ".tif", ".tiff"}
VERSION = 1  # of the result file


@dataclass(frozen=True)
class Source:
    """A picture of the folder."""

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.name

    def read(self) -> Pixels:
        """Its pixels (H, W, 3)."""
        with Image.open(self.path) as image:
            return np.asarray(image.convert("RGB"))


def find_sources(folder: Path, limit: int | None = None) -> list[Source]:
    """The folder's lossless pictures by name, at most ``limit`` of them. Raises AecError where there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in LOSSLESS)[:limit]
    if not paths:
        raise AecError(f"{folder}: no pictures ({', '.join(sorted(LOSSLESS))})")
    return [Source(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


def load_codec(model: str) -> Any:
    """The codec of a model."""
    import aecodec  # imports PyTorch, which the processes that measure rivals do without

    return aecodec.load_codec(model)


def read_cache(path: Path, sources: Sequence[Source], rivals: Sequence[Rival]) -> list[Measurement]:
    """The rivals' rows of an earlier result file that hold for these pictures, settings and library versions."""
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text())
        if found["version"] != VERSION or found["versions"] != versions():
            return []
        digests = {image["name"]: image["sha256"] for image in found["images"]}
        names = {source.name for source in sources if digests.get(source.name) == source.sha256}
        settings = {codec["name"]: codec["settings"] for codec in found["codecs"]}
        codecs = {rival.name for rival in rivals if settings.get(rival.name) == rival.settings}
        rows = [Measurement(**row) for row in found["rows"]]
    except (KeyError, TypeError, ValueError):
        print(f"{path}: not a result file of this version, measuring everything", file=sys.stderr)
        return []
    return [row for row in rows if row.image in names and row.codec in codecs]


def measure_source(rival: Rival, source: Source, qualities: Sequence[int]) -> list[Measurement]:
    """Measure one codec on one picture."""
    return measure(rival, source.name, source.read(), qualities)


def measure_rivals(
    rivals: Sequence[Rival], sources: Sequence[Source], known: Iterable[Measurement], jobs: int
) -> list[Measurement]:
    """Every rival on every picture; what is known is not measured again."""
    found = {(row.codec, row.image, row.quality): row for row in known}
    tasks = []
    for rival in rivals:
        for source in sources:
            missing = [q for q in rival.qualities if (rival.name, source.name, q) not in found]
            if missing:
                tasks.append((rival, source, missing))
    if jobs > 1 and len(tasks) > 1:
        with ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn")) as pool:
            results = list(pool.map(measure_source, *zip(*tasks, strict=True)))
    else:
        results = [measure_source(*task) for task in tasks]
    found |= {(row.codec, row.image, row.quality): row for rows in results for row in rows}
    return [found[r.name, s.name, q] for r in rivals for s in sources for q in r.qualities]


def summarise(curve: Curve, settings: str, reference: Curve) -> dict[str, Any]:
    """A codec's mean curve and how it compares with the reference; the BD-rate is null where it is not defined."""
    summary: dict[str, Any] = {"name": curve.name, "settings": settings, "bd_rate": None, "common_psnr": None}
    summary["psnr"] = curve.psnr_range
    try:
        summary["common_psnr"] = common_psnr_range(reference, curve)
        summary["bd_rate"] = bd_rate(reference, curve)
    except CurveError as error:
        print(f"no BD-rate: {error}", file=sys.stderr)
    summary["points"] = [asdict(point) for point in curve.points]
    return summary


def write_results(path: Path, result: dict[str, Any]) -> None:
    """Write the result file, one line per row, so that versions of it can be compared."""
    lines = []
    for key, value in result.items():
        if isinstance(value, list):
            value_text = "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
        else:
            value_text = json.dumps(value)
        lines.append(f" {json.dumps(key)}: {value_text}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    os.replace(beside, path)


def table(result: dict[str, Any], curves: Sequence[Curve]) -> str:
    """The result as two Markdown tables."""
    ours = next((curve for curve in curves if curve.name == Aecodec.name), None)
    lines = []
    if ours is not None:
        lines += [f"| {Aecodec.name} quality | bpp | PSNR dB |", "|---:|---:|---:|"]
        lines += [f"| {p.quality} | {p.bpp:.3f} | {p.psnr:.2f} |" for p in ours.points] + [""]
    lines += [f"| codec | BD-rate against {REFERENCE.name} | over dB | PSNR dB reached | settings |"]
    lines += ["|---|---:|---:|---:|---|"]
    for codec in result["codecs"]:
        rate = "-" if codec["bd_rate"] is None else f"{codec['bd_rate']:+.1f} %"
        spans = [
            "-" if span is None else "{:.2f}..{:.2f}".format(*span) for span in (codec["common_psnr"], codec["psnr"])
        ]
        lines.append(f"| {codec['name']} | {rate} | {' | '.join(spans)} | {codec['settings']} |")
    return "\n".join(lines)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Rate and distortion of aecodec and its rivals on lossless pictures.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="photo", help="name or weights file (default: %(default)s)")
    parser.add_argument("--qualities", type=int, nargs="+", default=Aecodec.qualities, help="of aecodec")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N pictures only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes for the rivals (default: cores)")
    parser.add_argument("--rivals-only", action="store_true", help="do without aecodec")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "kodak.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, load: Callable[[str], Any] = load_codec) -> int:
    """Measure, write the result file, print the tables."""
    options = parse_arguments(arguments)
    sources = find_sources(options.folder, options.limit)
    known = read_cache(options.output, sources, RIVALS)
    rows = measure_rivals(RIVALS, sources, known, options.jobs)
    codecs: list[Rival] = list(RIVALS)
    model: dict[str, Any] | None = None
    if not options.rivals_only:
        codec = load(options.model)
        model = {"name": codec.card.name, "id": codec.card.id, "torch": metadata.version("torch")}
        ours = Aecodec(codec, tuple(options.qualities))
        codecs.insert(0, ours)
        rows = [row for source in sources for row in measure_source(ours, source, ours.qualities)] + rows
    curves = [mean_curve(c.name, (row for row in rows if row.codec == c.name)) for c in codecs]
    reference = curves[codecs.index(REFERENCE)]
    result = {
        "version": VERSION,
        "date": date.today().isoformat(),
        "machine": asdict(machine()),
        "versions": versions(),
        "model": model,
        "images": [{"name": source.name, "sha256": source.sha256} for source in sources],
        "codecs": [summarise(curve, c.settings, reference) for curve, c in zip(curves, codecs, strict=True)],
        "rows": [asdict(row) for row in rows],
    }
    write_results(options.output, result)
    print(table(result, curves))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AecError, OSError, ImportError) as error:
        sys.exit(f"kodak.py: {error}")
