"""Weights files: where they are, what is in them, and whether they are what they claim. Imports no PyTorch.

A weights file is a safetensors file (no code in it, whoever made it) whose metadata entry ``aecodec`` is JSON with the
fields of :class:`~aecodec.card.Card` (all but ``id``). Its tensors:

==============================================  =====================================================================
``analysis.*`` ``synthesis.*``                  int16 ``weight``, int32 ``bias`` and uint8 ``shift`` of every
``hyper_analysis.*`` ``hyper_synthesis.*``      convolution of :mod:`aecodec.networks.fixed_point`
``context.*``
``early_context.*``                             likewise; only where there are three coding steps
``analysis.fraction`` ``synthesis.fraction``    uint8; fractional bits of the activations
``hyper_analysis.fraction``
``analysis_fine.fraction``                      likewise, of their parts at 1/8 of the resolution; without them, those
``synthesis_fine.fraction``                     above
``gains.*``                                     int32; ``encode``, ``decode``, ``positions``, of
                                                :mod:`aecodec.networks.gains`
``latent_tables.*`` ``hyper_tables.*``          integers; ``minimum``, ``size``, ``frequencies`` of all tables
==============================================  =====================================================================
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from aecodec.card import Card, dump, parse
from aecodec.errors import MissingModel, ModelError
from aecodec.files import write_atomically
from aecodec.networks.config import MAX_WEIGHTS_BYTES

Arrays = dict[str, npt.NDArray[np.generic]]

ID_BYTES = 16
ENVIRONMENT = "AECODEC_MODELS"
SUFFIX = ".safetensors"

# Files name their model by its id alone. These are the names of models that came with aecodec at some time.
SHIPPED = {
    "20839a95af99013c00a4bd07dab07f96": "digits",
    "4794d888294f3f55ff3a9f15a9483144": "photo",
    "a23e8dd500d6c4054cc01c975c1bcb24": "photo",
    "c89754b77197a98ef1200a73407afb6b": "fashion",
    "daa7472382b3b14359ac2b157417cfd9": "cells",
    "f4bfab68050ef1e9021e68e7deb22756": "photo-psnr",
}


@dataclass(frozen=True)
class Weights:
    """A loaded weights file: its card, its id and its tensors."""

    card: Card
    id: bytes
    arrays: Arrays


def identify(data: bytes) -> bytes:
    """The id of a weights file with these bytes."""
    return hashlib.sha256(data).digest()[:ID_BYTES]


def save_weights(path: Path, card: Card, arrays: Arrays) -> bytes:
    """Write a weights file; its id. The same arrays and card give the same bytes."""
    data = save({name: np.ascontiguousarray(a) for name, a in sorted(arrays.items())}, {"aecodec": dump(card)})
    write_atomically(path, data, overwrite=True)
    return identify(data)


def load_weights(path: Path) -> Weights:
    """Read and verify a weights file. Raises ModelError where it is missing, damaged or of another kind."""
    identity = _identify_file(path)
    card = _card(path, identity)
    try:
        with safe_open(path, "numpy") as file:
            names = file.keys()
            arrays: Arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, TypeError) as error:
        raise ModelError(f"{path}: damaged weights file ({error})") from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"{path}: {name} is not finite")
    return Weights(card, identity, arrays)


def describe(path: Path) -> Card:
    """The card of a weights file; as :func:`load_weights`, without its tensors."""
    return _card(path, identify(_read(path)))


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a weights file does. Raises ModelError where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise ModelError(f"{path}: cannot read weights ({error.strerror})") from error
    return status.st_mtime_ns, status.st_size


def _read(path: Path) -> bytes:
    if stamp(path)[1] > MAX_WEIGHTS_BYTES:
        raise ModelError(f"{path}: larger than any weights file ({MAX_WEIGHTS_BYTES} bytes)")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read weights ({error.strerror})") from error


@lru_cache(maxsize=64)
def _identify_stamped(path: Path, stamp: tuple[int, int]) -> bytes:
    return identify(_read(path))


def _identify_file(path: Path) -> bytes:
    """The id of a weights file, which is not read again for every picture of a folder."""
    return _identify_stamped(path.resolve(), stamp(path))


def _card(path: Path, identity: bytes) -> Card:
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not an aecodec weights file") from error
    if "aecodec" not in metadata:
        raise ModelError(f"{path}: not an aecodec weights file")
    try:
        return parse(metadata["aecodec"], identity.hex())
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: not an aecodec weights file of this version ({error})") from error


def folders() -> list[Path]:
    """Where models are looked for: the package's own, then those in the environment variable AECODEC_MODELS."""
    return _own_folder() + [Path(p) for p in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if p]


def _own_folder() -> list[Path]:
    here = Path(__file__).parent
    return [p for p in (here / "_weights", here.parent / "weights") if p.is_dir()][:1]


def packaged_ids() -> set[bytes]:
    """Of the models that come with the package, and so are on every machine that has it."""
    return {_identify_file(path) for folder in _own_folder() for path in folder.glob("*.safetensors")}


def installed() -> Iterator[Path]:
    """All weights files in :func:`folders`; what is wrong with one of them shows when it is read."""
    for folder in folders():
        yield from weights_files(folder)


def weights_files(folder: Path) -> list[Path]:
    """The weights files in a folder; none where it cannot be looked into."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.is_file())
    except OSError:
        return []


def find(name: str | os.PathLike[str]) -> Path:
    """The weights file of a model: an installed one by its name, or any by its path. Raises ModelError.

    Text without a separator and without the suffix of a file is a name, whatever files of that name there are.
    """
    path = Path(name)
    if isinstance(name, str) and path.name == name:
        for candidate in installed():
            if name in (candidate.stem, candidate.stem.rpartition("-")[0]):
                return candidate
    if isinstance(name, str) and path.name == name and not path.suffix:
        names = sorted({p.stem for p in installed()})
        file = f"; for the file of that name write .{os.sep}{name}" if path.is_file() else ""
        raise ModelError(f"no model named {name!r}; installed: {', '.join(names) or 'none'}{file}")
    if not path.is_file():
        raise ModelError(f"{path}: no such weights file")
    return path


def find_by_id(identity: bytes, given: Iterable[Path] = ()) -> Path:
    """The weights file with this id, among ``given`` and the installed ones. Raises MissingModel, with where it looked.

    Files that cannot be read are passed over.
    """
    given = [*given]
    named_so = identity.hex()  # as files that training and the package name are: the others need not be read then
    for path in sorted([*given, *installed()], key=lambda path: named_so not in path.name):
        with suppress(ModelError):
            if _identify_file(path) == identity:
                return path
    places = ", ".join(map(str, dict.fromkeys([*given, *folders()])))
    name = f"{SHIPPED[identity.hex()]} " if identity.hex() in SHIPPED else ""
    raise MissingModel(
        f"the file needs the model {name}{identity.hex()}, which is not here; looked in {places or 'no folder'}",
        identity.hex(),
    )
