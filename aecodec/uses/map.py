"""Many pictures as points on a page, near each other where their latents are: ``aecodec map``.

The page needs no network and no library: points are drawn on a canvas, thumbnails and reconstructions come from sheets.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.codec import Codec, Pixels
from aecodec.uses.channels import BINS, activity, deviations, strip
from aecodec.uses.features import features
from aecodec.uses.meter import measure
from aecodec.uses.pictures import read

TSNE_MOST = 3000  # pictures; PCA for more
SHEET = 1000  # pictures of one sheet of thumbnails
SIDES = ((2500, 96), (10_000, 48), (10**9, 32))  # up to so many pictures, thumbnails of so many pixels
ACTIVE = 64  # channels whose activity is shown
MAPPED = 2500  # pictures at most, of which channel maps are shown
CHANNELS, MAP_SIDE = 8, 16  # of these

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A picture on the map."""

    name: str
    pixels: Pixels
    restored: Pixels
    bits: float
    mse: float
    maps: Pixels | None = None  # of its dearest channels, (side, count * side)


@dataclass(frozen=True)
class Activity:
    """Of the latents of all pictures: how far from the predicted means they are, and how active channels are."""

    histogram: npt.NDArray[np.int64]  # of (latent - mean) / scale
    channels: Array  # mean absolute symbol


def gather(
    paths: Iterable[Path], source: Path, codec: Codec, quality: float, models: Sequence[Path] = ()
) -> tuple[list[Point], npt.NDArray[np.float32], Activity]:
    """Points, features and activity. Pictures of one size are compared place by place, others by pooled features."""
    points: list[Point] = []
    whole: list[npt.NDArray[np.float32]] = []
    pooled: list[npt.NDArray[np.float32]] = []
    histogram, channels = np.zeros(BINS, np.int64), np.zeros(codec.prior.channels)
    for picture in read(paths, source, models):
        measured = measure(codec, picture.pixels[None], quality)
        restored = measured.restored(grey=picture.pixels.ndim == 2)[0]
        mse = float(np.square(picture.pixels.astype(np.float32) - restored).mean())
        shown = strip(measured, 0, CHANNELS, MAP_SIDE) if len(points) < MAPPED else None
        points.append(Point(picture.name, picture.pixels, restored, float(measured.total_bits[0]), mse, shown))
        whole.append(features(measured)[0])
        pooled.append(features(measured, pool="mean")[0])
        histogram += deviations(measured)
        channels += activity(measured)
    same = len({len(each) for each in whole}) == 1
    return points, np.stack(whole if same else pooled), Activity(histogram, channels / max(1, len(points)))


def placed(values: npt.NDArray[np.float32]) -> tuple[Array, str]:
    """Places (N, 2) of points with these features, in 0..1, and the name of the method."""
    centred = values - values.mean(0)
    if len(values) <= 3:
        found, method = np.pad(centred, ((0, 0), (0, 2)))[:, :2], "plain features"
    elif umap := _installed("umap"):
        found, method = umap.UMAP(random_state=0).fit_transform(centred), "UMAP"
    elif len(values) <= TSNE_MOST and (manifold := _installed("sklearn.manifold")):
        near = min(30.0, (len(values) - 1) / 3)
        found = manifold.TSNE(perplexity=near, init="pca", random_state=0).fit_transform(_principal(centred, 50))
        method = "t-SNE"
    else:
        found, method = _principal(centred, 2), "PCA"
    low, high = found.min(0), found.max(0)
    return np.asarray((found - low) / np.maximum(high - low, 1e-9), np.float64), method


def page(
    title: str,
    points: Sequence[Point],
    places: Array,
    method: str,
    latents: Activity,
    extra: Mapping[str, Sequence[str]],
) -> str:
    """The page. ``extra``: further columns that points can be coloured by, such as labels."""
    side = next(side for most, side in SIDES if len(points) <= most)
    data: dict[str, Any] = {
        "method": method,
        "side": side,
        "perSheet": SHEET,
        "names": [point.name for point in points],
        "x": [round(float(x), 4) for x in places[:, 0]],
        "y": [round(float(y), 4) for y in places[:, 1]],
        "numbers": {
            "bits": [round(point.bits) for point in points],
            "PSNR": [round(float(10 * np.log10(255**2 / max(point.mse, 1e-3))), 2) for point in points],
        },
        "words": {name: list(values) for name, values in extra.items()},
        "originals": _sheets([point.pixels for point in points], side),
        "restored": _sheets([point.restored for point in points], side),
        "maps": _strips(points),
        "mapWidth": CHANNELS * MAP_SIDE,
        "mapSide": MAP_SIDE,
        "histogram": latents.histogram.tolist(),
        "channels": [round(float(value), 4) for value in np.sort(latents.channels)[::-1][:ACTIVE]],
    }
    assets = resources.files("aecodec.uses").joinpath("assets")
    text = assets.joinpath("map.html").read_text(encoding="utf-8")
    script = assets.joinpath("map.js").read_text(encoding="utf-8")
    safe = json.dumps(data).replace("<", "\\u003c")
    shown = title.replace("&", "&amp;").replace("<", "&lt;")
    return Template(text).substitute(title=shown, data=safe, script=script, count=f"{len(points):,}", method=method)


def _installed(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError:
        return None


def _principal(centred: npt.NDArray[np.float32], count: int) -> Array:
    """The first principal components (N, count), by the smaller of the two matrices of products."""
    if len(centred) < centred.shape[1]:
        values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
        return np.asarray((vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :count])
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.asarray(centred @ vectors[:, ::-1][:, :count])


def _sheets(pictures: Sequence[Pixels], side: int) -> list[str]:
    """Sheets of thumbnails as WebP in base64, SHEET pictures each, in rows of 40."""
    sheets = []
    for start in range(0, len(pictures), SHEET):
        part = pictures[start : start + SHEET]
        whole = Image.new("RGB", (40 * side, -(-len(part) // 40) * side), "white")
        for i, pixels in enumerate(part):
            whole.paste(_thumbnail(pixels, side), (i % 40 * side, i // 40 * side))
        stream = io.BytesIO()
        whole.save(stream, "WEBP", quality=85, method=2)
        sheets.append(base64.b64encode(stream.getvalue()).decode())
    return sheets


def _strips(points: Sequence[Point]) -> str:
    """Channel maps of all points below each other, as PNG in base64; nothing where one has none."""
    found = [point.maps for point in points if point.maps is not None]
    if len(found) < len(points):
        return ""
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(found)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _thumbnail(pixels: Pixels, side: int) -> Image.Image:
    image = Image.fromarray(pixels).convert("RGB")
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resampling = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return image.resize(size, resampling)
