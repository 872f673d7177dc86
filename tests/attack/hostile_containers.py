"""Archives and arrays whose tables of contents, headers or entries are not what they were."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from functools import cache

import numpy as np

from aecodec.codec import load_codec
from aecodec.format.archive import weights_entry
from aecodec.pictures.arrays import dump
from aecodec.stack import encode_stack
from tests.attack.hostile_weights import weights
from tests.attack.mutations import Random, changed, mutated, singles
from tests.conftest import TINY
from tests.golden.make import pictures, stack


@cache
def _entries() -> dict[str, bytes]:
    tiny = load_codec(TINY)
    data = TINY.read_bytes()
    return {
        "a.aec": tiny.encode_picture(pictures()["grey"], 60),
        "deep/er/b.aec": tiny.encode_picture(pictures()["noise"], 60),
        "c.aec": encode_stack(stack(), 60, tiny),
        weights_entry("tiny", tiny.id): data,
    }


NAMES = (
    "", "/", "../x.aec", "a/../../x.aec", "C:\\x.aec", "//h/x.aec", "a.aec/", "a.aec/x.aec", "models/x.aec", ".",
    "\x1b[2J.aec", "x" * 2000 + ".aec", "models/tiny-00.safetensors", "__MACOSX/a.aec", "a\0.aec", "A.AEC", "CON.aec",
)  # fmt: skip


def archive(random: Random) -> bytes:
    """A ZIP file, whose entries or whose table of contents are not what they were."""
    entries = dict(_entries())
    name = str(random.choice([*entries]))
    kind = int(random.integers(0, 6))
    if kind == 0:
        entries[str(random.choice(NAMES))] = entries[name]
    elif kind == 1:
        other = str(random.choice([*entries]))
        entries[name] = entries[other]
    elif kind == 2:
        entries[name] = mutated(random, singles())[0] if name.endswith(".aec") else weights(random)
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if random.random() < 0.3 else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", method) as file:
        for entry, data in entries.items():
            file.writestr(zipfile.ZipInfo(entry), data, method)
    data = stream.getvalue()
    if kind >= 3:  # fields of the table of contents, at the end, or of the heads of entries
        start = data.rindex(b"PK\x01\x02") if random.random() < 0.2 else data.index(b"PK\x01\x02")
        if random.random() < 0.2:
            start = data.index(b"PK\x03\x04", int(random.integers(0, data.rindex(b"PK\x03\x04") + 1)))
        end = min(len(data), start + 400)
        data = data[:start] + changed(random, data[start:end]) + data[end:]
    return data


def array(random: Random) -> tuple[str, bytes]:
    """An array file, and the suffix that it has."""
    suffix = str(random.choice([".npy", ".npz", ".idx", ".idx.gz"]))
    pictures = random.integers(0, 256, (3, 6, 7, 3) if random.random() < 0.5 else (3, 8, 9), np.uint8)
    stream = io.BytesIO()
    dump(pictures, stream, f"x{suffix}")
    data = stream.getvalue()
    if suffix == ".idx.gz":
        inner = changed(random, gzip.decompress(data))
        data = gzip.compress(_larger(random, inner), 1)
    elif suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            inner = file.read("pictures.npy")
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
            for name in ("pictures.npy", *random.choice(["other.npy", "a.txt", "pictures.npy", "x/y.npy"], 1)):
                if name not in file.namelist():
                    file.writestr(str(name), _larger(random, _npy(random, inner)))
        data = stream.getvalue()
        if random.random() < 0.3:
            data = changed(random, data)
    elif suffix == ".npy":
        data = _npy(random, data)
    else:
        data = changed(random, data[:20]) + data[20:]
    return suffix, data


def _larger(random: Random, data: bytes) -> bytes:
    return data + bytes(2**22) if random.random() < 0.02 else data


def _npy(random: Random, data: bytes) -> bytes:
    """With another header, of the length that it claims."""
    if random.random() < 0.3:
        return changed(random, data)
    size = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + size].decode("latin1")
    kinds = ["|u1", "|i1", "<u2", "<f8", "|O", "|V9999", "|S4", "[('a','|u1')]", "M8", "<U7"]
    header = header.replace("'|u1'", repr(str(random.choice(kinds))))
    if random.random() < 0.5:
        shapes = [
            "()",
            "(3,)",
            "(0,0,0)",
            "(-1, 8, 9)",
            "(3, 99999999, 9)",
            "(99999999999999999999, 8, 9)",
            "(3, 8, 9, 3)",
        ]
        shapes += ["(1.5, 8, 9)", "(True, 8, 9)", "'x'", "(3, 8, 9" + ", 1" * 40 + ")", "(" * 60 + ")" * 60]
        start, end = header.index("("), header.rindex(")") + 1
        header = header[:start] + str(random.choice(np.array(shapes, object))) + header[end:]
    coded = header.encode("latin1")
    return data[:8] + struct.pack("<H", len(coded) & 0xFFFF) + coded + data[10 + size :]
