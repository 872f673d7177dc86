"""Models of aecodec as codecs to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aecodec.errors import ModelError
from aecodec.evaluation.extra import version
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import PERCENT
from aecodec.evaluation.sheet import from_sheet, to_sheet
from aecodec.options import DEFAULT_EFFORT

if TYPE_CHECKING:  # PyTorch, which processes that measure rivals do without
    from aecodec.codec import Codec

PREFIX = "aecodec "  # of the names of models in a report


@dataclass(frozen=True)
class Aecodec:
    """A model under measurement: a loaded codec, or a weights file that the process that measures loads.

    With ``piece``, a height and width, pictures are sheets of pieces that are coded together, as a stack; this needs
    the weights file. ``fallback`` as for :meth:`aecodec.codec.Codec.encode`.
    """

    model: Path | Codec
    name: str = PREFIX.strip()
    id: str = ""
    effort: int = DEFAULT_EFFORT
    qualities: tuple[int, ...] = (1, 10, 25, 40, 55, 70, 85, 100)
    quality_range: tuple[int, int] = PERCENT
    fallback: bool = True
    piece: tuple[int, int] | None = None

    @property
    def settings(self) -> str:
        """Which model it is, and the effort."""
        return f"model {self.id}, one for all qualities, effort {self.effort}"

    @property
    def versions(self) -> dict[str, str]:
        """Of aecodec and of what computes for it."""
        return {name: version(name) for name in ("aecodec", "constriction", "numpy", "torch")}

    def encode(self, pixels: Pixels, quality: float, /) -> bytes:
        """Bytes of an aecodec file."""
        if self.piece is None:
            return self._codec.encode(pixels, quality, effort=self.effort, fallback=self.fallback)
        from aecodec.stack import encode_stack

        pieces = from_sheet(pixels, *self.piece)
        return encode_stack(pieces, quality, self._codec, effort=self.effort, fallback=self.fallback)

    def decode(self, data: bytes, /) -> Pixels:
        """Pixels of an aecodec file."""
        if self.piece is None:
            return self._codec.decode(data)
        from aecodec.stack import decode_stack

        assert isinstance(self.model, Path)
        return to_sheet(decode_stack(data, models=[self.model]))

    @property
    def _codec(self) -> Codec:
        if not isinstance(self.model, Path):
            return self.model
        from aecodec.codec import load_codec

        return load_codec(self.model)


def models(names: Sequence[str], efforts: Sequence[int] = (DEFAULT_EFFORT,)) -> tuple[Aecodec, ...]:
    """The models of these names or weights files, each at every effort. Raises ModelError.

    Models of one name are told apart by their ids.
    """
    from aecodec.weights import describe, find

    paths = [find(name) for name in names]
    cards = [describe(path) for path in paths]
    if len({card.id for card in cards}) < len(cards):
        raise ModelError(f"the same model twice: {', '.join(names)}")
    alike = [sum(card.name == other.name for other in cards) > 1 for card in cards]
    return tuple(
        Aecodec(path, _title(f"{card.name} {card.id[:8]}" if twice else card.name, effort), card.id, effort)
        for effort in efforts
        for path, card, twice in zip(paths, cards, alike, strict=True)
    )


def _title(name: str, effort: int) -> str:
    return PREFIX + name + ("" if effort == DEFAULT_EFFORT else f", effort {effort}")
