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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from aecodec.errors import AecError, DataError
from aecodec.format.container import check_pixels

Pixels = npt.NDArray[np.uint8]

GZIP, ZIP, NPY, IDX = b"\x1f\x8b", b"PK\x03\x04", b"\x93NUMPY", b"\0\0"
IDX_UINT8 = 8
STEP = 2**24  # bytes

NEEDED = "needed are pictures (N, H, W) or (N, H, W, 3) of uint8"


def is_array(path: Path) -> bool:
    """Whether the name of a file is one of an array: .npy, .npz, .idx, -ubyte, the latter two also with .gz."""
    name = path.name.lower().removesuffix(".gz")
    return path.suffix.lower() in (".npy", ".npz") or name.endswith((".idx", "-ubyte", "ubyte.idx"))


def is_array_data(data: bytes) -> bool:
    """Whether the bytes of a file begin like those of an array, and not like a picture's."""
    return data.startswith((GZIP, ZIP, NPY, IDX + bytes([IDX_UINT8])))


def read_array(path: Path, prefer: str = "", max_pixels: int | None = None) -> Pixels:
    """The pictures in a file, (N, H, W) or (N, H, W, 3).

    Of several arrays of pictures in an .npz the one with ``prefer`` in its name is taken. Raises DataError where the
    file cannot be read, is damaged, or holds something else, and LimitError, see :func:`load`.
    """
    with _opened(path) as file:
        return load(file, str(path), prefer, max_pixels)


def shape_of(path: Path, prefer: str = "") -> tuple[int, ...]:
    """The shape of what :func:`read_array` would read, of which no pixel is."""
    with _opened(path) as file, _announced(file, str(path), prefer) as found:
        return found.shape


def load(file: BinaryIO, name: str, prefer: str = "", max_pixels: int | None = None) -> Pixels:
    """As :func:`read_array`, from a seekable file; ``name`` is for messages.

    Kind, shape and size are compared with ``max_pixels`` (None: no limit) before any pixel is read or inflated, and
    of several arrays only the one that is taken is read.
    """
    with _announced(file, name, prefer) as found:
        count, height, width = found.shape[:3]
        check_pixels(width, height, max_pixels, count)
        return np.asarray(found.read(), np.uint8).reshape(found.shape)


@dataclass(frozen=True)
class _Announced:
    """An array by its header, and how to get it."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    read: Callable[[], npt.NDArray[np.generic]]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror or error})") from error


@contextmanager
def _announced(file: BinaryIO, name: str, prefer: str) -> Iterator[_Announced]:
    """The array of pictures in a file by its header, its shape checked; errors within the block are the file's."""
    start = file.read(6)
    file.seek(0)
    try:
        with ExitStack() as stack:
            if start.startswith(GZIP):
                found = _idx(stack.enter_context(gzip.GzipFile(fileobj=file)), name)
            elif start.startswith(IDX):
                found = _idx(file, name)
            elif start.startswith(NPY):
                found = _npy(file)
            elif start.startswith(ZIP):
                found = _npz(stack.enter_context(zipfile.ZipFile(file)), stack, name, prefer)
            else:
                raise DataError(f"{name}: neither .npy, .npz nor an IDX file; {NEEDED}")
            yield replace(found, shape=_shape_of_pictures(found.shape, found.dtype, name))
    except (AecError, MemoryError):
        raise
    except Exception as error:  # damage makes readers fail in every way there is
        raise DataError(f"{name}: damaged, or not an array of numbers ({error or type(error).__name__})") from error


def write_array(path: Path, pictures: Pixels) -> None:
    """Write pictures (N, H, W) or (N, H, W, 3); the name decides the kind of file. Raises DataError, OSError."""
    with path.open("wb") as file:
        dump(pictures, file, path.name)


def dump(pictures: Pixels, file: BinaryIO, name: str) -> None:
    """As :func:`write_array`, into a file open for writing. The same pictures give the same bytes."""
    pictures = pictures.reshape(_shape_of_pictures(pictures.shape, pictures.dtype, name))
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


