"""Draws pictures from a model: a side of :func:`aecodec.entropy.latents.code` that invents symbols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aecodec.entropy.latents import Part
from aecodec.entropy.prior import Tables
from aecodec.entropy.range_coder import Indexes, Symbols, Table
from aecodec.networks.fixed_point import Int16, Int32


class Sampler:
    """Draws every symbol with the probabilities that it would be coded with.

    Hyper latents are drawn channel by channel unless they are given, (N, rows, columns, Z), whole numbers.
    """

    def __init__(self, tables: Tables, random: np.random.Generator, hyper: Int16 | None = None) -> None:
        self._tables, self._random, self._hyper = tables, random, hyper

    def hyper(self, count: int, height: int, width: int) -> Int16:
        if self._hyper is not None:
            return self._hyper
        channels = np.arange(len(self._tables.of_hyper), dtype=np.uint8)
        where = np.broadcast_to(channels, (count, height, width, len(channels)))
        return self._draw(where, self._tables.of_hyper).astype(np.int16)

    def step(self, part: Part, mean: Int32, index: Indexes) -> Symbols:
        return self._draw(index, self._tables.of_latents) * (index > 0)

    def _draw(self, index: Indexes, tables: Sequence[Table]) -> Symbols:
        """A symbol of the table of each number; none that would need an escape."""
        symbols = np.zeros(index.shape, np.int32)
        for number in np.unique(index):
            table, where = tables[number], index == number
            if table.escape:
                inside = np.cumsum(table.frequencies[: table.escape], dtype=np.int64)
                drawn = self._random.integers(0, inside[-1], int(where.sum()))
                symbols[where] = table.minimum + np.searchsorted(inside, drawn, "right")
        return symbols
