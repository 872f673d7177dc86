"""Which codecs a benchmark compares: ours, those that people use today, and those without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aecodec.errors import ModelError
from aecodec.evaluation.extra import BenchError, version
from aecodec.evaluation.lossless import Gzip, LosslessJpegXl, LosslessWebP, Png, Zstd
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.rivals import PERCENT, Avif, Jpeg, Jpeg2000, JpegXl, Rival, WebP
from aecodec.networks.config import DEFAULT_EFFORT

PREFIX = "aecodec "  # of the names of our models


@dataclass(frozen=True)
class Model:
    """A model of aecodec by its weights file, loaded by the process that first uses it."""

    path: Path
    model: str
    id: str
    effort: int = DEFAULT_EFFORT
    qualities: tuple[int, ...] = (1, 10, 25, 40, 55, 70, 85, 100)
    quality_range: tuple[int, int] = field(default=PERCENT)

    @property
    def name(self) -> str:
        """Of the codec and its model; with the effort where it is not the default."""
        return PREFIX + self.model + ("" if self.effort == DEFAULT_EFFORT else f", effort {self.effort}")

    @property
    def settings(self) -> str:
        """Which model it is, and the effort."""
        return f"model {self.id}, one for all qualities, effort {self.effort}"

    @property
    def versions(self) -> dict[str, str]:
        """Of aecodec and of what computes for it."""
        return {name: version(name) for name in ("aecodec", "constriction", "numpy", "torch")}

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """Bytes of an aecodec file."""
        from aecodec.codec import load_codec  # PyTorch, which processes that measure rivals do without

        return load_codec(self.path).encode(pixels, quality, effort=self.effort)

    def decode(self, data: bytes) -> Pixels:
        """Pixels of an aecodec file."""
        from aecodec.codec import load_codec

        return load_codec(self.path).decode(data)


def models(names: Sequence[str], efforts: Sequence[int] = (DEFAULT_EFFORT,)) -> tuple[Model, ...]:
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
        Model(path, f"{card.name} {card.id[:8]}" if twice else card.name, card.id, effort)
        for effort in efforts
        for path, card, twice in zip(paths, cards, alike, strict=True)
    )


def rivals(threads: int) -> tuple[Rival, ...]:
    """The other codecs at their usual settings, the reference of BD-rates first. A new codec is a line here."""
    return (
        Jpeg(),
        Jpeg("4:4:4"),
        Jpeg2000(),
        WebP(),
        Avif(threads=threads),
        JpegXl(threads=threads),
        Gzip(),
        Zstd(),
        Zstd(19),
        Png(),
        LosslessWebP(),
        LosslessJpegXl(threads=threads),
    )


def choose(available: Sequence[Rival], wanted: Sequence[str]) -> tuple[Rival, ...]:
    """Those of a name in ``wanted``, or whose name begins with it; case does not matter. All where none are wanted.

    Raises BenchError for a word that fits none.
    """
    chosen: set[str] = set()
    for word in wanted:
        names = [rival.name for rival in available if rival.name.lower() == word.lower()]
        names = names or [rival.name for rival in available if rival.name.lower().startswith(word.lower())]
        if not names:
            raise BenchError(f"no codec {word!r}; there are {', '.join(rival.name for rival in available)}")
        chosen.update(names)
    return tuple(rival for rival in available if not wanted or rival.name in chosen)
