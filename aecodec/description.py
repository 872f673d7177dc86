"""What a file says about itself, without decoding it: :func:`info`. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aecodec.format.container import VERSION, Coding, Tag, intact, parse_header, section_sizes
from aecodec.inputs import Source, named, read_source


@dataclass(frozen=True)
class Info:
    """What a file is: of one picture, or of a stack of ``count`` pictures of this size."""

    width: int
    height: int
    channels: int  # of the colour, 1 or 3
    alpha: bool
    depth: int  # bits a sample
    count: int | None
    lossless: bool
    quality: float | None  # 1..100; none where lossless
    model: str | None  # its id in hexadecimal digits; none where lossless
    bytes: int
    bpp: float
    sections: Mapping[str, int]  # bytes of each
    intact: bool  # whether the checksum is right
    format_version: int = VERSION


def info(source: Source, /) -> Info:
    """Describe a file, given as its bytes or its path. Raises FormatError for what is none, ImageError for no file."""
    data = read_source(source)
    with named(source):
        header, sizes = parse_header(data), section_sizes(data)
    lossless = header.coding == Coding.LOSSLESS
    names = {tag: Tag(tag).name.lower() if tag in set(Tag) else str(tag) for tag in sizes}
    return Info(
        header.width,
        header.height,
        header.channels,
        alpha=Tag.ALPHA in sizes,
        depth=header.depth,
        count=header.count,
        lossless=lossless,
        quality=None if lossless else header.quality / 100,
        model=None if lossless else header.model_id.hex(),
        bytes=len(data),
        bpp=8 * len(data) / (header.width * header.height * (header.count or 1)),
        sections={names[tag]: size for tag, size in sizes.items()},
        intact=intact(data),
    )
