"""Bytes of an array of small pictures at 30 and 35 dB: stacks of models, JPEG, WebP and AVIF, and what is without loss.

    python benchmarks/small_pictures.py ARRAY --name "CIFAR-10, test part" --model mine.safetensors --model photo \\
        -o benchmarks/results/cifar10.json [--sheet originals-and-restored.png]

The arrays of an .npz that are for testing are taken. Codecs without stacks get all pictures as one large one, and once
each as a file of its own. PSNR is that of all pixels together; bytes between two qualities are interpolated, linear in
decibels and the logarithm of bytes. ``--sheet`` shows some pictures, and below each what the first model makes of it at
the lower of the two qualities; it is for looking at, and not kept where the pictures are not to be passed on.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from aecodec.codec import load_codec
from aecodec.evaluation.metrics import Pixels, psnr
from aecodec.evaluation.rivals import AVIF_444, JPEG, PNG, RIVALS, WEBP, Rival
from aecodec.evaluation.sheet import from_sheet, to_sheet
from aecodec.pictures.arrays import read_array
from aecodec.stack import decode_stack, encode_stack
from aecodec.uses.sheet import sheet
from aecodec.weights import find

LEVELS = (30.0, 35.0)  # dB
QUALITIES = (1, 20, 35, 50, 65, 80, 90, 100)
JPEG_QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
SHOWN = 24  # pictures

Coded = Callable[[Pixels, float], tuple[int, Pixels]]  # pictures and quality to bytes and what is restored


@dataclass(frozen=True)
class Row:
    """A codec: bytes of a picture at each level; None where it does not get there. One number without loss."""

    codec: str
    bytes: dict[str, float | None]


def stacked(model: str) -> Coded:
    path = find(model)
    codec = load_codec(path)

    def code(pictures: Pixels, quality: float) -> tuple[int, Pixels]:
        data = encode_stack(pictures, quality, codec, fallback=False)
        return len(data), decode_stack(data, models=[path])

    return code


def together(rival: Rival) -> Coded:
    def code(pictures: Pixels, quality: float) -> tuple[int, Pixels]:
        data = rival.encode(to_sheet(pictures), quality)
        return len(data), from_sheet(as_shape(rival.decode(data), pictures.ndim - 1), *pictures.shape[1:3])

    return code


def apart(rival: Rival) -> Coded:
    def code(pictures: Pixels, quality: float) -> tuple[int, Pixels]:
        files = [rival.encode(picture, quality) for picture in pictures]
        return sum(map(len, files)), np.stack([as_shape(rival.decode(each), pictures.ndim - 1) for each in files])

    return code


def as_shape(pixels: Pixels, dimensions: int) -> Pixels:
    """Grey again, where the pictures (of so many dimensions) were."""
    return pixels[..., 0] if pixels.ndim > dimensions else pixels


def bytes_at(code: Coded, pictures: Pixels, qualities: tuple[int, ...]) -> dict[str, float | None]:
    points = []
    for quality in qualities:
        size, restored = code(pictures, quality)
        points.append((psnr(pictures, restored), np.log(size / len(pictures))))
    points.sort()
    decibels, sizes = zip(*points, strict=True)
    inside = {level: decibels[0] <= level <= decibels[-1] for level in LEVELS}
    return {f"{x:g} dB": round(float(np.exp(np.interp(x, decibels, sizes))), 1) if inside[x] else None for x in LEVELS}


def lossless(pictures: Pixels) -> list[Row]:
    count, whole = len(pictures), to_sheet(pictures)
    sizes = {
        "gzip -9 of the raw pixels": len(gzip.compress(np.ascontiguousarray(pictures).tobytes(), 9, mtime=0)),
        "PNG, all in one": len(PNG.encode(whole, 100)),
        "raw": pictures.nbytes,
    }
    return [Row(name, {"lossless": round(size / count, 1)}) for name, size in sizes.items()]


def compared(pictures: Pixels, code: Coded) -> Pixels:
    """Rows of originals, with what is restored at the least quality of 30 dB or more below each."""
    some = pictures[:: max(1, len(pictures) // SHOWN)][:SHOWN]
    quality = next(q for q in range(1, 101, 3) if psnr(pictures, code(pictures, q)[1]) >= LEVELS[0] or q > 97)
    restored = code(some, quality)[1]
    pairs = [row for i in range(0, len(some), 12) for row in (some[i : i + 12], restored[i : i + 12])]
    return sheet(np.concatenate(pairs), 12)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of an array of small pictures at equal quality.")
    parser.add_argument("array", type=Path)
    parser.add_argument("--name", default="", help="of the pictures")
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    side = int(np.sqrt(len(found := read_array(options.array, prefer="test"))))
    pictures = found[: side * side]  # those that a square sheet holds
    rows = [Row(f"{Path(m).stem}, stack", bytes_at(stacked(m), pictures, QUALITIES)) for m in options.model]
    jpeg_444 = next(rival for rival in RIVALS if rival.name == "JPEG 4:4:4")
    for rival in (JPEG, jpeg_444, WEBP, AVIF_444):
        qualities = JPEG_QUALITIES if rival.name.startswith("JPEG") else rival.qualities
        rows.append(Row(f"{rival.name}, all in one", bytes_at(together(rival), pictures, qualities)))
        if rival in (jpeg_444, WEBP):
            rows.append(Row(f"{rival.name}, a file each", bytes_at(apart(rival), pictures, qualities)))
    rows += lossless(pictures)
    head = {"pictures": options.name or options.array.stem, "count": len(pictures), "size": pictures.shape[1:]}
    result = head | {"bytes_of_a_picture": {row.codec: row.bytes for row in rows}}
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    if options.sheet:
        Image.fromarray(compared(pictures, stacked(options.model[0]))).save(options.sheet)


if __name__ == "__main__":
    main()