def _npy(file: BinaryIO) -> _Announced:
    """An array in NumPy's format; what is read of it is never more than its header says."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of .npy, which holds no plain numbers")
    shape, fortran_order, dtype = readers[version](file)

    def read() -> npt.NDArray[np.generic]:
        size = math.prod(shape) * dtype.itemsize
        data = _take(file, size)
        if len(data) != size:
            raise ValueError(f"its header promises {size} bytes and {len(data)} are there")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")

    return _Announced(shape, dtype, read)


def _npz(file: zipfile.ZipFile, stack: ExitStack, name: str, prefer: str) -> _Announced:
    """The one array of an .npz that holds pictures."""
    arrays: dict[str, _Announced] = {}
    for info in file.infolist():
        if info.filename.endswith(".npy"):
            with file.open(info) as member:
                arrays[info.filename.removesuffix(".npy")] = _npy(cast(BinaryIO, member))
    pictures = {key: array for key, array in arrays.items() if len(array.shape) in (3, 4)} or arrays
    preferred = {key: array for key, array in pictures.items() if prefer in key}
    chosen = pictures if len(pictures) == 1 else preferred
    if len(chosen) != 1:
        there = ", ".join(f"{key} {array.shape}" for key, array in arrays.items()) or "nothing"
        raise DataError(f"{name}: holds {there}; save the array that is meant as a file of its own (.npy)")
    return _npy(cast(BinaryIO, stack.enter_context(file.open(f"{next(iter(chosen))}.npy"))))


def _idx(file: BinaryIO | gzip.GzipFile, name: str) -> _Announced:
    zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
    if zeros or kind not in (8, 9, 11, 12, 13, 14) or not dimensions:
        raise DataError(f"{name}: not an IDX file; {NEEDED}")
    if dimensions == 1:
        raise DataError(f"{name}: an IDX file of labels; the pictures are in the file with 'images' in its name (idx3)")
    if kind != IDX_UINT8:
        raise DataError(f"{name}: an IDX file of numbers other than uint8; {NEEDED}")
    shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))

    def read() -> npt.NDArray[np.generic]:
        size = math.prod(shape)
        data = _take(file, size + 1)
        if len(data) != size:
            raise DataError(f"{name}: damaged, its header promises {size} bytes of pixels and {len(data)} are there")
        return np.frombuffer(data, np.uint8).reshape(shape)

    return _Announced(shape, np.dtype(np.uint8), read)


def _take(file: BinaryIO | gzip.GzipFile, size: int) -> bytearray:
    """So many bytes, or all that are there: no memory is taken for bytes that are only promised."""
    data = bytearray()
    while len(data) < size and (part := file.read(min(size - len(data), STEP))):
        data += part
    return data


def _dump_idx(pictures: Pixels, file: BinaryIO | gzip.GzipFile) -> None:
    file.write(struct.pack(f">HBB{pictures.ndim}I", 0, IDX_UINT8, pictures.ndim, *pictures.shape))
    file.write(np.ascontiguousarray(pictures).tobytes())


def _shape_of_pictures(shape: tuple[int, ...], dtype: np.dtype[np.generic], name: str) -> tuple[int, ...]:
    """The shape (N, H, W) or (N, H, W, 3) of an array of pictures. Raises DataError where it is not one."""
    if dtype != np.uint8:
        raise DataError(f"{name}: an array of {dtype} {shape}; {NEEDED} (0..255)")
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) == 4 and shape[3] != 3 and shape[1] in (1, 3):
        raise DataError(f"{name}: channels come first in {shape}; {NEEDED}: array.transpose(0, 2, 3, 1)")
    if len(shape) == 4 and shape[3] == 4:
        raise DataError(f"{name}: {shape} has transparency, which arrays of pictures cannot keep; {NEEDED}")
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)) or 0 in shape:
        raise DataError(f"{name}: an array {shape}; {NEEDED}")
    if len(shape) == 3 and shape[2] <= 4:
        raise DataError(f"{name}: an array {shape} seems to be a single picture; {NEEDED}")
    return shape
