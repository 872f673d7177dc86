"""Every model on pictures of every kind: how much of a codec's gain is knowledge of its data.

    python benchmarks/data_specific.py --model photo --model cells --model digits@28 ... \\
        --set photographs=kodak/ --set cells=cells/test/ --set digits=t10k-images-idx3-ubyte.gz ...

A set is a folder of pictures, each a file for every codec; or an array of small pictures, the first 1,024 of which are
laid side by side as one large picture. A model with ``@28`` is one of small grey pictures of 28 x 28 pixels: it codes
pieces of this size as a stack. An array then is what it is; of other pictures the middle square is made grey and cut
into pieces, and JPEG and AVIF, with which the model is compared, get the same square, uncut. Lossless coding, which
takes the place of larger files otherwise, is switched off.

Writes benchmarks/results/data_specific.json, which ``aecodec bench --matrix`` takes, its tables beside it, and the heat
map docs/data_specific.png.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from aecodec.evaluation.curves import Curve, CurveError, Point, bd_rate
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.report import MatrixRow
from aecodec.evaluation.rivals import AVIF, AVIF_444, JPEG, WEBP
from aecodec.evaluation.sheet import from_sheet, to_sheet
from aecodec.evaluation.verdict import curve_of
from aecodec.pictures.arrays import read_array
from aecodec.training.data import find_pictures
from aecodec.weights import describe, find

ROOT = Path(__file__).parent.parent
QUALITIES = (1, 15, 30, 45, 60, 75, 90, 100)
JPEG_QUALITIES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
REFERENCE = replace(JPEG, qualities=JPEG_QUALITIES)
REFERENCE_QUALITY = 50  # of JPEG; rates are compared at the PSNR that it gives
STACK_PICTURES = 1024  # of an array
NOTE = (
    "Rows: models and codecs; columns: held-out pictures. A dash: no quality in common with JPEG at 1 to 95. "
    "Arrays of small pictures are one large picture, but a stack for the models of such pictures; these get the middle "
    "squares of larger pictures in grey, cut into small ones, and are compared with JPEG of the uncut squares."
)
STACK_PSNR = 30.0  # dB, at which bytes per picture of an array are compared


@dataclass(frozen=True)
class Kind:
    """Held-out pictures of one kind."""

    name: str
    pictures: tuple[Pixels, ...]  # (H, W, 3) or (H, W); of an array the one sheet that shows all
    size: tuple[int, int] | None = None  # of each picture of an array

    @property
    def area(self) -> int:
        """Pixels in all."""
        return sum(p.shape[0] * p.shape[1] for p in self.pictures)

    def gzipped(self) -> int:
        """Bytes of all raw pixels, those of an array picture by picture, as one file by gzip -9."""
        parts = [from_sheet(p, *self.size) if self.size else p for p in self.pictures]
        return len(gzip.compress(b"".join(np.ascontiguousarray(p).tobytes() for p in parts), 9, mtime=0))


def convert(pixels: Pixels, piece: tuple[int, int] | None) -> Pixels:
    """A picture as models of pieces of this size can code it."""
    if piece is None:
        return pixels
    side = min(pixels.shape[:2]) // piece[0] * piece[0]
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = pixels[top : top + side, left : left + side]
    return np.asarray(Image.fromarray(np.ascontiguousarray(square)).convert("L"))


@dataclass(frozen=True)
class References:
    """What models are compared with, on one kind of pictures; JPEG at quality 50 gives the PSNR of ``bpp``."""

    jpeg: Curve
    avif: Curve  # the better of two
    psnr: float


@dataclass(frozen=True)
class KindResult:
    """A codec on one kind of pictures; None where the curves have no quality in common."""

    jpeg: float | None  # BD-rate against JPEG, percent
    avif: float | None  # against AVIF, the better of 4:2:0 and 4:4:4
    bpp: float | None  # at the PSNR of JPEG at quality 50
    best_psnr: float  # dB, the highest that it reaches


@dataclass(frozen=True)
class StackSize:
    """Bytes per picture of an array at 30 dB."""

    kind: str
    codec: str
    bytes: float | None


def load_kind(name: str, path: Path) -> Kind:
    if path.is_dir():
        paths = find_pictures(path)
        if not paths:
            raise SystemExit(f"data_specific.py: {path}: no pictures")
        return Kind(name, tuple(np.asarray(Image.open(p).convert("RGB")) for p in paths))
    pictures = read_array(path)[:STACK_PICTURES]
    height, width = pictures.shape[1:3]
    return Kind(name, (to_sheet(pictures),), (height, width))


def load_model(text: str) -> Aecodec:
    """``name``, ``name=FILE``, either with ``@SIDE`` of the small grey pictures that it is for."""
    text, _, side = text.partition("@")
    name, _, path = text.partition("=")
    found = find(path or name)
    piece = (int(side), int(side)) if side else None
    return Aecodec(found, name, describe(found).id, qualities=QUALITIES, fallback=False, piece=piece)


def compared(reference: Curve, test: Curve) -> float | None:
    try:
        return bd_rate(reference, test)
    except CurveError:
        return None


def rate_at(curve: Curve, decibels: float) -> float | None:
    try:
        return curve.bpp_at(decibels)
    except CurveError:
        return None


def references(pictures: Sequence[Pixels]) -> References:
    jpeg = curve_of(REFERENCE, pictures)
    decibels = next(p.score for p in jpeg.points if p.quality == REFERENCE_QUALITY)
    jpeg = jpeg.rising()
    avif = [curve_of(rival, pictures).rising() for rival in (AVIF, AVIF_444)]
    return References(jpeg, min(avif, key=lambda curve: compared(jpeg, curve) or 0), decibels)


def result(curve: Curve, against: References) -> KindResult:
    return KindResult(
        compared(against.jpeg, curve), compared(against.avif, curve), rate_at(curve, against.psnr), curve.score_range[1]
    )


def jpeg_each(kind: Kind, size: tuple[int, int]) -> Curve:
    """JPEG where every picture of an array is a file of its own."""
    (sheet,) = kind.pictures
    pictures, points = from_sheet(sheet, *size), []
    for quality in REFERENCE.qualities:
        files = [REFERENCE.encode(picture, quality) for picture in pictures]
        restored = to_sheet(np.stack([REFERENCE.decode(data)[..., 0] for data in files]))
        points.append(Point(quality, 8 * sum(map(len, files)) / kind.area, psnr(sheet, restored)))
    return Curve("JPEG, a file each", tuple(points))


def stack_sizes(kind: Kind, size: tuple[int, int], curves: Sequence[Curve]) -> list[StackSize]:
    area = size[0] * size[1]
    rates = [(curve.name, rate_at(curve, STACK_PSNR)) for curve in (*curves, jpeg_each(kind, size).rising())]
    rates.append(("gzip -9 (lossless)", 8 * kind.gzipped() / kind.area))
    return [StackSize(kind.name, name, None if rate is None else rate * area / 8) for name, rate in rates]


def draw(columns: Sequence[str], rows: Sequence[MatrixRow], output: Path) -> None:
    """A heat map of BD-rates against JPEG: blue needs fewer bytes, red more."""
    values = np.array([[np.nan if v is None else v for v in row.values] for row in rows])
    figure, axes = plt.subplots(figsize=(1.55 * len(columns) + 1.8, 0.62 * len(rows) + 1.3), layout="constrained")
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="#7f7f7f")
    axes.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-100, vmax=100, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_title("bytes against JPEG at equal PSNR (BD-rate)", fontsize=11)
    for y, row in enumerate(rows):
        for x, value in enumerate(row.values):
            colour = "white" if value is None or abs(value) > 60 else "black"
            axes.text(x, y, shown(value, " %"), ha="center", va="center", fontsize=11, color=colour)
    figure.savefig(output, dpi=110)


def shown(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:+.1f}{unit}"


def table(head: str, columns: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> str:
    """In Markdown."""
    lines = [f"| {head} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    return "\n".join(lines + [f"| {name} | {' | '.join(values)} |" for name, values in rows]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Every model on pictures of every kind.")
    parser.add_argument("--model", dest="models", action="append", required=True, metavar="NAME[=FILE][@SIDE]")
    parser.add_argument("--set", dest="sets", action="append", required=True, metavar="NAME=PATH")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "benchmarks" / "results" / "data_specific.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "data_specific.png", help="the heat map")
    options = parser.parse_args()
    models = [load_model(text) for text in options.models]
    kinds = [load_kind(name, Path(path)) for name, _, path in (text.partition("=") for text in options.sets)]

    names = [*(model.name for model in models), "WebP", "AVIF"]
    results: list[list[KindResult]] = [[] for _ in names]
    levels: list[float] = []
    sizes: list[StackSize] = []
    for kind in kinds:
        pieces = dict.fromkeys([None, *(model.piece for model in models)])
        forms = {piece: [convert(p, piece) for p in kind.pictures] for piece in pieces}
        against = {piece: references(pictures) for piece, pictures in forms.items()}
        webp = curve_of(WEBP, kind.pictures).rising()
        levels.append(against[None].psnr)
        curves = []
        for model, row in zip(models, results, strict=False):
            points = curve_of(model, forms[model.piece]).rising().points
            curves.append(Curve(model.name, points))
            row.append(result(curves[-1], against[model.piece]))
            print(f"{model.name} on {kind.name}: {row[-1]}", flush=True)
        for row, curve in zip(results[-2:], (webp, against[None].avif), strict=True):
            row.append(result(curve, against[None]))
        if kind.size is not None:
            others = (webp, against[None].avif, against[None].jpeg)
            together = [Curve(f"{other.name}, all in one", other.points) for other in others]
            sizes += stack_sizes(kind, kind.size, [*curves, *together])

    columns = [kind.name for kind in kinds]
    rows = [MatrixRow(name, tuple(r.jpeg for r in row)) for name, row in zip(names, results, strict=True)]
    zipped = [8 * kind.gzipped() / kind.area for kind in kinds]
    found = {
        "title": "Trained on one kind of pictures, tested on each",
        "note": NOTE,
        "columns": columns,
        "rows": [asdict(row) for row in rows],
        "models": [
            {"name": m.name, "id": m.id, "bytes": m.model.stat().st_size} for m in models if isinstance(m.model, Path)
        ],
        "pictures": [len(k.pictures) if k.size is None else k.area // (k.size[0] * k.size[1]) for k in kinds],
        "psnr": levels,
        "gzip_bpp": zipped,
        "details": [{"name": n, "results": [asdict(r) for r in row]} for n, row in zip(names, results, strict=True)],
        "stack_psnr": STACK_PSNR,
        "stacks": [asdict(size) for size in sizes],
    }
    options.output.write_text(json.dumps(found, indent=1) + "\n")
    draw(columns, rows, options.picture)

    named = list(zip(names, results, strict=True))
    heads = [f"{kind.name}, {level:.1f} dB" for kind, level in zip(kinds, levels, strict=True)]
    rates = [(n, ["-" if r.bpp is None else f"{r.bpp:.3f}" for r in row]) for n, row in named]
    rates.append(("gzip -9 (lossless)", [f"{rate:.3f}" for rate in zipped]))
    stacked: dict[str, list[str]] = {size.codec: [] for size in sizes}
    for size in sizes:
        stacked[size.codec].append("-" if size.bytes is None else f"{size.bytes:.1f}")
    tables = (
        table("BD-rate against JPEG", columns, [(row.name, [shown(v, " %") for v in row.values]) for row in rows]),
        table("BD-rate against AVIF", columns, [(n, [shown(r.avif, " %") for r in row]) for n, row in named]),
        table(f"bpp at the PSNR of JPEG {REFERENCE_QUALITY}", heads, rates),
        table("highest PSNR", columns, [(n, [f"{r.best_psnr:.1f} dB" for r in row]) for n, row in named]),
        table(f"bytes a picture, {STACK_PSNR:g} dB", [k.name for k in kinds if k.size], list(stacked.items())),
    )
    text = f"# {found['title']}\n\n{NOTE}\n\n" + "\n".join(tables)
    options.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
