"""What latents are for besides compressing, each beside the plain baseline: ``python benchmarks/uses.py DATA``.

DATA has the folders mnist and fashion-mnist (IDX files) and cells (JPEG of 640 x 480, which are halved). Every part
writes its figures to benchmarks/results/uses.json, all on the subsets that it states. ``--only NAME`` runs one part.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from aecodec.codec import load_codec
from aecodec.pictures.arrays import read_array
from aecodec.uses.anomaly import AnomalyDetector, Finding
from aecodec.uses.duplicates import marks
from aecodec.uses.features import features
from aecodec.uses.label import of_unit_length
from aecodec.uses.meter import measured_in_pieces
from aecodec.uses.mixture import fit
from aecodec.uses.sample import draw

RESULTS = Path(__file__).parent / "results" / "uses.json"
SETS = {"fashion": "fashion-mnist", "digits": "mnist"}
NORMAL, HELD = 600, 100  # pictures that a detector learns from, and of each kind that it is tried on
LABELLED = 3000  # pictures among which labels spread

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]


def pictures(data: Path, name: str, part: str) -> Pixels:
    """The pictures of a set, in the order of the file."""
    return read_array(next((data / SETS[name]).glob(f"{part}-images*")))


def labels(data: Path, name: str, part: str) -> npt.NDArray[np.int64]:
    """Their labels."""
    with gzip.open(next((data / SETS[name]).glob(f"{part}-labels*"))) as file:
        return np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


def shifts(x: Pixels, other: Pixels) -> dict[str, Pixels]:
    """Eleven ways in which pictures are not what they were."""
    random = np.random.default_rng(0)

    def each(change: Callable[[Image.Image], Image.Image]) -> Pixels:
        return np.stack([np.asarray(change(Image.fromarray(picture))) for picture in x])

    patched = x.copy()
    for picture, (top, left) in zip(patched, random.integers(4, 16, (len(x), 2)), strict=True):
        picture[top : top + 8, left : left + 8] = 128
    changed = {
        "the other set": other,
        "upside down": x[:, ::-1],
        "rotated by 90 degrees": np.rot90(x, 1, (1, 2)),
        "noise of sigma 20": np.clip(x + random.normal(0, 20, x.shape), 0, 255),
        "inverted": 255 - x,
        "blurred": each(lambda image: image.filter(ImageFilter.GaussianBlur(1.2))),
        "halved and doubled": each(lambda image: image.resize((14, 14)).resize((28, 28))),
        "a grey patch": patched,
        "moved by 6 pixels": np.roll(x, 6, 2),
        "half as bright": x * 0.5,
        "3 % white pixels": np.where(random.random(x.shape) < 0.03, 255, x),
    }
    return {name: np.ascontiguousarray(value, np.uint8) for name, value in changed.items()}


def plain(train: Numbers) -> dict[str, Callable[[Numbers], Numbers]]:
    """What a sceptic would try: neighbours and the residual of a PCA, of pixels."""
    near = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(train)
    pca = PCA(20, random_state=0).fit(train)
    return {
        "pixels kNN": lambda x: near.kneighbors(x)[0].mean(1),
        "pixels PCA": lambda x: np.linalg.norm(x - pca.inverse_transform(pca.transform(x)), axis=1),
    }


def area(normal: Numbers, abnormal: Numbers) -> float:
    """AUROC in %."""
    truth = [0] * len(normal) + [1] * len(abnormal)
    return round(100 * float(roc_auc_score(truth, np.concatenate([normal, abnormal]))), 1)


def flat(x: Pixels) -> Numbers:
    return x.reshape(len(x), -1) / 255.0


def anomaly_shifts(data: Path) -> dict[str, Any]:
    """Pictures of another kind, or changed."""
    results: dict[str, Any] = {}
    for name, other in (("fashion", "digits"), ("digits", "fashion")):
        train, test = pictures(data, name, "train")[:NORMAL], pictures(data, name, "t10k")
        detector = AnomalyDetector(name).fit(train)
        normal, rivals = test[:HELD], plain(flat(train))
        signals: dict[str, Callable[[Finding], float]] = {
            "ours": lambda f: f.score,
            "distortion alone": lambda f: f.z[1],
            "bits ratio alone": lambda f: f.z[0],
        }
        base = [*detector.findings(normal)]
        found: dict[str, Any] = {}
        for kind, changed in shifts(test[HELD : 2 * HELD], pictures(data, other, "t10k")[:HELD]).items():
            seen = [*detector.findings(changed)]
            found[kind] = {
                method: area(*(np.array([of(f) for f in each]) for each in (base, seen)))
                for method, of in signals.items()
            } | {method: area(of(flat(normal)), of(flat(changed))) for method, of in rivals.items()}
        means = {m: round(float(np.mean([f[m] for f in found.values()])), 1) for m in next(iter(found.values()))}
        alarms = float(np.mean([f.score > -detector.offset_ for f in base]))
        results[name] = {"auroc_percent": found, "mean": means, "false_alarms_at_1_percent": round(alarms, 4)}
    return {"normal": NORMAL, "tested_of_each": HELD} | results


def anomaly_classes(data: Path) -> dict[str, Any]:
    """One class against the rest: 4,000 pictures to learn from, of all classes, and 500 to try."""
    results: dict[str, Any] = {}
    for name in SETS:
        x, y = pictures(data, name, "train")[:4000], labels(data, name, "train")[:4000]
        tx, ty = pictures(data, name, "t10k")[:500], labels(data, name, "t10k")[:500]
        found: dict[str, list[float]] = {}
        for kind in range(10):
            detector = AnomalyDetector(name, reference=name, same_kind=True).fit(x[y == kind])
            scores = {"ours": -detector.score_samples(tx)}
            scores |= {method: of(flat(tx)) for method, of in plain(flat(x[y == kind])).items()}
            for method, score in scores.items():
                found.setdefault(method, []).append(area(score[ty == kind], score[ty != kind]))
        results[name] = {method: round(float(np.mean(each)), 1) for method, each in found.items()}
    return results


def defective(
    x: Pixels, kind: int, foreign: Pixels, random: np.random.Generator
) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A picture with a defect, and where it is."""
    height, width = x.shape[:2]
    mask = Image.new("L", (width, height))
    middle = random.integers(40, (width - 40, height - 40))
    radius, angle = random.integers(10, 20), random.uniform(0, np.pi)
    if kind == 0:
        way = 45 * np.array([np.cos(angle), np.sin(angle)])
        ImageDraw.Draw(mask).line([*(middle - way), *(middle + way)], fill=255, width=3)
    else:
        ImageDraw.Draw(mask).ellipse([*(middle - radius), *(middle + radius)], fill=255)
    where = np.asarray(mask) > 0
    blurred = np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(4)))
    noise = random.normal(0, 1, (height, width, 1))
    values = (
        x * 0.55 + 100,
        np.array([70, 60, 65]) + 4 * noise,
        blurred,
        0 * x + 230,
        x + 30 * noise,
        x[..., [1, 2, 0]],
        foreign,
    )
    return np.where(where[..., None], np.clip(values[kind], 0, 255), x).astype(np.uint8), where


