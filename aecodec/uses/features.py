"""Latents as features: numbers that say what is in a picture, of pictures, .aec files and stacks.

Of the four kinds the predicted means are the best: what hyper latents say about the latents, without their noise. They
stay in quantisation steps, which are the metric that training chose; standardising them costs accuracy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aecodec.codec import Codec, Pixels
from aecodec.errors import AecError, FormatError, ImageError, OutputError
from aecodec.format.container import Coding, parse_header
from aecodec.uses.extra import needed
from aecodec.uses.meter import Measured, measure, measured_file
from aecodec.uses.pictures import name_of, read_file

Features = npt.NDArray[np.float32]

KINDS = ("means", "latents", "hyper", "bits")
POOLS = ("mean", "max")


@dataclass(frozen=True)
class Table:
    """Features (N, K) of pictures with these names."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    values: Features


def features(measured: Measured, kind: str = "means", pool: str | None = None) -> Features:
    """Features (N, K): every position and channel, or with ``pool`` the mean or the maximum of all positions."""
    grid = _grid(measured, kind)
    if pool is None:
        return grid.reshape(len(grid), -1)
    if pool not in POOLS:
        raise ValueError(f"pool {pool!r} is not one of {', '.join(POOLS)}")
    return np.asarray(grid.mean((1, 2)) if pool == "mean" else grid.max((1, 2)), np.float32)


def column_names(measured: Measured, kind: str = "means", pool: str | None = None) -> tuple[str, ...]:
    """Of the features: ``means_r0_c1_17`` is channel 17 in row 0, column 1; pooled, ``means_17``."""
    rows, columns, channels = _grid(measured, kind).shape[1:]
    if pool is not None:
        return tuple(f"{kind}_{channel}" for channel in range(channels))
    places = ((row, column) for row in range(rows) for column in range(columns))
    return tuple(f"{kind}_r{row}_c{column}_{channel}" for row, column in places for channel in range(channels))


def table(
    paths: Iterable[Path],
    source: Path,
    codec: Codec,
    quality: float,
    kind: str = "means",
    pool: str | None = None,
    models: Sequence[Path] = (),
) -> Table:
    """The features of all pictures in files. Those of .aec files and stacks come from their symbols, without pixels.

    Raises ImageError where the pictures do not have equally many, for they are of different sizes.
    """
    names: list[str] = []
    parts: list[Features] = []
    columns: tuple[str, ...] = ()
    for path in paths:
        name = name_of(path, source)
        found = [*_measured(path, name, codec, quality, models)]
        count = sum(len(measured) for measured in found)
        digits = len(str(count - 1))
        names += [name] if count == 1 else [f"{name}#{i:0{digits}d}" for i in range(count)]
        for measured in found:
            here = column_names(measured, kind, pool)
            if columns and len(here) != len(columns):
                raise ImageError(f"{path}: other features than the pictures before, of another size; use --pool mean")
            columns = here
            parts.append(features(measured, kind, pool))
    return Table(tuple(names), columns, np.concatenate(parts))


def write_table(path: Path, found: Table) -> bytes:
    """The bytes of .npz (``names``, ``columns``, ``features``), .csv or .parquet, by the suffix. Raises OutputError."""
    writers: dict[str, Callable[[Table], bytes]] = {".npz": _npz, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in writers:
        raise OutputError(f"{path}: name it .npz, .csv or .parquet")
    return writers[path.suffix](found)


def _measured(path: Path, name: str, codec: Codec, quality: float, models: Sequence[Path]) -> Iterator[Measured]:
    if path.suffix.lower() == ".aec":
        try:
            data = path.read_bytes()
            if parse_header(data).coding == Coding.LATENTS:
                for measured in measured_file(data, models):
                    if measured.codec.id != codec.id:
                        raise FormatError(f"made with the model {measured.codec.card.name}, give it with --model")
                    yield measured
                return
        except OSError as error:
            raise ImageError(f"{path}: cannot read ({error.strerror or error})") from error
        except AecError as error:
            raise type(error)(f"{path}: {error}") from error
    batch: list[Pixels] = []
    for picture in read_file(path, name, models):
        batch.append(picture.pixels)
        if len(batch) * batch[0].size >= 2**19:
            yield measure(codec, np.stack(batch), quality)
            batch = []
    if batch:
        yield measure(codec, np.stack(batch), quality)


def _grid(measured: Measured, kind: str) -> Features:
    if kind not in KINDS:
        raise ValueError(f"features {kind!r} are not one of {', '.join(KINDS)}")
    return np.asarray(getattr(measured, kind), np.float32)


def _npz(found: Table) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, names=np.array(found.names), columns=np.array(found.columns), features=found.values)
    return stream.getvalue()


def _csv(found: Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", *found.columns))
    for name, row in zip(found.names, found.values, strict=True):
        writer.writerow((name, *(f"{value:g}" for value in row)))
    return text.getvalue().encode()


def _parquet(found: Table) -> bytes:
    arrow, parquet = (needed(module, "pyarrow") for module in ("pyarrow", "pyarrow.parquet"))
    columns = {"file": found.names} | dict(zip(found.columns, found.values.T, strict=True))
    stream = io.BytesIO()
    parquet.write_table(arrow.table(columns), stream)
    return stream.getvalue()
