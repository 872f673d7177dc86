"""Which pictures are unlike the normal ones, and where: signals of the codec, calibrated on normal pictures.

=========== ==========================================================================================================
rate        log of bits / bits of a general model: strange things are dear to the model that never saw them
distortion  log of the mean squared error: or they are restored badly; lossy codecs answer with one or the other
typicality  distance of bits and errors of both models, brightness and contrast to those of normal pictures together:
            also what is too easy
neighbours  distance of the predicted means to those of the nearest normal pictures
residual    what a PCA of these means leaves over; these two are for another class of the same kind of pictures
place       in pictures of more than a few latents: the worst place, by distortion and by typicality
=========== ==========================================================================================================

The score is a soft maximum of one-sided z-scores, those of distortion and of the worst place less a margin, for alone
they are wrong more often. The ratio of bits follows Serra et al. (ICLR 2020), whose difference of bits is for lossless
models. Scores of normal pictures are taken with the picture left out of what the others are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from aecodec.codec import Codec, Pixels, load_codec
from aecodec.errors import DataError
from aecodec.options import DEFAULT_QUALITY
from aecodec.uses.extra import learn
from aecodec.uses.meter import PIECE, measure

Array = npt.NDArray[np.float64]

BLOCK = 8  # pixels, the side of the places of distortion
FEWEST = 20  # normal pictures
FOLDS = 4
WHOLE = 16  # latents of a picture up to which its means are taken as a whole rather than place by place
NEIGHBOURS = 5
COMPONENTS = 20
BANK = 4000  # places of normal pictures that others are compared with
FLOOR = 0.1  # squared grey levels, or bits, beside which others do not matter
MARGINS = {"distortion": 1.0, "place typicality": 1.0}  # standard deviations

Pictures = Pixels | Sequence[Pixels]


@dataclass(frozen=True)
class Finding:
    """What is known of one picture; ``z`` has the signals in the order of :attr:`AnomalyDetector.signals_`."""

    score: float  # some standard deviations above what is normal, by the signal that says most
    p_value: float  # share of normal pictures that are as strange
    bits: float
    ratio: float  # of bits to those of the reference model
    psnr: float
    worst: tuple[int, int]  # x and y of the middle of the strangest place
    z: tuple[float, ...]


@dataclass(frozen=True)
class _Look:
    """One picture as the detector sees it: what it cost, and what was lost, with the model and with the reference."""

    bits: Array  # of each latent position (h, w)
    reference_bits: Array  # as the reference model has it, at the positions of the model
    errors: Array  # mean squared errors of blocks
    means: npt.NDArray[np.float32]  # (h, w, M)
    reference_error: float
    light: tuple[float, float]  # logarithms of brightness and contrast

    @property
    def ratio(self) -> float:
        return float(self.bits.sum() / self.reference_bits.sum())

    @property
    def mse(self) -> float:
        return float(self.errors.mean())


class AnomalyDetector:
    """Tells pictures that are unlike the normal ones. A scikit-learn outlier detector of pictures.

    ``model`` should be trained on pictures of the normal kind. ``false_alarms`` is the share of normal pictures that
    are allowed to be called abnormal; N normal pictures can promise 1 / (N + 1) at best. With ``same_kind``, abnormal
    pictures are taken for another class of the same kind, which shows in the predicted means alone.
    """

    def __init__(
        self,
        model: str | PathLike[str] | Codec = "photo",
        false_alarms: float = 0.01,
        quality: float = DEFAULT_QUALITY,
        reference: str | PathLike[str] | Codec = "photo",
        same_kind: bool = False,
    ) -> None:
        self.model, self.false_alarms, self.quality = model, false_alarms, quality
        self.reference, self.same_kind = reference, same_kind

    def fit(self, normal: Pictures, y: object = None) -> Self:
        """Learn what is normal: pictures (N, H, W[, 3]), or a sequence of pictures of any sizes, uint8.

        Raises DataError for fewer than 20.
        """
        if len(normal) < FEWEST:
            raise DataError(f"{len(normal)} normal pictures; at least {FEWEST} are needed")
        looks = [*self._looks(normal)]
        values: list[Array] = [np.empty(0)] * len(looks)
        for fold in range(FOLDS):
            others = [look for i, look in enumerate(looks) if i % FOLDS != fold]
            normality = Normality(others, self.same_kind)
            for i in range(fold, len(looks), FOLDS):
                values[i] = normality.signals(looks[i])
        self.mean_, self.deviation_ = np.mean(values, axis=0), np.std(values, axis=0) + 1e-9
        self._normality = Normality(looks, self.same_kind)
        self.signals_ = self._normality.names
        self.normal_scores_ = np.sort(_soft_maximum(self._z(np.stack(values))))
        count = len(looks)
        self.false_alarms_ = max(self.false_alarms, 1 / (count + 1))
        self.offset_ = -float(self.normal_scores_[count - int(self.false_alarms_ * (count + 1) + 1e-9)])
        return self

    def score_samples(self, pictures: Pictures) -> Array:
        """Minus the score of each picture: as everywhere in scikit-learn, lower is stranger."""
        return np.array([-finding.score for finding in self.findings(pictures)])

    def decision_function(self, pictures: Pictures) -> Array:
        """Below zero where a picture is abnormal."""
        return self.score_samples(pictures) - self.offset_

    def predict(self, pictures: Pictures) -> npt.NDArray[np.int64]:
        """+1 for normal pictures, -1 for abnormal ones."""
        return np.where(self.decision_function(pictures) < 0, -1, 1)

    def findings(self, pictures: Pictures) -> Iterator[Finding]:
        """What is known of each picture."""
        for look in self._looks(pictures):
            z = self._z(self._normality.signals(look))
            score = float(_soft_maximum(z))
            as_strange = len(self.normal_scores_) - int(np.searchsorted(self.normal_scores_, score))
            places = self._normality.places(look)
            row, column = np.unravel_index(int(places.argmax()), places.shape)
            yield Finding(
                score,
                (1 + as_strange) / (len(self.normal_scores_) + 1),
                float(look.bits.sum()),
                look.ratio,
                float(10 * np.log10(255**2 / max(look.mse, 1e-4))),
                (int(column) * BLOCK + BLOCK // 2, int(row) * BLOCK + BLOCK // 2),
                tuple(float(each) for each in z),
            )

    def anomaly_map(self, picture: Pixels) -> npt.NDArray[np.float32]:
        """How strange each pixel is, (H, W), in standard deviations of normal places."""
        (look,) = self._looks([picture])
        return enlarged(self._normality.places(look), (picture.shape[0], picture.shape[1]))

    def _z(self, values: Array) -> Array:
        margins = np.array([MARGINS.get(name, 0.0) for name in self._normality.names])
        return np.asarray((values - self.mean_) / self.deviation_ - margins)

    def _looks(self, pictures: Pictures) -> Iterator[_Look]:
        codec, other = (each if isinstance(each, Codec) else load_codec(each) for each in (self.model, self.reference))
        for batch in batches(pictures):
            step = max(1, PIECE // batch[0].size)
            for start in range(0, len(batch), step):
                yield from self._seen(codec, other, batch[start : start + step])

    def _seen(self, codec: Codec, other: Codec, pixels: Pixels) -> Iterator[_Look]:
        grey = pixels.ndim == 3
        measured = measure(codec, pixels, self.quality)
        reference = measured if other.id == codec.id else measure(other, pixels, self.quality)
        errors = block_errors(pixels, measured.restored(grey))
        beyond = block_errors(pixels, reference.restored(grey)).mean((1, 2))
        own, base = measured.bit_map, reference.bit_map
        light = (np.log(statistic(pixels.reshape(len(pixels), -1), axis=1) + 1) for statistic in (np.mean, np.std))
        brightness, contrast = light
        for i in range(len(pixels)):
            places = enlarged(base[i], own[i].shape) * (base[i].size / own[i].size)
            yield _Look(
                own[i].astype(np.float64),
                places.astype(np.float64),
                errors[i],
                measured.means[i],
                beyond[i],
                (brightness[i], contrast[i]),
            )


class Normality:
    """What normal pictures are like, as a whole and place by place."""

    def __init__(self, looks: Sequence[_Look], same_kind: bool) -> None:
        self.whole = len({look.means.shape for look in looks}) == 1 and looks[0].bits.size <= WHOLE
        self.same_kind = same_kind
        kind = ("neighbours", "residual") if same_kind else ("rate", "distortion", "typicality")
        self.names = kind if self.whole or same_kind else (*kind, "place", "place typicality")
        vectors = np.concatenate([self._vectors(look) for look in looks])
        chosen = np.random.default_rng(0).permutation(len(vectors))[: len(vectors) if self.whole else BANK]
        self._novelty = _distances(vectors[chosen]) if same_kind or not self.whole else None
        self._pictures = Typical(np.stack([_summary(look) for look in looks]))
        errors = np.concatenate([np.log(look.errors + FLOOR).ravel() for look in looks])
        self._error = float(errors.mean()), float(errors.std()) + 1e-9
        if not self.whole:  # of some, for it takes time
            few = looks[:: max(1, len(looks) // 50)]
            self._places = Typical(np.concatenate([self._described(look) for look in few]))

    def signals(self, look: _Look) -> Array:
        """The signals of a picture; larger is stranger."""
        if self.same_kind:
            assert self._novelty is not None
            found = self._novelty(self._vectors(look))
            return np.array([np.sort(each)[-max(1, len(each) // 20) :].mean() for each in found])
        values = [np.log(look.ratio), np.log(look.mse + FLOOR), float(self._pictures(_summary(look)[None])[0])]
        if not self.whole:
            errors = np.sort(np.log(look.errors + FLOOR).ravel())
            values += [errors[-max(1, len(errors) // 100) :].mean(), self._places(self._described(look)).max()]
        return np.array(values)

    def places(self, look: _Look) -> Array:
        """How strange each block is, in standard deviations."""
        if self.whole:
            mean, deviation = self._error
            return np.asarray((np.log(look.errors + FLOOR) - mean) / deviation)
        strange = self._places(self._described(look)).reshape(look.bits.shape)
        return np.asarray(enlarged(strange, (look.errors.shape[0], look.errors.shape[1])), np.float64)

    def _described(self, look: _Look) -> Array:
        """What is known of each position: errors, the worst of its blocks, bits with both models, and novelty."""
        assert self._novelty is not None
        height, width = look.bits.shape
        rows, columns = (-(-a // b) for a, b in zip(look.errors.shape, (height, width), strict=True))
        padding = [(0, height * rows - look.errors.shape[0]), (0, width * columns - look.errors.shape[1])]
        blocks = np.pad(look.errors, padding, "edge").reshape(height, rows, width, columns)
        near = self._novelty(self._vectors(look))[0]
        parts = blocks.mean((1, 3)), blocks.max((1, 3)), look.bits, look.reference_bits
        return np.stack([*(np.log(part.ravel() + FLOOR) for part in parts), near], axis=1)

    def _vectors(self, look: _Look) -> npt.NDArray[np.float32]:
        return look.means.reshape(1, -1) if self.whole else look.means.reshape(-1, look.means.shape[-1])


class Typical:
    """The logarithm of the Mahalanobis distance to normal points (N, K), in standard deviations."""

    def __init__(self, normal: Array) -> None:
        self._middle = normal.mean(0)
        self._inverse = np.linalg.inv(np.atleast_2d(np.cov(normal.T)) + 1e-6 * np.eye(normal.shape[1]))
        logs = self._logs(normal)
        self._mean, self._deviation = logs.mean(), logs.std() + 1e-9

    def __call__(self, points: Array) -> Array:
        return np.asarray((self._logs(points) - self._mean) / self._deviation)

    def _logs(self, points: Array) -> Array:
        apart = points - self._middle
        return np.asarray(np.log(np.einsum("ni,ij,nj->n", apart, self._inverse, apart) + 1e-3))


def _summary(look: _Look) -> Array:
    """Of a picture: its bits and errors with both models, its brightness and contrast."""
    size = look.errors.size
    rates = np.log(look.bits.sum() / size + 1), np.log(look.reference_bits.sum() / size + 1)
    return np.array([*rates, np.log(look.mse + FLOOR), np.log(look.reference_error + FLOOR), *look.light])


def _soft_maximum(z: Array) -> Array:
    """Of signals (..., K): two that agree say a little more than one."""
    return np.asarray(np.logaddexp.reduce(z, axis=-1) - np.log(z.shape[-1]))


def _distances(normal: npt.NDArray[np.float32]) -> Callable[[npt.NDArray[np.float32]], tuple[Array, Array]]:
    """Logarithms of the distance of vectors to their neighbours among the normal ones, and to the PCA of these."""
    neighbours: Any = learn("sklearn.neighbors").NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(normal)
    count = min(COMPONENTS, len(normal) - 1, normal.shape[1])
    pca: Any = learn("sklearn.decomposition").PCA(count, svd_solver="covariance_eigh").fit(normal)

    def distances(vectors: npt.NDArray[np.float32]) -> tuple[Array, Array]:
        near = neighbours.kneighbors(vectors)[0].mean(1)
        residual = np.linalg.norm(vectors - pca.inverse_transform(pca.transform(vectors)), axis=1)
        return np.log(near + 1e-3), np.log(residual + 1e-3)

    return distances


def batches(pictures: Pictures) -> Iterator[Pixels]:
    """The pictures in order, as arrays of neighbours of one size."""
    if isinstance(pictures, np.ndarray):
        yield pictures
        return
    start = 0
    for i in range(1, len(pictures) + 1):
        if i == len(pictures) or pictures[i].shape != pictures[start].shape:
            yield np.stack(pictures[start:i])
            start = i


def block_errors(pixels: Pixels, restored: Pixels) -> Array:
    """Mean squared errors (N, rows, columns) of blocks of pictures, those at the edges of what there is of them."""
    squares = np.square(pixels.astype(np.float32) - restored)
    squares = squares if squares.ndim == 3 else squares.mean(-1)
    height, width = squares.shape[1:]
    rows, columns = np.arange(0, height, BLOCK), np.arange(0, width, BLOCK)
    sums = np.add.reduceat(np.add.reduceat(squares, rows, axis=1), columns, axis=2)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return np.asarray(sums / counts, np.float64)


def enlarged(values: npt.NDArray[np.floating], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A map at another size (H, W), smoothly."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))