DEFECTS = ("scratch", "blot", "blur", "hole", "noise", "colour", "foreign texture")


def anomaly_defects(data: Path) -> dict[str, Any]:
    """Seven synthetic defects on blood cells, four of each; 40 normal pictures, and 12 more that stay normal."""
    files = sorted((data / "cells").glob("*.jpg"))
    cut = len(files) * 4 // 5

    def load(path: Path) -> Pixels:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").reduce(2))

    normal = [load(path) for path in files[: cut : cut // 40]][:40]
    detector = AnomalyDetector("cells", 0.05).fit(normal)
    random = np.random.default_rng(0)
    stripes = np.sin(np.indices((240, 320)).sum(0) / 3)[..., None] * np.array([60, 30, 40]) + 140
    foreign = stripes.astype(np.uint8)
    maps, masks, scores, kinds = [], [], [], []
    for i, path in enumerate(files[cut : cut + 40]):
        picture, kind = load(path), i % 7 if i < 28 else -1
        mask = np.zeros(picture.shape[:2], np.bool_)
        if kind >= 0:
            picture, mask = defective(picture, kind, foreign, random)
        (finding,) = detector.findings([picture])
        maps.append(detector.anomaly_map(picture)[::2, ::2].ravel())
        masks.append(mask[::2, ::2].ravel())
        scores.append(finding.score)
        kinds.append(kind)
    by_kind = {
        name: round(
            100
            * float(
                roc_auc_score(
                    *(np.concatenate([a for a, k in zip(each, kinds, strict=True) if k == i]) for each in (masks, maps))
                )
            ),
            1,
        )
        for i, name in enumerate(DEFECTS)
    }
    return {
        "pixel_auroc_percent": round(100 * float(roc_auc_score(np.concatenate(masks), np.concatenate(maps))), 1),
        "by_defect": by_kind,
        "picture_auroc_percent": area(
            *(np.array([s for s, k in zip(scores, kinds, strict=True) if (k >= 0) == bad]) for bad in (False, True))
        ),
    }


def few_labels(data: Path) -> dict[str, Any]:
    """Accuracy in % on all other pictures, labels spread over 10 neighbours; mean of three draws of labels."""
    results: dict[str, Any] = {"pictures": LABELLED}
    for name in SETS:
        x, y = pictures(data, name, "train")[:LABELLED], labels(data, name, "train")[:LABELLED]
        means = np.concatenate([features(m) for m in measured_in_pieces(load_codec(name), x)])
        kinds = {
            "means": of_unit_length(means),  # as the command does
            "means as they are": means,
            "pixels": flat(x),
            "pixels of unit length": of_unit_length(flat(x).astype(np.float32)),
            "PCA of pixels": PCA(60, random_state=0).fit_transform(flat(x)),
        }
        for kind, values in kinds.items():
            for count in (10, 100, 1000):
                right = []
                for seed in range(3):
                    order = np.random.default_rng(seed).permutation(LABELLED)
                    chosen = np.concatenate([order[y[order] == c][: count // 10] for c in range(10)])
                    given = np.full(LABELLED, -1)
                    given[chosen] = y[chosen]
                    guess = (
                        LabelSpreading("knn", n_neighbors=10, alpha=0.9, max_iter=100).fit(values, given).transduction_
                    )
                    right.append(float((guess == y)[given < 0].mean()))
                results.setdefault(name, {}).setdefault(kind, {})[str(count)] = round(100 * float(np.mean(right)), 1)
    return results


def samples(data: Path) -> dict[str, Any]:
    """Fréchet distance and coverage of 1,000 samples, in 40 principal components of 2,000 real pictures' means of y."""
    results: dict[str, Any] = {}
    for name in SETS:
        codec = load_codec(name)
        train, test = pictures(data, name, "train")[:4000], pictures(data, name, "t10k")[:1000]
        mixture = fit(codec, train)
        assert mixture is not None
        real = flat(train[:2000])
        pca = PCA(40, random_state=0).fit(real)
        base = pca.transform(real)
        found = {"real": test, "mixture": draw(codec, mixture, 1000), "prior": draw(codec, None, 1000)[:, :28, :28]}
        results[name] = {}
        for kind, made in found.items():
            points = pca.transform(flat(made))
            nearest = NearestNeighbors(n_neighbors=1).fit(flat(train)).kneighbors(flat(made))[0][:, 0]
            results[name][kind] = {
                "frechet": round(frechet(points, base), 2),
                "coverage": round(coverage(points, base[:1000]), 3),
                "median_distance_to_nearest_training_picture": round(float(np.median(nearest)), 2),
            }
        results[name]["bytes_of_mixture"] = sum(tensor.nbytes for tensor in mixture.tensors().values())
    return results


def frechet(a: Numbers, b: Numbers) -> float:
    """Between Gaussians fitted to points (Heusel et al. 2017)."""
    first, second = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first) + np.trace(second) - 2 * cross)


def coverage(made: Numbers, real: Numbers) -> float:
    """Share of real pictures that have a made one nearer than their fifth real neighbour (Naeem et al. 2020)."""
    radius = NearestNeighbors(n_neighbors=6).fit(real).kneighbors(real)[0][:, -1]
    return float((NearestNeighbors(n_neighbors=1).fit(made).kneighbors(real)[0][:, 0] < radius).mean())


def copies(data: Path) -> dict[str, Any]:
    """Recall of copies at 1 % false pairs, 60 pictures of cells, beside the perceptual hash of imagehash."""
    import imagehash

    def changed(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
        width, height = image.size
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=30)
        yield "JPEG at quality 30", Image.open(stream)
        yield "resized to 40 %", image.resize((width * 2 // 5, height * 2 // 5))
        edge = width // 20, height // 20
        yield "cropped by 5 % on each side", image.crop((*edge, width - edge[0], height - edge[1]))

    files = sorted((data / "cells").glob("*.jpg"))[:60]
    originals = [Image.open(path).convert("RGB").reduce(2) for path in files]
    made: dict[str, list[Image.Image]] = {}
    for image in originals:
        for kind, copy in changed(image):
            made.setdefault(kind, []).append(copy.convert("RGB"))
    codec = load_codec("photo")

    def ours(images: list[Image.Image]) -> Numbers:
        return marks(codec, [np.asarray(image) for image in images]).astype(np.float64)

    def hashes(images: list[Image.Image]) -> Numbers:
        return np.array([2.0 * imagehash.phash(image).hash.ravel() - 1 for image in images]) / 8

    results: dict[str, Any] = {"pictures": len(files)}
    for method, mark in (("ours", ours), ("imagehash.phash", hashes)):
        base = mark(originals)
        for kind, images in made.items():
            distance = 1 - base @ mark(images).T
            others = distance[~np.eye(len(base), dtype=bool)]
            limit = np.quantile(others, 0.01)
            results.setdefault(kind, {})[method] = round(100 * float((np.diagonal(distance) < limit).mean()), 1)
            if method == "ours":
                results[kind]["distance of copies, 95 %"] = round(float(np.quantile(np.diagonal(distance), 0.95)), 4)
                results[kind]["distance of others, 1 %"] = round(float(limit), 4)
    return results


PARTS = (few_labels, anomaly_classes, anomaly_defects, anomaly_shifts, samples, copies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=[part.__name__ for part in PARTS])
    arguments = parser.parse_args()
    for part in PARTS:
        if arguments.only in (None, part.__name__):
            found = part(arguments.data)
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps(known | {part.__name__: found}, indent=1) + "\n")
            print(part.__name__, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
