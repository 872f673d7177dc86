"""Libraries that only some of the uses need."""

from __future__ import annotations

import importlib
from typing import Any

from aecodec.errors import AecError


class MissingExtra(AecError):
    """A library that is not installed, and what to install for it."""


def learn(module: str) -> Any:
    """A module of scikit-learn. Raises MissingExtra."""
    return needed(module, "aecodec[learn]")


def needed(module: str, install: str) -> Any:
    """Import a module. Raises MissingExtra, which says what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs {error.name}: pip install '{install}'") from error
