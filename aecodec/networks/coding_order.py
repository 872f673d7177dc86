"""The order in which the latents of a tile are coded: in steps, each of which knows all latents of those before it.

The channels are cut into equal groups, the positions into four phases by whether row and column are even or odd. Every
step codes some of the groups at every position, so that something is known everywhere as early as possible.

Two steps are the halves of a checkerboard (He et al., CVPR 2021), its phase different in the two halves of the
channels. Three steps cut the first of these halves in two, one quarter of the channels and positions after the other
(as the quadtree of Li, Li, Lu, CVPR 2023, does with both).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # row and column, modulo 2


@dataclass(frozen=True)
class Order:
    """The step of each group of channels (rows) at each phase (columns)."""

    steps_of: tuple[tuple[int, int, int, int], ...]

    @property
    def groups(self) -> int:
        """Of channels; their number has to be a multiple of this."""
        return len(self.steps_of)

    @cached_property
    def steps(self) -> int:
        """How many steps the latents are coded in."""
        return 1 + max(map(max, self.steps_of))

    def channels(self, step: int, phase: int, count: int) -> slice:
        """Which of ``count`` channels are coded in this step where the phase is this one; they are neighbours."""
        size = count // self.groups
        chosen = [of[phase] == step for of in self.steps_of]
        first = chosen.index(True)
        return slice(first * size, (first + sum(chosen)) * size)

    def part(self, step: int, count: int) -> slice:
        """Where those of a step are among the channels in the order of coding, the same for all phases."""
        before = sum(self.coded_count(earlier, count) for earlier in range(step))
        return slice(before, before + self.coded_count(step, count))

    def coded_count(self, step: int, count: int) -> int:
        """How many of ``count`` channels are coded in this step, at every phase."""
        return sum(of[0] == step for of in self.steps_of) * count // self.groups

    def permutation(self, phase: int, count: int) -> npt.NDArray[np.intp]:
        """The channels in the order of coding where the phase is this one."""
        return np.concatenate([np.arange(count)[self.channels(step, phase, count)] for step in range(self.steps)])


HALVES = Order(((0, 1, 1, 0), (1, 0, 0, 1)))
QUARTERS = Order(((0, 2, 2, 1), (1, 2, 2, 0), (2, 0, 1, 2), (2, 1, 0, 2)))


def order_of(steps: int) -> Order:
    """The order of so many steps. Raises ValueError where there is none."""
    for order in (HALVES, QUARTERS):
        if order.steps == steps:
            return order
    raise ValueError(f"no order of {steps} steps")
