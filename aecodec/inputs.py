"""What functions take for a file: its bytes in any kind of buffer, or its path. Imports nothing heavy."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aecodec.errors import AecError, ImageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

Source: TypeAlias = "Buffer | str | os.PathLike[str]"
Model: TypeAlias = "str | os.PathLike[str]"  # the name of an installed one, or a weights file


def read_source(source: Source) -> bytes:
    """The bytes of a file. Raises ImageError where it cannot be read, TypeError for what is no buffer and no path."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, (str, os.PathLike)):
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise ImageError(f"{source}: cannot read ({error.strerror or error})") from error
    try:
        return memoryview(source).tobytes()
    except TypeError:
        raise TypeError(f"needed are the bytes of a file or its path, not {type(source).__name__}") from None


@contextmanager
def named(source: object) -> Iterator[None]:
    """Let errors begin with the source's path, where it is one."""
    try:
        yield
    except AecError as error:
        if not isinstance(source, (str, os.PathLike)):
            raise
        of_source = copy.copy(error)
        of_source.args = (f"{source}: {error}",)
        raise of_source from error


def each(models: Model | Iterable[Model]) -> list[Model]:
    """Models, of which one may be given by itself."""
    return [models] if isinstance(models, (str, os.PathLike)) else list(models)
