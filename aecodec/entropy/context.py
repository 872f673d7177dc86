"""The context networks, each of which corrects the parameters of one step by what the latents before turned out to be.

At each position some latents are not known yet, which the network sees as zeros, and some of what it says is about
latents of other steps. Neither is computed: its first and its last layer are cut, for each phase of the positions
(:mod:`aecodec.networks.coding_order`). The result is that of the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aecodec.entropy.exact import Array, Dense, Depthwise, Layer
from aecodec.networks.coding_order import PHASES, Order
from aecodec.threads import spans, spread


@dataclass(frozen=True)
class Context:
    """The layers; ``enter`` and ``leave`` for each phase, ``known``: the latents that ``enter`` takes."""

    enter: tuple[Dense, ...]
    middle: tuple[Layer, ...]
    leave: tuple[Dense, ...]
    known: tuple[slice, ...]

    def __call__(self, parameters: Array, latents: Array) -> Array:
        """The correction (n, h, w, 2 K), means then scale indices of the K latents of this step at each position.

        ``parameters`` (n, h, w, 2 M), ``latents`` (n, h, w, M), of which only the known ones are looked at.
        """
        height = parameters.shape[1]
        halo = sum(isinstance(layer, Depthwise) for layer in self.middle)

        def strip(rows: slice) -> Array:
            top = max(0, rows.start - halo)
            seen = slice(top, rows.stop + halo)

            def entering(phase: int, cells: tuple[slice, slice]) -> Array:
                known = latents[:, seen][:, *cells, self.known[phase]]
                return self.enter[phase](np.concatenate([parameters[:, seen][:, *cells], known], axis=-1))

            hidden = _by_phase(entering, (*parameters[:, seen].shape[:3], len(self.enter[0].bias)), top)
            for layer in self.middle:
                hidden = layer(hidden)
            hidden = hidden[:, rows.start - top : rows.stop - top]

            def leaving(phase: int, cells: tuple[slice, slice]) -> Array:
                return self.leave[phase](hidden[:, *cells])

            return _by_phase(leaving, (*hidden.shape[:3], len(self.leave[0].bias)), rows.start)

        return np.concatenate(spread(strip, spans(height, height, least=4)), axis=1)


def split(layers: Sequence[Layer], order: Order, step: int, channels: int) -> Context:
    """The context network of a step for ``channels`` latents, from its layers as a whole."""
    first, *middle, last = layers
    assert isinstance(first, Dense)
    assert isinstance(last, Dense)
    of_all, numbers = np.arange(2 * channels), np.arange(channels)
    known = tuple(order.known(step, phase, channels) for phase in range(len(PHASES)))
    coded = [numbers[order.coded(step, phase, channels)] for phase in range(len(PHASES))]
    enter = tuple(first.part(np.concatenate([of_all, 2 * channels + numbers[of]])) for of in known)
    leave = tuple(last.part(outputs=np.concatenate([of, channels + of])) for of in coded)
    return Context(enter, tuple(middle), leave, known)


def cells(top: int = 0) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Each phase, and the rows and columns where it is, of a grid whose first row is row ``top`` of its tile."""
    for phase, (row, column) in enumerate(PHASES):
        yield phase, (slice((row - top) % 2, None, 2), slice(column, None, 2))


def _by_phase(layer: Callable[[int, tuple[slice, slice]], Array], shape: tuple[int, ...], top: int) -> Array:
    """What a layer of each phase puts out, side by side."""
    result = np.empty(shape, np.float32)
    for phase, where in cells(top):
        result[:, *where] = layer(phase, where)
    return result
