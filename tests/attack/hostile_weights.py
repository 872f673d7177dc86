"""Weights files whose cards, tensors or headers are not what they were."""

from __future__ import annotations

import json
import struct
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.attack.mutations import GOLDEN, Random, changed


@cache
def _weights() -> tuple[tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]], ...]:
    from safetensors import safe_open

    found = []
    for name in ("tiny", "steps", "connected"):
        with safe_open(GOLDEN / f"{name}.safetensors", "numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            found.append((arrays, json.loads(file.metadata()["aecodec"])))
    return tuple(found)


ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 3, 17, 1024, 2**31, -(2**63), 2**64, 1e308, float("nan"), float("inf"), "", "x", "\x1b[2J",
    [], [1], {}, {"a": 1},
)  # fmt: skip


def weights(random: Random) -> bytes:
    """A weights file whose card, tensors or header are not what they were."""
    sound = _weights()
    arrays, card = sound[int(random.integers(len(sound)))]
    arrays, card = dict(arrays), json.loads(json.dumps(card))
    name = str(random.choice([*arrays]))
    match int(random.integers(0, 8)):
        case 0:
            _set_odd(random, card)
        case 1:
            _set_odd(random, card["config"] if random.random() < 0.8 else card["training"])
        case 2:
            del arrays[name]
        case 3:
            arrays[str(random.choice([*arrays]))] = arrays[name]
        case 4:
            kind = str(random.choice(["u1", "i1", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"]))
            arrays[name] = arrays[name].astype(kind)
        case 5:
            arrays[name] = _reshaped(random, arrays[name])
        case _:
            array = arrays[name].copy()
            flat, info = array.reshape(-1), np.iinfo(array.dtype.str)
            some = random.integers(0, max(1, flat.size), int(random.choice([1, 3, 1000])))
            values = (info.min, info.max, 0, 1, 255, *(info.max >> shift for shift in range(1, 8)))
            if flat.size:
                flat[some] = int(random.choice(np.array([v for v in values if info.min <= v <= info.max], object)))
            arrays[name] = array
    data = safetensors_of(arrays, json.dumps(card))
    if random.random() < 0.2:  # the header itself
        size = int.from_bytes(data[:8], "little")
        header = changed(random, data[8 : 8 + size])
        data = struct.pack("<Q", len(header)) + header + data[8 + size :]
    return data


def _set_odd(random: Random, fields: dict[str, Any]) -> None:
    key = str(random.choice([*fields, "unknown"]))
    fields[key] = ODD[int(random.integers(len(ODD)))]


def _reshaped(random: Random, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    match int(random.integers(0, 4)):
        case 0:
            return array.reshape(-1)
        case 1:
            return array[: len(array) // 2]
        case 2:
            return np.concatenate([array, array])
        case _:
            return array[None]


def safetensors_of(arrays: dict[str, npt.NDArray[np.generic]], card: str) -> bytes:
    """A safetensors file."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"aecodec": card})
