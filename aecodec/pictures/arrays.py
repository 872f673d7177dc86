"""Many pictures of one size in one file: NumPy's .npy and .npz, and the IDX files of MNIST, gzipped or not.

An array is (N, H, W) for grey or (N, H, W, 3) for colour pictures, uint8. What a file is, its first bytes tell; what
to write, the name does. IDX: two zero bytes, the type (8: uint8), the number of dimensions, each dimension as 32 bits
big endian, the values in row-major order.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from aecodec.errors import DataError

Pixels = npt.NDArray[np.uint8]

GZIP, ZIP, NPY, IDX = b"\x1f\x8b", b"PK\x03\x04", b"\x93NUMPY", b"\0\0"
IDX_UINT8 = 8

NEEDED = "needed are pictures (N, H, W) or (N, H, W, 3) of uint8"


def is_array(path: Path) -> bool:
    """Whether the name of a file is one of an array: .npy, .npz, .idx, -ubyte, the latter two also with .gz."""
    name = path.name.lower().removesuffix(".gz")
    return path.suffix.lower() in (".npy", ".npz") or name.endswith((".idx", "-ubyte", "ubyte.idx"))


def is_array_data(data: bytes) -> bool:
    """Whether the bytes of a file begin like those of an array, and not like a picture's."""
    return data.startswith((GZIP, ZIP, NPY, IDX + bytes([IDX_UINT8])))


def read_array(path: Path, prefer: str = "") -> Pixels:
    """The pictures in a file, (N, H, W) or (N, H, W, 3).

    Of several arrays of pictures in an .npz the one with ``prefer`` in its name is taken. Raises DataError where the
    file cannot be read, is damaged, or holds something else.
    """
    try:
        with path.open("rb") as file:
            return load(file, str(path), prefer)
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror or error})") from error


def load(file: BinaryIO, name: str, prefer: str = "") -> Pixels:
    """As :func:`read_array`, from a seekable file; ``name`` is for messages."""
    start = file.read(6)
    file.seek(0)
    try:
        if start.startswith(GZIP):
            with gzip.GzipFile(fileobj=file) as unzipped:
                return _pictures(_load_idx(unzipped, name), name)
        if start.startswith(IDX):
            return _pictures(_load_idx(file, name), name)
        if start.startswith((NPY, ZIP)):
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return _pictures(loaded, name)
            with loaded:
                return _pictures(_choose({key: loaded[key] for key in loaded.files}, name, prefer), name)
    except (OSError, ValueError, EOFError, struct.error, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: damaged, or not an array of numbers ({error})") from error
    raise DataError(f"{name}: neither .npy, .npz nor an IDX file; {NEEDED}")


def write_array(path: Path, pictures: Pixels) -> None:
    """Write pictures (N, H, W) or (N, H, W, 3); the name decides the kind of file. Raises DataError, OSError."""
    with path.open("wb") as file:
        dump(pictures, file, path.name)


def dump(pictures: Pixels, file: BinaryIO, name: str) -> None:
    """As :func:`write_array`, into a file open for writing. The same pictures give the same bytes."""
    pictures = _pictures(pictures, name)
    plain = name.lower().removesuffix(".gz")
    if name.lower().endswith(".npz"):
        np.savez_compressed(file, pictures=pictures)
    elif name.lower().endswith(".npy"):
        np.save(file, pictures)
    elif not is_array(Path(plain)):
        raise DataError(f"{name}: name it .npy, .npz, .idx or -ubyte, the last two also with .gz")
    elif plain != name.lower():
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped:
            _dump_idx(pictures, zipped)
    else:
        _dump_idx(pictures, file)


def _load_idx(file: BinaryIO | gzip.GzipFile, name: str) -> npt.NDArray[np.generic]:
    zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
    if zeros or kind not in (8, 9, 11, 12, 13, 14) or not dimensions:
        raise DataError(f"{name}: not an IDX file; {NEEDED}")
    if dimensions == 1:
        raise DataError(f"{name}: an IDX file of labels; the pictures are in the file with 'images' in its name (idx3)")
    if kind != IDX_UINT8:
        raise DataError(f"{name}: an IDX file of numbers other than uint8; {NEEDED}")
    shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
    size = math.prod(shape)
    data = file.read(size + 1)
    if len(data) != size:
        raise DataError(f"{name}: damaged, its header promises {size} bytes of pixels and {len(data)} are there")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _dump_idx(pictures: Pixels, file: BinaryIO | gzip.GzipFile) -> None:
    file.write(struct.pack(f">HBB{pictures.ndim}I", 0, IDX_UINT8, pictures.ndim, *pictures.shape))
    file.write(np.ascontiguousarray(pictures).tobytes())


def _choose(arrays: dict[str, npt.NDArray[np.generic]], name: str, prefer: str) -> npt.NDArray[np.generic]:
    """The one array of an .npz that holds pictures."""
    pictures = {key: array for key, array in arrays.items() if array.ndim in (3, 4)} or arrays
    preferred = {key: array for key, array in pictures.items() if prefer in key}
    chosen = pictures if len(pictures) == 1 else preferred
    if len(chosen) != 1:
        there = ", ".join(f"{key} {array.shape}" for key, array in arrays.items()) or "nothing"
        raise DataError(f"{name}: holds {there}; save the array that is meant as a file of its own (.npy)")
    return next(iter(chosen.values()))


def _pictures(array: npt.NDArray[np.generic], name: str) -> Pixels:
    """The array, checked."""
    shape = array.shape
    if array.dtype != np.uint8:
        raise DataError(f"{name}: an array of {array.dtype} {shape}; {NEEDED} (0..255)")
    if len(shape) == 4 and shape[3] == 1:
        shape, array = shape[:3], array[..., 0]
    if len(shape) == 4 and shape[3] != 3 and shape[1] in (1, 3):
        raise DataError(f"{name}: channels come first in {shape}; {NEEDED}: array.transpose(0, 2, 3, 1)")
    if len(shape) == 4 and shape[3] == 4:
        raise DataError(f"{name}: {shape} has transparency, which arrays of pictures cannot keep; {NEEDED}")
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)) or 0 in shape:
        raise DataError(f"{name}: an array {shape}; {NEEDED}")
    if len(shape) == 3 and shape[2] <= 4:
        raise DataError(f"{name}: an array {shape} seems to be a single picture; {NEEDED}")
    return np.asarray(array, np.uint8)
