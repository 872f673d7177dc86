"""The pictures that a use looks at: files, folders of them, arrays, .aec files and stacks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aecodec.codec import Pixels, decode_picture
from aecodec.errors import ImageError, PassedOverWarning
from aecodec.folders import find_files
from aecodec.format.container import parse_header
from aecodec.inputs import named, read_source
from aecodec.pictures import arrays, images
from aecodec.stack import decode_stack


@dataclass(frozen=True)
class Named:
    """A picture (H, W) or (H, W, 3), and what to call it: its place below the folder, or its number in an array."""

    name: str
    pixels: Pixels


def find(source: Path) -> list[Path]:
    """The files of a folder and those below it, in the order of their names, or the file itself.

    Raises ImageError; warns of what is passed over (PassedOverWarning).
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ImageError(f"{source}: no such file or folder")
    found = find_files(source, images.suffixes() | {".aec"}, also=arrays.is_array)
    for line in (*found.unreadable, str(found.passed)):
        if line:
            warnings.warn(line, PassedOverWarning, stacklevel=2)
    if not found.files:
        raise ImageError(f"{source}: no pictures below it")
    return found.files


def name_of(path: Path, source: Path) -> str:
    """What to call a file that was found below ``source``."""
    return path.relative_to(source).as_posix() if path != source else path.name


def read(paths: Iterable[Path], source: Path, models: Sequence[Path] = ()) -> Iterator[Named]:
    """The pictures in files, those of arrays and stacks one by one. Alpha is left out. Raises AecError."""
    for path in paths:
        yield from read_file(path, name_of(path, source), models)


def read_file(path: Path, name: str, models: Sequence[Path] = ()) -> Iterator[Named]:
    """The picture or the pictures in a file. Raises AecError, naming it."""
    if arrays.is_array(path):
        yield from numbered(name, arrays.read_array(path))
    elif path.suffix.lower() == ".aec":
        data = read_source(path)
        with named(path):
            stacked = parse_header(data).count is not None
        if stacked:
            yield from numbered(name, decode_stack(path, models=models))
        else:
            yield Named(name, decode_picture(path, models).pixels)
    else:
        yield Named(name, images.read(path).pixels)


def numbered(name: str, pictures: Pixels) -> Iterator[Named]:
    """Pictures of an array, named by their number, counted from 0."""
    digits = len(str(len(pictures) - 1))
    for i, pixels in enumerate(pictures):
        yield Named(f"{name}#{i:0{digits}d}", np.ascontiguousarray(pixels))
