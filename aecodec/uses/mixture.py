"""A mixture of Gaussians over hyper latents, from which pictures are drawn that look like those of training.

The prior of the file format draws hyper latents channel by channel, as if they had nothing to do with each other. A
mixture fitted to them after training knows better (Ghosh et al., ICLR 2020, for plain autoencoders). It has no part in
coding. Covariances are kept as a few factors and a diagonal, so that 40 components are no larger than a small layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aecodec.codec import Codec, Pixels
from aecodec.errors import ModelError
from aecodec.networks.fixed_point import Int16
from aecodec.uses.meter import measured_in_pieces

Array = npt.NDArray[np.float64]

PREFIX = "sampler."  # of its tensors in a weights file
COMPONENTS = 40
RANK = 16  # factors of a component
MOST = 512  # hyper latents of a picture, for which a mixture can be fitted to some thousand pictures
QUALITY = 60.0  # at which hyper latents are fitted, and drawn
PER_COMPONENT = 50  # pictures at least
ROUNDS = 15
ROUNDING = 1 / 12  # variance that rounding adds; the least that a hyper latent has


@dataclass(frozen=True)
class Mixture:
    """K Gaussians over the hyper latents of pictures of one size, D numbers each."""

    size: tuple[int, int]  # height and width of the pictures
    quality: float
    weight: Array  # (K,)
    mean: Array  # (K, D)
    factor: Array  # (K, D, R)
    deviation: Array  # (K, D)

    def draw(self, count: int, random: np.random.Generator) -> Array:
        """Hyper latents (count, D), not yet rounded."""
        chosen = random.choice(len(self.weight), count, p=self.weight / self.weight.sum())
        inner = random.normal(size=(count, self.factor.shape[2]))
        own = random.normal(size=(count, self.mean.shape[1]))
        spread = np.einsum("ndr,nr->nd", self.factor[chosen], inner)
        return np.asarray(self.mean[chosen] + spread + self.deviation[chosen] * own)

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """For a weights file; the inverse of :func:`stored`."""
        numbers = np.array([*self.size, self.quality], np.float32)
        parts = {name: getattr(self, name).astype(np.float16) for name in ("weight", "mean", "factor", "deviation")}
        return {PREFIX + "numbers": numbers} | {PREFIX + name: part for name, part in parts.items()}


def stored(tensors: Mapping[str, npt.NDArray[np.generic]]) -> Mixture | None:
    """The mixture of a weights file, if it has one. Raises ModelError where its tensors do not fit together."""
    if PREFIX + "numbers" not in tensors:
        return None
    try:
        height, width, quality = (float(value) for value in tensors[PREFIX + "numbers"])
        weight, mean, factor, deviation = (
            tensors[PREFIX + name].astype(np.float64) for name in ("weight", "mean", "factor", "deviation")
        )
        if not (len(weight) == len(mean) == len(factor) and mean.shape == deviation.shape == factor.shape[:2]):
            raise ValueError("shapes differ")
        return Mixture((int(height), int(width)), quality, weight, mean, factor, deviation)
    except (KeyError, ValueError) as error:
        raise ModelError(f"the mixture of hyper latents does not fit together ({error})") from error


def fit(codec: Codec, pictures: Pixels, seed: int = 0) -> Mixture | None:
    """A mixture for pictures (N, H, W[, 3]) of one size; None where they are too large or too few for one."""
    height, width = pictures.shape[1:3]
    rows, columns = (-(-side // codec.prior.hyper_stride) for side in codec.transform.grid(height, width))
    count = min(COMPONENTS, len(pictures) // PER_COMPONENT)
    if rows * columns * codec.card.config.hyper_channels > MOST or not count:
        return None
    hyper = [m.hyper.reshape(len(m), -1) for m in measured_in_pieces(codec, pictures, QUALITY)]
    weight, mean, covariance = _maximise(np.concatenate(hyper).astype(np.float64), count, np.random.default_rng(seed))
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[:, ::-1][:, :RANK], vectors[:, :, ::-1][:, :, :RANK]
    factor = vectors * np.sqrt(np.maximum(values - ROUNDING, 0))[:, None]
    rest = np.diagonal(covariance, axis1=1, axis2=2) - np.square(factor).sum(2)
    return Mixture((height, width), QUALITY, weight, mean, factor, np.sqrt(np.maximum(rest, 0)))


def rounded(drawn: Array, shape: tuple[int, int, int]) -> Int16:
    """Hyper latents (N, rows, columns, Z) as the decoder gets them."""
    return np.rint(drawn).astype(np.int16).reshape(-1, *shape)


def _maximise(x: Array, count: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Weights, means and covariances of a mixture by expectation and maximisation (Dempster et al. 1977)."""
    dimensions = x.shape[1]
    whole = np.atleast_2d(np.cov(x.T))
    mean = _far_apart(x, count, random)
    weight = np.full(count, 1 / count)
    covariance = np.repeat((np.diag(np.diagonal(whole)) + ROUNDING * np.eye(dimensions))[None], count, axis=0)
    for _ in range(ROUNDS):
        share = _responsibilities(x, weight, mean, covariance)
        total = share.sum(0) + 1e-9
        weight, mean = total / total.sum(), share.T @ x / total[:, None]
        for k in range(count):
            apart = x - mean[k]
            own = (share[:, k, None] * apart).T @ apart
            shrunk = (own + dimensions / 4 * whole / count) / (total[k] + dimensions / 4)
            covariance[k] = shrunk + ROUNDING * np.eye(dimensions)
    return weight, mean, covariance


def _far_apart(x: Array, count: int, random: np.random.Generator) -> Array:
    """Some of the points, each drawn by its squared distance to those before (Arthur and Vassilvitskii 2007)."""
    chosen = [x[random.integers(len(x))]]
    nearest = np.square(x - chosen[0]).sum(1)
    while len(chosen) < count:
        total = nearest.sum()
        chosen.append(x[random.choice(len(x), p=nearest / total) if total else random.integers(len(x))])
        nearest = np.minimum(nearest, np.square(x - chosen[-1]).sum(1))
    return np.stack(chosen)


def _responsibilities(x: Array, weight: Array, mean: Array, covariance: Array) -> Array:
    """Probabilities (N, K) of the components for each point."""
    logs = np.empty((len(x), len(weight)))
    for k in range(len(weight)):
        root = np.linalg.cholesky(covariance[k])
        inner = np.linalg.solve(root, (x - mean[k]).T)
        logs[:, k] = np.log(weight[k] + 1e-300) - np.log(np.diagonal(root)).sum() - np.square(inner).sum(0) / 2
    logs -= logs.max(1, keepdims=True)
    share = np.exp(logs)
    return np.asarray(share / share.sum(1, keepdims=True))
