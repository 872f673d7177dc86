"""The work of ``aecodec score``: find the pictures, learn the normal ones, write what is strange and where."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.codec import Pixels
from aecodec.errors import ImageError
from aecodec.files import write_atomically
from aecodec.uses.anomaly import AnomalyDetector, Finding
from aecodec.uses.extra import learn
from aecodec.uses.pictures import Named, find, read

SHOWN = 200  # pictures in the report
WIDE = 480  # pixels of a picture there
COLD, HOT = 1.0, 5.0  # standard deviations at which the red of the heat map begins, and is full
GOOD = "good"  # folder of normal pictures in the usual layout of data sets of defects


@dataclass(frozen=True)
class Layout:
    """Where normal pictures are, and those to score; ``truth`` has masks of defects where there are any."""

    normal: Path
    scored: Path
    truth: Path | None = None

    @property
    def labelled(self) -> bool:
        """Whether the folder of a scored picture says if it is normal."""
        return self.scored.name == "test" and (self.scored / GOOD).is_dir()

    def is_abnormal(self, name: str) -> bool:
        """By the first folder of its name."""
        return name.split("/")[0] != GOOD

    def mask(self, name: str, size: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
        """Where a picture is defective (H, W); None where that is not known."""
        if not self.is_abnormal(name):
            return np.zeros(size, np.bool_)
        place = Path(name)
        for stem in (f"{place.stem}_mask", place.stem):
            path = (self.truth or Path()) / place.parent / f"{stem}.png"
            if self.truth and path.is_file():
                with Image.open(path) as image:
                    return np.asarray(image.convert("L").resize(size[::-1], Image.Resampling.NEAREST)) > 0
        return None


@dataclass(frozen=True)
class Scored:
    """A picture, what was found, and its heat map in standard deviations, (H, W)."""

    picture: Named
    finding: Finding
    map: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """How scores agree with what is known of the pictures: areas under the ROC curve, 0.5 is chance."""

    pictures: float
    pixels: float | None


def layout(pictures: Path, normal: Path | None) -> Layout:
    """Which pictures are what. Raises ImageError where it cannot be told which ones are normal."""
    good = pictures / "train" / GOOD
    if normal is not None or not good.is_dir():
        if normal is None:
            raise ImageError(f"{pictures}: which pictures are normal? Name a folder of them with --normal")
        return Layout(normal, pictures)
    truth = pictures / "ground_truth"
    return Layout(good, pictures / "test", truth if truth.is_dir() else None)


def score(
    detector: AnomalyDetector, places: Layout, watched: Callable[[Sequence[Path]], Iterable[Path]]
) -> list[Scored]:
    """Fit the detector and score the pictures, strangest first."""
    detector.fit([each.pixels for each in read(find(places.normal), places.normal)])
    found = []
    for path in watched(find(places.scored)):
        for picture in read([path], places.scored):
            (finding,) = detector.findings([picture.pixels])
            found.append(Scored(picture, finding, detector.anomaly_map(picture.pixels)))
    return sorted(found, key=lambda each: -each.finding.score)


def truth(scored: Sequence[Scored], places: Layout) -> Truth | None:
    """How well scores tell what the layout of the folders says; None where it says nothing, or one thing of all."""
    if not places.labelled:
        return None
    abnormal = [places.is_abnormal(each.picture.name) for each in scored]
    if len(set(abnormal)) < 2:
        return None
    area = learn("sklearn.metrics").roc_auc_score
    of_pictures = float(area(abnormal, [each.finding.score for each in scored]))
    masks = [(places.mask(each.picture.name, each.map.shape), each.map) for each in scored]
    known = [(mask.ravel(), heat.ravel()) for mask, heat in masks if mask is not None]
    of_pixels = None
    if places.truth and any(mask.any() for mask, _ in known):
        of_pixels = float(area(*(np.concatenate(each) for each in zip(*known, strict=True))))
    return Truth(of_pictures, of_pixels)


def write_report(folder: Path, detector: AnomalyDetector, scored: Sequence[Scored], known: Truth | None) -> None:
    """scores.csv, report.html and the heat maps as PNG. Raises OutputError."""
    write_atomically(folder / "scores.csv", _csv(scored).encode(), overwrite=True)
    (folder / "maps").mkdir(exist_ok=True)
    for each in scored:
        name = each.picture.name.replace("/", "_").replace("#", "_")
        write_atomically(folder / "maps" / f"{name}.png", _png(_overlaid(each)), overwrite=True)
    write_atomically(folder / "report.html", _page(folder.name, detector, scored, known).encode(), overwrite=True)


def _csv(scored: Sequence[Scored]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "score", "p_value", "bits", "ratio", "psnr", "worst_x", "worst_y"))
    for each in scored:
        f = each.finding
        numbers = f"{f.score:.3f}", f"{f.p_value:.4g}", f"{f.bits:.0f}", f"{f.ratio:.3f}", f"{f.psnr:.2f}"
        writer.writerow((each.picture.name, *numbers, *f.worst))
    return text.getvalue()


def _page(title: str, detector: AnomalyDetector, scored: Sequence[Scored], known: Truth | None) -> str:
    strange = sum(each.finding.score > -detector.offset_ for each in scored)
    summary = (
        f"{strange} of {len(scored)} pictures are stranger than {1 - detector.false_alarms_:.1%} of "
        f"{len(detector.normal_scores_)} normal ones (score above {-detector.offset_:.2f})."
    )
    if detector.false_alarms_ > detector.false_alarms:
        summary += " Fewer false alarms than that cannot be promised with so few normal pictures."
    if len(scored) > SHOWN:
        summary += f" The {SHOWN} strangest are shown; scores.csv has all."
    results = ""
    if known:
        pixels = "" if known.pixels is None else f", of pixels {known.pixels:.1%}"
        results = f"<p>Area under the ROC curve: of pictures {known.pictures:.1%}{pixels}.</p>"
    figures = "\n".join(_figure(each, detector) for each in scored[:SHOWN])
    page = resources.files("aecodec.uses").joinpath("assets", "score.html").read_text(encoding="utf-8")
    return Template(page).substitute(
        title=html.escape(title), summary=summary, results=results, figures=figures, scale=f"{COLD:g} to {HOT:g}"
    )


def _figure(each: Scored, detector: AnomalyDetector) -> str:
    f = each.finding
    kind = "abnormal" if f.score > -detector.offset_ else "normal"
    signal = detector.signals_[int(np.argmax(f.z))]
    parts = f"score {f.score:.2f} by {signal}", f"p {f.p_value:.3g}", f"{f.bits:.0f} bits", f"{f.psnr:.1f} dB"
    images = "".join(
        f'<img alt="" loading="lazy" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
        for kind, data in (("webp", _webp(each.picture.pixels)), ("png", _png(_small(_heat(each.map)))))
    )
    name = html.escape(each.picture.name)
    return f'<figure class="{kind}"><div>{images}</div><figcaption>{name}<br>{", ".join(parts)}</figcaption></figure>'


def _heat(values: npt.NDArray[np.float32]) -> Image.Image:
    """Red, the more opaque the stranger."""
    heat = np.zeros((*values.shape, 4), np.uint8)
    heat[..., 0] = 230
    heat[..., 3] = 190 * np.clip((values - COLD) / (HOT - COLD), 0, 1)
    return Image.fromarray(heat)


def _overlaid(each: Scored) -> Image.Image:
    ground = Image.fromarray(each.picture.pixels).convert("RGBA")
    return Image.alpha_composite(ground, _heat(each.map)).convert("RGB")


def _small(image: Image.Image) -> Image.Image:
    image.thumbnail((WIDE, WIDE))
    return image


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _webp(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    _small(Image.fromarray(pixels).convert("RGB")).save(stream, "WEBP", quality=80)
    return stream.getvalue()
