"""The pictures that a use looks at: files, folders of them, arrays, .aec files and stacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aecodec.codec import Pixels, decode_picture
from aecodec.errors import AecError, ImageError
from aecodec.format.container import parse_header
from aecodec.pictures import arrays, images
from aecodec.stack import decode_stack


@dataclass(frozen=True)
class Named:
    """A picture (H, W) or (H, W, 3), and what to call it: its place below the folder, or its number in an array."""

    name: str
    pixels: Pixels


def find(source: Path) -> list[Path]:
    """The files of a folder and those below it, in the order of their names, or the file itself. Raises ImageError."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ImageError(f"{source}: no such file or folder")
    kinds = images.suffixes() | {".aec"}
    found = sorted(p for p in source.rglob("*") if p.is_file() and (p.suffix.lower() in kinds or arrays.is_array(p)))
    if not found:
        raise ImageError(f"{source}: no pictures below it")
    return found


def name_of(path: Path, source: Path) -> str:
    """What to call a file that was found below ``source``."""
    return path.relative_to(source).as_posix() if path != source else path.name


def read(paths: Iterable[Path], source: Path, models: Sequence[Path] = ()) -> Iterator[Named]:
    """The pictures in files, those of arrays and stacks one by one. Alpha is left out. Raises AecError."""
    for path in paths:
        yield from read_file(path, name_of(path, source), models)


def read_file(path: Path, name: str, models: Sequence[Path] = ()) -> Iterator[Named]:
    """The picture or the pictures in a file."""
    try:
        if arrays.is_array(path):
            yield from numbered(name, arrays.read_array(path))
        elif path.suffix.lower() == ".aec":
            data = path.read_bytes()
            if parse_header(data).count is None:
                yield Named(name, decode_picture(data, models).pixels)
            else:
                yield from numbered(name, decode_stack(data, models=models))
        else:
            yield Named(name, images.read(path).pixels)
    except AecError as error:
        raise error if str(path) in str(error) else type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot read ({error.strerror or error})") from error


def numbered(name: str, pictures: Pixels) -> Iterator[Named]:
    """Pictures of an array, named by their number, counted from 0."""
    digits = len(str(len(pictures) - 1))
    for i, pixels in enumerate(pictures):
        yield Named(f"{name}#{i:0{digits}d}", np.ascontiguousarray(pixels))
