"""Libraries that only measuring needs, from the extra ``aecodec[bench]``, and the error of a benchmark."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from aecodec.errors import AecError


class BenchError(AecError):
    """A benchmark that cannot be run as asked for, or results that cannot be read."""


def optional(module: str) -> Any:
    """Import a module. Raises ModuleNotFoundError that says what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"this needs {error.name}: pip install 'aecodec[bench]'", name=error.name) from error


def version(distribution: str) -> str:
    """The version of an installed distribution; ``not installed`` where it is missing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
