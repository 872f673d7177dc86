"""The compiled kernels: native/module.c."""

from typing import Any

import numpy as np
import numpy.typing as npt

class Packed:
    """A capsule, not a type that exists: the layers with their weights in the order of some kernels."""

def available() -> list[str]:
    """Names of the kernels that this machine can run, the fastest first."""

def pack(kernels: str, steps: tuple[tuple[Any, ...], ...], /) -> Packed:
    """Raises ValueError where the steps are no network."""

def run(
    packed: Packed,
    x: npt.NDArray[np.integer],
    y: npt.NDArray[np.integer],
    shape: tuple[int, ...],
    rows: tuple[int, int],
    /,
) -> None:
    """Sets ``y`` to the rows first..end of the result of ``x`` of this shape, both contiguous.

    Rows are counted over all pictures. Raises ValueError where they do not fit.
    """
