"""Latents as a scikit-learn transformer: ``make_pipeline(Latents("digits"), LabelSpreading("knn"))``."""

from __future__ import annotations

import math
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from aecodec.codec import Codec, Pixels, load_codec
from aecodec.format.container import Coding, Header
from aecodec.networks.fixed_point import PRIOR_BITS
from aecodec.options import DEFAULT_QUALITY, hundredths
from aecodec.uses.features import Features, column_names, features
from aecodec.uses.meter import measure, measured_in_pieces


class Latents(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns pictures (N, H, W) or (N, H, W, 3), uint8, or (N, H * W) rows of grey levels, into features (N, K).

    Rows are taken as square pictures where their length is a square, and as pictures of one row otherwise; numbers are
    rounded and limited to 0..255. ``features``: means, latents, hyper or bits. ``pool``: None, mean or max.
    """

    def __init__(
        self,
        model: str | PathLike[str] | Codec = "photo",
        features: str = "means",
        pool: str | None = None,
        quality: float = DEFAULT_QUALITY,
    ) -> None:
        self.model, self.features, self.pool, self.quality = model, features, pool, quality

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Note the size of the pictures; nothing is learned."""
        pictures = self._pictures(X, reset=True)
        self.size_ = pictures.shape[1:]
        measured = measure(self._codec(), pictures[:1], self.quality)
        self.columns_ = column_names(measured, self.features, self.pool)
        self._n_features_out = len(self.columns_)
        self.grid_ = measured.means.shape[1:]
        return self

    def transform(self, X: npt.ArrayLike) -> Features:
        """The features (N, K) of N pictures, in float32."""
        check_is_fitted(self)
        pictures = self._pictures(X, reset=False)
        parts = measured_in_pieces(self._codec(), pictures, self.quality)
        return np.concatenate([features(part, self.features, self.pool) for part in parts])

    def inverse_transform(self, X: npt.ArrayLike) -> Pixels:
        """The pictures that the decoder makes of features ``latents`` or ``means``, in the shape that was fitted."""
        check_is_fitted(self)
        if self.features not in ("latents", "means") or self.pool is not None:
            raise ValueError("only latents and means that are not pooled can be turned into pictures")
        codec = self._codec()
        scaled = np.rint(np.asarray(X, np.float64).reshape(-1, *self.grid_) * 2**PRIOR_BITS).astype(np.int32)
        latents = codec.transform.gains.at(hundredths(self.quality)).undo(scaled)
        header = Header(self.size_[1], self.size_[0], 1 if len(self.size_) == 2 else 3, Coding.LATENTS)
        pictures = codec.synthesise(latents, header)
        return pictures if self._shaped else pictures.reshape(len(pictures), -1)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """``means_r0_c1_17``: channel 17 in row 0 and column 1; pooled, ``means_17``."""
        check_is_fitted(self)
        return np.array(self.columns_, object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _codec(self) -> Codec:
        return self.model if isinstance(self.model, Codec) else load_codec(self.model)

    def _pictures(self, X: npt.ArrayLike, reset: bool) -> Pixels:
        if isinstance(X, np.ndarray) and X.ndim > 2 and X.dtype == np.uint8:
            if reset:
                self._shaped, self.n_features_in_ = True, math.prod(X.shape[1:])
            elif X.shape[1:] != self.size_:
                raise ValueError(f"pictures of shape {X.shape[1:]}, and those that were fitted are {self.size_}")
            return X
        rows = validate_data(self, X, reset=reset)
        if reset:
            self._shaped = False
        side = math.isqrt(rows.shape[1])
        size = (side, side) if side * side == rows.shape[1] else (1, rows.shape[1])
        return np.asarray(np.clip(np.rint(rows), 0, 255), np.uint8).reshape(-1, *size)
