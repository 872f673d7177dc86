"""Dataclasses whose numbers and texts are what they say, whoever made them: types and ranges of their fields."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

LARGEST = 2**53  # of a number without a range of its own
LONGEST = 2**16  # characters of a text

_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "str": (str,)}


def within(low: float, high: float, default: Any) -> Any:
    """A field of numbers from ``low`` to ``high``."""
    return field(default=default, metadata={"range": (low, high)})


def check_fields(instance: Any) -> None:
    """Look at all plain fields of a dataclass; for its ``__post_init__``. Raises ValueError that names the field."""
    for each in fields(instance):
        kinds = _KINDS.get(str(each.type))
        if kinds:
            check_value(each.name, getattr(instance, each.name), kinds, each.metadata.get("range", (0, LARGEST)))


def check_value(name: str, value: Any, kinds: tuple[type, ...], allowed: tuple[float, float]) -> None:
    """Raises ValueError for a value of another type, beyond what is allowed, not finite, or no proper text."""
    if type(value) not in kinds:  # True is no number here
        raise ValueError(f"{name} is {_shown(value)}, not {kinds[0].__name__}")
    if isinstance(value, str):
        if len(value) > LONGEST or not value.isprintable():
            raise ValueError(f"{name} is {_shown(value)}: too long, or characters that cannot be shown")
    elif not allowed[0] <= value <= allowed[1]:  # nor where it is not a number
        raise ValueError(f"{name} is {_shown(value)}, not within {allowed[0]:g}..{allowed[1]:g}")


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a huge number"
    text = ascii(value) if isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."
