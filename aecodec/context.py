"""The context network, which corrects the second half of the checkerboard by what the first half turned out to be.

At each position half of the latents are not known yet, which the network sees as zeros, and half of what it says is
about latents that are known already. Neither is computed: its first and its last layer are cut in two, for positions
whose row + column is even and odd. The result is that of the whole network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aecodec.exact import Array, Dense, Depthwise, Layer
from aecodec.threads import spans, spread

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Context:
    """The layers; ``enter`` and ``leave`` for even and odd positions."""

    enter: tuple[Dense, Dense]
    middle: tuple[Layer, ...]
    leave: tuple[Dense, Dense]

    def __call__(self, parameters: Array, known: Array, odd: Mask) -> Array:
        """The correction (n, h, w, M), means then scale indices of the second half of the latents.

        ``parameters`` (n, h, w, 2 M), ``known`` (n, h, w, M / 2) the first half of the latents, ``odd`` (h, w).
        """
        height = parameters.shape[1]
        halo = sum(isinstance(layer, Depthwise) for layer in self.middle)

        def strip(rows: slice) -> Array:
            top = max(0, rows.start - halo)
            seen = slice(top, rows.stop + halo)
            hidden = _by_parity(self.enter, (parameters[:, seen], known[:, seen]), odd[seen])
            for layer in self.middle:
                hidden = layer(hidden)
            return _by_parity(self.leave, (hidden[:, rows.start - top : rows.stop - top],), odd[rows])

        return np.concatenate(spread(strip, spans(height, height, least=4)), axis=1)


def split(layers: Sequence[Layer], channels: int) -> Context:
    """A context network for ``channels`` latents, from its layers as a whole."""
    first, *middle, last = layers
    assert isinstance(first, Dense)
    assert isinstance(last, Dense)
    low, high = np.split(np.arange(channels), 2)
    enter = [first.part(np.concatenate([np.arange(2 * channels), 2 * channels + half])) for half in (low, high)]
    leave = [last.part(outputs=np.concatenate([half, channels + half])) for half in (high, low)]
    return Context((enter[0], enter[1]), tuple(middle), (leave[0], leave[1]))


def _by_parity(layers: tuple[Dense, Dense], inputs: Sequence[Array], odd: Mask) -> Array:
    """One layer at even, the other at odd positions of the inputs (n, h, w, channels), side by side."""
    result = np.empty((*inputs[0].shape[:3], len(layers[0].bias)), np.float32)
    for layer, where in zip(layers, (~odd, odd), strict=True):
        result[:, where] = layer(np.concatenate([x[:, where] for x in inputs], axis=-1))
    return result
