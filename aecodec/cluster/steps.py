"""``compress`` and ``decompress`` as steps of a Ray Dataset, which compose with users' own."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aecodec.cluster.coding import Compression, Compressor, Decompression, Settings, weights_bytes
from aecodec.errors import AecError
from aecodec.options import DEFAULT_EFFORT, DEFAULT_MODEL, DEFAULT_QUALITY, Options
from aecodec.pictures.images import from_array

if TYPE_CHECKING:
    from ray.data import Dataset

BATCH = 16  # pictures
Batch = dict[str, npt.NDArray[Any]]


def compress(
    dataset: Dataset,
    quality: float = DEFAULT_QUALITY,
    model: str | PathLike[str] = DEFAULT_MODEL,
    *,
    effort: int = DEFAULT_EFFORT,
    column: str = "bytes",
    psnr: bool = False,
    **options: Any,
) -> Dataset:
    """A Ray Dataset with ``column``, bytes of picture files or arrays of pixels, replaced by bytes of ``.aec`` files.

    New columns are ``width``, ``height``, ``model``, ``quality``, ``source_bytes``, with ``psnr`` that in decibels, and
    ``error``: what is wrong with a picture that cannot be coded, whose bytes are empty then. The other columns stay.
    ``options`` are those of ``Dataset.map_batches``. Raises ModelError.
    """
    settings = Compression(weights_bytes(model), Options(quality, effort=effort), psnr=psnr)
    return _mapped(dataset, settings, column, options)


def decompress(
    dataset: Dataset,
    models: Sequence[str | PathLike[str]] = (),
    *,
    kind: str = "png",
    column: str = "bytes",
    **options: Any,
) -> Dataset:
    """The mirror of :func:`compress`: ``.aec`` files to files of a kind, png or webp perhaps.

    ``models`` are weights files beside those that are installed on the workers. Raises ModelError and ImageError.
    """
    settings = Decompression(tuple(map(weights_bytes, models)), f".{kind.lower().removeprefix('.')}")
    return _mapped(dataset, settings, column, options)


def _mapped(dataset: Dataset, settings: Settings, column: str, options: dict[str, Any]) -> Dataset:
    given = {"batch_size": BATCH, "num_cpus": 1} | options
    return dataset.map_batches(
        _Step, fn_constructor_args=(settings, column), batch_format="numpy", zero_copy_batch=True, **given
    )


class _Step:
    """What a worker does with a batch."""

    def __init__(self, settings: Settings, column: str) -> None:
        self._coder, self._column = settings.coder(), column

    def __call__(self, batch: Batch) -> Batch:
        rows = [self._row(value) for value in batch[self._column]]
        columns = {name: _column([row[name] for row in rows]) for name in rows[0]} if rows else {}
        return {**batch, self._column: columns.pop("bytes"), **columns} if rows else batch

    def _row(self, value: Any) -> dict[str, Any]:
        try:
            if isinstance(value, np.ndarray) and isinstance(self._coder, Compressor):
                size, coded = value.nbytes, self._coder.encode(from_array(value))
            else:
                size, coded = len(value), self._coder(bytes(value))
        except (AecError, MemoryError) as error:
            return dict.fromkeys(_COLUMNS) | {"bytes": b"", "error": str(error) or "not enough memory"}
        row = {name: getattr(coded, name) for name in ("width", "height", "model", "quality", "psnr")}
        return {"bytes": coded.data, "source_bytes": size, "error": None, **row}


_COLUMNS = ("bytes", "source_bytes", "error", "width", "height", "model", "quality", "psnr")


def _column(values: list[Any]) -> npt.NDArray[Any]:
    column = np.empty(len(values), object)
    column[:] = values
    return column
