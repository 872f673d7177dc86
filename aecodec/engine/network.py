"""A network in fixed point, ready to run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aecodec.engine import reference
from aecodec.engine.layers import FromPixels, Layer, shapes


def available() -> tuple[str, ...]:
    """The kernels that this machine can run, the fastest first; the last one, numpy, is the reference."""
    return ("numpy",)


class Network:
    """Layers, packed for the kernels of this machine. Immutable; threads may run it side by side.

    ``kernels`` is one of :func:`available`; without it, the environment variable AECODEC_KERNELS or the fastest one is
    taken. Raises ValueError where there are no such kernels.
    """

    def __init__(self, layers: Sequence[Layer], kernels: str | None = None) -> None:
        self.layers = tuple(layers)
        self.kernels = kernels or available()[0]

    def __call__(self, x: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The result (n, h', w', channels') of ``x`` (n, h, w, channels).

        ``x`` is uint8 where the first layer is a FromPixels, else int16; the result is uint8 where the last one is a
        ToPixels, else int16. Runs on the caller's thread alone and does not hold the interpreter lock. Raises
        ValueError where ``x`` does not fit the layers.
        """
        expected = np.uint8 if self.layers and isinstance(self.layers[0], FromPixels) else np.int16
        if x.dtype != expected or x.ndim != 4:
            raise ValueError(f"input of {x.ndim} dimensions and {x.dtype}, not 4 and {np.dtype(expected)}")
        shapes(self.layers, x.shape[1:])
        return reference.run(self.layers, x)
