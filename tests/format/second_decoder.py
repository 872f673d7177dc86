"""A second decoder, written from docs/format.md and the head of aecodec/engine/__init__.py; nothing of the package.

It is slow and short, and knows neither stacks, PATCHES, ALPHA nor metadata: it restores the colours of one picture.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.int64]
Layer = Callable[[Grid], Grid]

STEPS = {  # of rows and columns modulo 2, for the groups of channels
    2: {(0, 0): "01", (0, 1): "10", (1, 0): "10", (1, 1): "01"},
    3: {(0, 0): "0122", (0, 1): "2201", (1, 0): "2210", (1, 1): "1022"},
}


def decode(data: bytes, weights: bytes) -> npt.NDArray[np.uint8]:
    """The pixels (height, width) or (height, width, 3) of a file."""
    head, sections = _container(data)
    return _Decoder(weights, sections[1], sections.get(2, b"")).picture(*head)


def _container(data: bytes) -> tuple[tuple[bool, int, int, int, int], dict[int, bytes]]:
    assert data[:7] == b"\x89AEC\r\n\x01"
    at = 8

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            at += 1
            value |= (data[at - 1] & 127) << shift
            shift += 7
            if data[at - 1] < 128:
                return value

    width, height = varint(), varint()
    quality, _, crc = struct.unpack_from("<H16sI", data, at)
    at += 22
    sections = {}
    while tag := data[at]:
        at += 1
        length = varint()
        sections[tag] = data[at : at + length]
        at += length
    assert struct.unpack_from("<I", data, at + 1)[0] == zlib.crc32(data[: at + 1])
    return (bool(data[7] & 1), width, height, quality, crc), sections


def _saturate(x: Grid) -> Grid:
    return np.clip(x, -32768, 32767)


def _wrapped(x: Grid) -> Grid:
    return (x + 2**31) % 2**32 - 2**31


def _depth_to_space(x: Grid, b: int) -> Grid:
    n, h, w, c = x.shape
    return x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b**2)


def _integers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield -(value // 2) - 1 if value % 2 else value // 2
            value = shift = 0


class _Decoder:
    def __init__(self, weights: bytes, payload: bytes, escapes: bytes) -> None:
        length = struct.unpack_from("<Q", weights)[0]
        head = json.loads(weights[8 : 8 + length])
        self.config: dict[str, Any] = json.loads(head.pop("__metadata__")["aecodec"])["config"]
        kinds = {"U8": "u1", "I16": "<i2", "I32": "<i4", "U16": "<u2", "U32": "<u4", "I64": "<i8"}
        self.tensors = {
            name: np.frombuffer(weights[8 + length :][slice(*of["data_offsets"])], kinds[of["dtype"]])
            .reshape(of["shape"])
            .astype(np.int64)
            for name, of in head.items()
            if of["dtype"] in kinds
        }
        self.words = [*struct.unpack(f"<{len(payload) // 4}I", payload)]
        self.lower, self.range = 0, 2**64 - 1
        self.point = self._word() << 32 | self._word()
        self.escapes = _integers(escapes)
        self.crc = 0

    # Layers

    def dense(self, name: str, slope: int | None = None) -> Layer:
        weight, bias, shift = (self.tensors[f"{name}.{part}"] for part in ("weight", "bias", "shift"))

        def run(x: Grid) -> Grid:
            y = _saturate(_wrapped(x @ weight + bias) >> shift)
            return y if slope is None else np.maximum(y, y * slope + 2**14 >> 15)

        return run

    def depthwise(self, name: str) -> Layer:
        weight, bias, shift = (self.tensors[f"{name}.{part}"] for part in ("weight", "bias", "shift"))

        def run(x: Grid) -> Grid:
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            total = sum(
                padded[:, t // 3 : t // 3 + x.shape[1], t % 3 : t % 3 + x.shape[2]] * weight[t] for t in range(9)
            )
            return _saturate(_wrapped(total + bias) >> shift)

        return run

    def block(self, name: str) -> list[Layer]:
        mix = [self.dense(f"{name}.enter", 3277), self.depthwise(f"{name}.spatial"), self.dense(f"{name}.leave")]
        feed = [self.dense(f"{name}.widen", 3277), self.dense(f"{name}.narrow")]
        return [lambda x: _saturate(x + _chain(mix)(x)), lambda x: _saturate(x + _chain(feed)(x))]

    # Networks

    @property
    def connected(self) -> bool:
        return bool(self.config["architecture"] == "fully connected")

    def hyper_synthesis(self) -> Layer:
        name = "hyper_synthesis"
        if self.connected:
            return _chain([self.dense(f"{name}.0", 4096), self.dense(f"{name}.2")])
        twice: Layer = lambda x: _depth_to_space(x, 2)  # noqa: E731
        first, second = self.dense(f"{name}.0", 4096), self.dense(f"{name}.3", 4096)
        return _chain([first, twice, second, twice, self.depthwise(f"{name}.6"), self.dense(f"{name}.7")])

    def context(self, name: str) -> Layer:
        first = self.dense(f"{name}.0", 4096)
        if self.connected:
            return _chain([first, self.dense(f"{name}.2", 4096), self.dense(f"{name}.4")])
        return _chain([first, self.depthwise(f"{name}.2"), self.dense(f"{name}.3", 4096), self.dense(f"{name}.5")])

    def synthesis(self, x: Grid) -> Grid:
        if self.connected:
            block = self.config["block"]
            names = [f"synthesis.0.layers.{2 * i}" for i in range(self.config["layers"] + 1)]
            deep = [*(self.dense(name, 3277) for name in names[:-1]), self.dense(names[-1])]
            straight = self.dense("synthesis.0.straight")(x)
            x = _saturate(straight + _chain(deep)(x)) if self.config["layers"] else straight
        else:
            block, last = 8, 3 + self.config["synthesis_blocks"]
            x = _depth_to_space(_chain([*self.block("synthesis.0"), self.dense("synthesis.1")])(x), 2)
            for i in range(3, last):
                x = _chain(self.block(f"synthesis.{i}"))(x)
            x = self.dense(f"synthesis.{last}")(x)
        return _depth_to_space(np.clip((x + 32 >> 6) + 128, 0, 255), block)

    # Symbols

    def _word(self) -> int:
        return self.words.pop(0) if self.words else 0

    def _entry(self, left: list[int]) -> int:
        scale = self.range >> 24
        part = (self.point - self.lower) % 2**64 // scale
        assert part < 2**24
        entry = bisect_right(left, part) - 1
        a, b = left[entry], left[entry + 1] if entry + 1 < len(left) else 2**24
        self.lower = (self.lower + scale * a) % 2**64
        self.range = scale * (b - a)
        if self.range < 2**32:
            self.lower, self.range = self.lower << 32 & 2**64 - 1, self.range << 32
            self.point = (self.point << 32 & 2**64 - 1) + self._word()
        return entry

    def call(self, tables: list[tuple[int, list[int]]], of: Grid) -> Grid:
        """Symbols with the tables of these numbers, decoded in one call."""
        symbols, escaped = np.zeros(len(of), np.int64), []
        lefts = {
            number: [before * (2**24 - len(f)) // 2**16 + e for e, before in enumerate(accumulate(f[:-1], initial=0))]
            for number, (_, f) in enumerate(tables)
            if number in of
        }
        for place in np.argsort(of, kind="stable").tolist():
            minimum, frequencies = tables[of[place]]
            entry = self._entry(lefts[int(of[place])])
            symbols[place] = minimum + entry
            if entry == len(frequencies) - 1:
                escaped.append(place)
        for place in escaped:
            symbols[place] = next(self.escapes)
        return symbols

    def check(self, symbols: Grid) -> None:
        self.crc = zlib.crc32(symbols.astype("<i4").tobytes(), self.crc)

    def tables(self, prefix: str, size: int, position: int) -> list[tuple[int, list[int]]]:
        minimums, sizes, frequencies = (self.tensors[f"{prefix}.{x}"] for x in ("minimum", "size", "frequencies"))
        parts = np.split(frequencies, np.cumsum(sizes)[:-1])
        first = (position * (len(sizes) // size - 1) + 2**15 >> 16) * size
        return [(int(minimums[i]), parts[i].tolist()) for i in range(first, first + size)]

    def tile(self, hyper: Grid, height: int, width: int, tables: list[tuple[int, list[int]]]) -> Grid:
        m, steps = self.config["latent_channels"], self.config["coding_steps"]
        parameters = self.hyper_synthesis()(hyper)[:, :height, :width]
        latents = np.zeros((1, height, width, m), np.int64)
        step_of = np.zeros(latents.shape, np.int64)
        for (row, column), groups in STEPS[steps].items():
            step_of[:, row::2, column::2] = np.repeat([int(step) for step in groups], m // len(groups))
        for step in range(steps):
            now = parameters
            if step:
                name = ["context", "early_context"][steps == 3 and step == 1]
                now = parameters + self.context(name)(np.concatenate([parameters, _saturate(latents)], -1))
            coded = step_of == step
            mean, index = now[..., :m][coded], np.clip(now[..., m:][coded] + 4 >> 3, 0, 63)
            symbols = np.zeros(len(mean), np.int64)
            symbols[index > 0] = self.call(tables, index[index > 0])
            self.check(symbols[index > 0])
            place, certain, exceptions = -1, np.flatnonzero(index == 0), []
            for _ in range(int(self.call([(0, [2**16 - 1, 1])], np.zeros(1, np.int64))[0])):
                place += 1 + next(self.escapes)
                exceptions.append(next(self.escapes))
                symbols[certain[place]] = exceptions[-1]
            self.check(np.array(exceptions, np.int64))
            latents[coded] = symbols * 64 + mean
        return latents

    # The picture

    def position(self, quality: int) -> int:
        i, r = divmod(quality - 100, 100)
        p = self.tensors["gains.positions"]
        return int(p[i] * (100 - r) + p[min(i + 1, 99)] * r) // 100

    def factors(self, position: int) -> Grid:
        d = self.tensors["gains.decode"]
        k, r = divmod(position * (len(d) - 1), 2**16)
        found = []
        for log in (d[k] * (2**16 - r) + d[min(k + 1, len(d) - 1)] * r >> 16).tolist():
            j, f = (log % 2**16) >> 10, log % 2**10
            t, following = (_root(2 ** (64 * 30 + i)) for i in (j, j + 1))
            found.append(t * (1024 - f) + following * f >> 20 - log // 2**16)
        return np.array(found)

    def picture(self, colour: bool, width: int, height: int, quality: int, crc: int) -> npt.NDArray[np.uint8]:
        stride, hyper_stride = (self.config["block"], 1) if self.connected else (16, 4)
        m, z = self.config["latent_channels"], self.config["hyper_channels"]
        h, w = -(-height // stride), -(-width // stride)
        rows, columns = -(-h // hyper_stride), -(-w // hyper_stride)
        position = self.position(quality)
        hyper = self.call(self.tables("hyper_tables", z, position), np.tile(np.arange(z), rows * columns))
        self.check(hyper)
        hyper = np.clip(hyper.reshape(1, rows, columns, z), -512, 512)
        latents, tables = np.zeros((1, h, w, m), np.int64), self.tables("latent_tables", 64, position)
        for top in range(0, h, 64):
            for left in range(0, w, 64):
                bottom, right = min(h, top + 64), min(w, left + 64)
                of_tile = hyper[:, top // hyper_stride : -(-bottom // hyper_stride)]
                of_tile = of_tile[:, :, left // hyper_stride : -(-right // hyper_stride)]
                latents[:, top:bottom, left:right] = self.tile(of_tile, bottom - top, right - left, tables)
        assert self.crc == crc
        assert not self.words
        assert (self.point - self.lower) % 2**64 < 2**33 - 1 or self.range == 2**64 - 1
        assert next(self.escapes, None) is None
        s = 26 - int(self.tensors["synthesis.fraction"][0])
        y = _saturate(latents * self.factors(position) + 2 ** (s - 1) >> s)
        pixels = self.synthesis(y)[0, :height, :width]
        if not colour:
            pixels = pixels[..., 0] if self.config["colours"] == 1 else (pixels.sum(-1) + 1) // 3
        return pixels.astype(np.uint8)


def _chain(layers: list[Layer]) -> Layer:
    def run(x: Grid) -> Grid:
        for layer in layers:
            x = layer(x)
        return x

    return run


def _root(number: int) -> int:
    """The 64th root, rounded down."""
    for _ in range(6):
        number = math.isqrt(number)
    return number


if __name__ == "__main__":
    import sys

    sys.stdout.buffer.write(decode(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes()).tobytes())
