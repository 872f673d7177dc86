"""What a weights file says about itself: written by us, and read from strangers, of whom nothing is believed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from aecodec.checked import LARGEST, check_fields, check_value
from aecodec.networks.config import SharedConfig, config_fields, config_of

VERSION = 2
LONGEST = 2**20  # characters of a card


@dataclass(frozen=True)
class TrainingRecord:
    """How a model came to be."""

    data: str = ""
    pictures: int = 0
    crop: int = 0  # side in pixels of what training showed the networks; 0 where that is not known
    minutes: float = 0.0
    steps: int = 0
    machine: str = ""
    revision: str = ""
    denoising: bool = False  # pictures had noise that was not to be restored
    distortion: str = "mse"  # what it was trained for: "mse", "bce", or "eye"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Card:
    """What a weights file says about itself."""

    name: str
    config: SharedConfig
    parameters: int
    training: TrainingRecord
    licence: str = ""
    results: dict[str, float] = field(default_factory=dict)
    id: str = ""  # hexadecimal; of the file's bytes, so it cannot stand in the file

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in self.results.items():
            check_value("the name of a result", name, (str,), (0, 0))
            check_value(f"the result {name}", value, (float, int), (-LARGEST, LARGEST))

    @property
    def kilo_macs(self) -> tuple[float, float, float]:
        """Thousand multiply-adds per pixel: (encode, decode, hyper synthesis and context alone)."""
        return self.config.kilo_macs_per_pixel()


def dump(card: Card) -> str:
    """The card as a weights file has it; the same card gives the same text."""
    written = {name: value for name, value in asdict(card).items() if name != "id"}
    return json.dumps({"version": VERSION, **written, "config": config_fields(card.config)}, sort_keys=True)


def parse(text: str, identity: str) -> Card:
    """The inverse of :func:`dump`, of any text. Raises ValueError or TypeError with the cause."""
    if len(text) > LONGEST:
        raise ValueError(f"a card of {len(text)} characters")
    try:
        found: Any = json.loads(text)
    except RecursionError:
        raise ValueError("a card that is nested too deeply") from None
    if not isinstance(found, dict):
        raise TypeError("a card that is not an object")
    version = found.pop("version", None)
    check_value("version", version, (int,), (0, LARGEST))
    if version != VERSION:
        raise ValueError(f"weights version {version}, this program reads {VERSION}")
    parts = {name: found.pop(name, {}) for name in ("config", "training", "results")}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise TypeError(f"{name} is no object")
    if "id" in found:
        raise ValueError("a card that claims an id")
    config, training = config_of(parts["config"]), TrainingRecord(**parts["training"])
    return Card(config=config, training=training, results=parts["results"], id=identity, **found)
