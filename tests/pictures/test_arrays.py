"""Arrays of pictures in files: what they announce is checked before anything of that size is read or inflated."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aecodec.errors import DataError, LimitError
from aecodec.pictures import arrays

PICTURES = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)
HUGE = 2**31 - 1


def header_of_npy(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def idx(*shape: int) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, arrays.IDX_UINT8, len(shape), *shape)


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.idx", "a.idx.gz", "a-ubyte"])
def test_the_shape_is_known_without_the_pixels(tmp_path: Path, name: str) -> None:
    arrays.write_array(tmp_path / name, PICTURES)
    assert arrays.shape_of(tmp_path / name) == PICTURES.shape
    assert np.array_equal(arrays.read_array(tmp_path / name), PICTURES)
    with pytest.raises(LimitError, match="a stack of 5 pictures"):
        arrays.read_array(tmp_path / name, max_pixels=100)


def test_columns_first_and_a_channel_of_its_own(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(PICTURES)[..., None])
    assert np.array_equal(arrays.read_array(tmp_path / "a.npy"), PICTURES)


@pytest.mark.parametrize(
    "data",
    [
        header_of_npy((HUGE, 28, 28)),
        idx(HUGE, 28, 28),
        gzip.compress(idx(HUGE, 28, 28)),
        npz({"x.npy": header_of_npy((HUGE, 28, 28))}),
    ],
    ids=["npy", "idx", "gz", "npz"],
)
def test_no_memory_is_taken_for_promises(data: bytes) -> None:
    with pytest.raises(LimitError, match=f"a stack of {HUGE} pictures"):
        arrays.load(io.BytesIO(data), "x", max_pixels=10**8)
    with pytest.raises(DataError, match=f"x: .* promises {HUGE * 28 * 28} bytes"):
        arrays.load(io.BytesIO(data), "x")


def test_only_the_array_that_is_taken_is_inflated() -> None:
    large = header_of_npy((30_000_000,)) + bytes(30_000_000)
    data = npz({"labels.npy": large, "pictures.npy": header_of_npy((5, 6, 7)) + PICTURES.tobytes()})
    damaged = bytearray(data)
    damaged[data.index(b"labels.npy") + 5000] ^= 0xFF
    assert np.array_equal(arrays.load(io.BytesIO(bytes(damaged)), "x"), PICTURES)


def encrypted(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "data",
    [
        arrays.NPY,
        arrays.NPY + b"\x01\x00\xff\xff",
        arrays.NPY + b"\x03\x00" + header_of_npy((5, 6, 7))[8:],
        arrays.NPY + b"\x01\x00\x10\x00" + b"(" * 16,
        header_of_npy((5, 6, -7)),
        header_of_npy((5, 6, 7), "|O"),
        header_of_npy((5, 6, 7)) + bytes(9),
        idx(*[HUGE] * 200),
        b"\0\0\x08\xff",
        gzip.compress(idx(5, 6, 7))[:-9],
        npz({}),
        npz({"x.npy": b""}),
        npz({"x.txt": b"no array"}),
        npz({"x.npy": header_of_npy((5, 6, 7)) + PICTURES.tobytes()})[:-30],
        npz({"x.npy": header_of_npy((5, 6, 7)) + PICTURES.tobytes()}, zipfile.ZIP_LZMA)[:100],
        encrypted(npz({"x.npy": header_of_npy((5, 6, 7)) + PICTURES.tobytes()})),
    ],
)
def test_damage_of_every_kind_is_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^x: "):
        arrays.load(io.BytesIO(data), "x")


@pytest.mark.parametrize("seed", range(3))
def test_no_change_of_bytes_is_another_error(tmp_path: Path, seed: int) -> None:
    rng: Any = np.random.default_rng(seed)
    for name in ("a.npy", "a.npz", "a.idx", "a.idx.gz"):
        arrays.write_array(tmp_path / name, PICTURES)
        data = (tmp_path / name).read_bytes()
        for _ in range(100):
            changed = bytearray(data)
            for at in rng.integers(0, min(len(data), 200), rng.integers(1, 4)):
                changed[at] = rng.integers(0, 256)
            with suppress(DataError, LimitError):
                arrays.load(io.BytesIO(bytes(changed)), "x", max_pixels=10**6)
