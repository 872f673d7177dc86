"""The orientation that Exif or XMP say: how a picture is to be turned to be shown as it was taken."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

EXIF_PREFIX = b"Exif\0\0"
ON_THE_SIDE = range(5, 9)
_TAG, _KINDS = 0x0112, {3: "H", 4: "I"}
_SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), 1))  # bytes, of each type of a value
_XMP = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>\s*))([1-8])""")


def read(exif: bytes | None, xmp: bytes | None) -> int:
    """1..8 as Exif has it; 1, upright, also where nothing or nonsense is said. Exif counts before XMP."""
    if place := _entry(exif or b""):
        offset, form = place
        value = int(struct.unpack_from(form, exif or b"", offset)[0])
        return value if 1 <= value <= 8 else 1
    found = _XMP.search(xmp or b"")
    return int(found[2]) if found else 1


def cleared(exif: bytes | None, xmp: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Exif and XMP that say upright, and all else as before."""
    if exif and (place := _entry(exif)):
        offset, form = place
        exif = exif[:offset] + struct.pack(form, 1) + exif[offset + struct.calcsize(form) :]
    return exif, xmp and _XMP.sub(rb"\g<1>1", xmp)


def turn(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Rows and columns of (H, W) or (H, W, C) as an orientation 1..8 wants them shown."""
    if orientation in ON_THE_SIDE:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def is_whole(exif: bytes) -> bool:
    """Whether Exif has its first directory, and all values of that."""
    try:
        return all(offset + size <= len(exif) for *_, offset, size in _entries(exif))
    except (struct.error, KeyError):
        return False


def _entry(exif: bytes) -> tuple[int, str] | None:
    """Where the value of the orientation is in Exif, and how it is packed; None where there is none."""
    try:
        for tag, kind, order, offset, size in _entries(exif):
            if tag == _TAG and kind in _KINDS and size == struct.calcsize(_KINDS[kind]) and offset + 4 <= len(exif):
                return offset, order + _KINDS[kind]
    except (struct.error, KeyError):  # damaged; nothing is said then
        pass
    return None


def _entries(exif: bytes) -> Iterator[tuple[int, int, str, int, int]]:
    """Tag, type, byte order, offset and bytes of each value of the first directory.

    Raises struct.error and KeyError where that is damaged.
    """
    start = len(EXIF_PREFIX) if exif.startswith(EXIF_PREFIX) else 0
    order = {b"II*\0": "<", b"MM\0*": ">"}[exif[start : start + 4]]
    first = start + struct.unpack_from(order + "I", exif, start + 4)[0]
    for entry in range(struct.unpack_from(order + "H", exif, first)[0]):
        offset = first + 2 + 12 * entry
        tag, kind, count, value = struct.unpack_from(order + "HHII", exif, offset)
        size = count * _SIZES[kind]
        yield tag, kind, order, offset + 8 if size <= 4 else start + value, size
