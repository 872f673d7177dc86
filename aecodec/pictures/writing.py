"""Pictures -> Pillow images, and files of other formats.

Pixels without loss where the format can, else close to it, or not at all. Metadata must not cost the picture: what the
format has no place for, or what is damaged, is left out with a warning. To know what that is, each item is written by
itself, with a few pixels, and read again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from aecodec.errors import ImageError, OutputError
from aecodec.pictures import boxes, chunks, deep, orientation, profiles
from aecodec.pictures.chunks import COLOUR, DENSITY, Chunk
from aecodec.pictures.metadata import (
    COMMENT,
    DESCRIPTIVE_TAGS,
    DIRECTORIES,
    RAW_IPTC,
    XMP_OF_PNG,
    as_in_file,
    as_raw_profile,
    photoshop_resource,
    says_more_than_orientation,
    warn_of,
    with_fitting_profile,
)
from aecodec.pictures.orientation import EXIF_PREFIX
from aecodec.pictures.picture import Picture, to_array
from aecodec.pictures.reading import NO_PICTURES, decode, open_image

_IPTC_OF_TIFF, _XMP_OF_TIFF = 33723, 700
_MAX_CHUNKS = 200  # each is tried by itself
_MAX_TEXT = 2**20  # bytes; above it others do not read a PNG

# A restored picture should not be worse than what was stored: without loss where the format can, else close to it.
_WRITING: Mapping[str, Mapping[str, Any]] = {
    "AVIF": {"quality": 95},
    "JPEG": {"quality": 95, "subsampling": 0},
    "MPO": {"quality": 95, "subsampling": 0},
    "PDF": {"quality": 95},
    "WEBP": {"lossless": True, "exact": True},
}
_KNOWN_TO_HOLD = frozenset({*_WRITING, "PNG", "TIFF"})  # the others are read back and compared
_KEEPS_ORIENTATION = frozenset({"AVIF", "JPEG", "MPO", "PNG", "WEBP"})  # where programs look for it
_DEEP = frozenset({"PNG", "TIFF"})
_NAMES = {"icc": "the colour profile", "exif": "Exif", "xmp": "XMP", "iptc": "IPTC metadata"}


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA whose ``info`` has the metadata that its ``save`` can be given."""
    image = Image.fromarray(to_array(picture))
    image.info.update(chunks.info_of(picture.icc, picture.exif, picture.xmp, picture.iptc, picture.chunks))
    return image


def format_of(suffix: str) -> str:
    """Pillow's name of the format with this suffix, which Pillow can write. Raises ImageError."""
    name = Image.registered_extensions().get(suffix.lower())
    if name is None or name not in Image.SAVE or name in NO_PICTURES:
        raise ImageError(f"no picture format {suffix!r} that can be written; for example .png, .webp, .jpg, .tif")
    return name


def write(picture: Picture, stream: BinaryIO, format: str, quality: int | None = None) -> None:
    """Write a picture in a format of Pillow ("PNG", "JPEG", ...), turned where the format does not say how to turn it.

    ``quality`` is that of a format with losses, 1..100 as Pillow has it; else they are as small as can be. Raises
    ImageError where the format has none or cannot hold the picture, for example its alpha channel, and OutputError
    where the stream fails. Warns of metadata that it cannot hold.
    """
    if quality is not None and format not in _WRITING:
        raise ImageError(f"{format} has no quality; JPEG, WebP and AVIF have")
    left_out: list[str] = []
    try:
        ready = _with_what_fits(_in_colours_of(picture, format), format, left_out)
        written = _save(ready, format, quality)
        if format not in _KNOWN_TO_HOLD and _differs(written, ready):
            raise ValueError("it would change size, colours or alpha")
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # each of Pillow's writers has its own
        advice = "; PNG and WebP hold an alpha channel" if picture.alpha is not None else ""
        raise ImageError(f"cannot be written as {format} ({error}){advice}") from error
    try:
        stream.write(written)
    except OSError as error:
        raise OutputError(f"cannot write ({error.strerror or error})") from error
    warn_of(left_out)


def _in_colours_of(picture: Picture, format: str) -> Picture:
    """The picture whose colours are said in the way of the format: by chunks in PNG, else by a profile."""
    if picture.depth > 8 and format not in _DEEP:
        raise ImageError(f"cannot be written as {format} (it has 16 bits a sample); PNG holds them")
    if format == "PNG":
        return picture
    cicp = chunks.find(picture.chunks, b"cICP")
    others = tuple(chunk for chunk in picture.chunks if chunk.type not in COLOUR)
    if format == "AVIF" and cicp:
        return replace(picture, icc=None, chunks=(Chunk(b"cICP", cicp), *others))  # it counts before a profile
    profile, said = profiles.said_by(picture.chunks, picture.channels)
    if not said and picture.icc is None:
        raise ImageError(
            f"cannot be written as {format} (its colours are of high dynamic range); PNG and AVIF hold them"
        )
    if picture.icc is None or cicp:  # as above
        picture = replace(picture, icc=profile or picture.icc)
    return replace(picture, chunks=others)


def _with_what_fits(picture: Picture, format: str, left_out: list[str]) -> Picture:
    """The picture with the metadata that come back from a file of this format, turned where they are not to turn it."""
    alpha = None if picture.alpha is None else picture.alpha[:16, :16]
    few = Picture(np.zeros_like(picture.pixels[:16, :16]), alpha)
    if picture.channels == 1 and _is_in_colour_anyway(format, alpha is not None, picture.depth):
        few, picture = few.in_colour(), picture.in_colour()
    picture = with_fitting_profile(picture, left_out)
    if format not in _KEEPS_ORIENTATION:
        picture = picture.upright()
    kept = {name: value for name in _NAMES if (value := _fitting(few, name, getattr(picture, name), format, left_out))}
    if orientation.read(picture.exif, picture.xmp) != orientation.read(kept.get("exif"), kept.get("xmp")):
        picture = picture.upright()
        kept |= {name: getattr(picture, name) for name in ("exif", "xmp") if name in kept}
    if len(picture.chunks) > _MAX_CHUNKS:
        left_out.append(f"all but {_MAX_CHUNKS} of {len(picture.chunks)} texts")
    said = tuple(chunk for chunk in picture.chunks[:_MAX_CHUNKS] if _holds_chunk(few, chunk, format, left_out))
    return Picture(picture.pixels, picture.alpha, chunks=said, **kept)


@cache
def _is_in_colour_anyway(format: str, alpha: bool, depth: int) -> bool:
    """Whether a format makes grey pictures colourful, or has no place for them: in colour they are as good."""
    grey = np.zeros((16, 16), np.uint8 if depth == 8 else np.uint16)
    few = Picture(grey, grey if alpha else None)
    back = _written_and_read(few, format)
    if back is not None:
        return back.channels == 3
    try:
        _save(few, format)
    except (OSError, ValueError):  # "cannot write mode L"
        return True
    return False  # of one that is only written


def _fitting(few: Picture, name: str, value: bytes | None, format: str, left_out: list[str]) -> bytes | None:
    """Metadata of one kind, where a file of this format gives it back."""
    if value is None:
        return None
    worth_saying = True
    if name == "exif":
        try:
            worth_saying = says_more_than_orientation(value)
        except Exception:  # of whatever kind, in damaged Exif
            left_out.append("Exif, which is damaged")
            return None
    back = _written_and_read(replace(few, **{name: value}), format)  # type: ignore[arg-type]
    found = None if back is None else getattr(back, name)
    if found == value or (found is not None and name == "exif"):  # of which some formats keep the order of their own
        return value
    if worth_saying:
        left_out.append(f"{_NAMES[name]} ({len(value)} bytes), which {format} does not hold")
    return None


def _holds_chunk(few: Picture, chunk: Chunk, format: str, left_out: list[str]) -> bool:
    """Whether a file of this format gives back what a chunk says."""
    back = _written_and_read(replace(few, chunks=(chunk,)), format)
    if back is not None and any(_same(chunk, other) for other in back.chunks):
        return True
    if format == "PDF" and chunk.type == DENSITY:  # it has pages of that size
        return True
    what = {DENSITY: "the density", b"tIME": "the time of the last change"}.get(chunk.type)
    if what is None:
        what = "how colours are meant" if chunk.type in COLOUR else f"the text {chunks.keyword_of(chunk)!r}"
    left_out.append(f"{what}, which {format} does not hold")
    return False


def _same(chunk: Chunk, other: Chunk) -> bool:
    """Whether two chunks say the same."""
    if chunk.type == DENSITY == other.type:
        one, two = (chunks.density_of([each]) for each in (chunk, other))
        if one and two:
            return bool(np.allclose(one, two, rtol=0.01, atol=0.5))
    if chunk.type.endswith(b"Xt") and other.type.endswith(b"Xt"):
        texts = [chunks.text_of(each, _MAX_TEXT) for each in (chunk, other)]
        return chunks.keyword_of(chunk) == chunks.keyword_of(other) and texts[0] == texts[1] is not None
    return chunk == other


def _written_and_read(picture: Picture, format: str) -> Picture | None:
    """A few pixels after a way through a file; None where there is none."""
    try:
        data = _save(picture, format)
        with open_image(io.BytesIO(data)):  # with all that is said in it, as others open it
            return decode(data, None, picture.depth > 8, [])
    except MemoryError:
        raise
    except Exception:  # of whatever kind Pillow's writers and readers have
        return None


def _save(picture: Picture, format: str, quality: int | None = None) -> bytes:
    """A file of a picture all of whose metadata the format can hold."""
    options: dict[str, Any] = dict(_WRITING.get(format, {})) if quality is None else {"quality": quality}
    stream = io.BytesIO()
    if format == "PNG":
        return chunks.into_png(_bare_png(picture), _png_chunks(picture))
    image = Image.fromarray(to_array(picture))
    if format == "JPEG2000":
        image.save(stream, format)
        return boxes.into_jp2(stream.getvalue(), picture.icc, picture.exif, picture.xmp, picture.iptc)
    info = chunks.info_of(picture.icc, picture.exif, picture.xmp, None, picture.chunks)
    info.pop(chunks.INFO_KEY, None)
    comment = _comment(picture.chunks)
    if format == "TIFF":
        tags = _tiff_tags(picture)
        options |= {"tiffinfo": tags} | {key: info[key] for key in ("icc_profile", "dpi") if key in info}
    else:
        options |= info
        if format in ("JPEG", "MPO") and picture.iptc:
            body = b"Photoshop 3.0\0" + photoshop_resource(picture.iptc)
            options["extra"] = b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body
        if format in ("JPEG", "MPO", "GIF") and comment:
            options["comment"] = comment.encode()
        if format == "AVIF":
            options["subsampling"] = "4:4:4" if picture.channels == 3 else "4:0:0"
        if format == "BMP":
            options.setdefault("dpi", (0, 0))  # not said, else Pillow says 96
    image.save(stream, format, **options)
    if format == "AVIF" and (cicp := chunks.find(picture.chunks, b"cICP")):
        return boxes.into_avif(stream.getvalue(), cicp)
    return stream.getvalue()


def _comment(said: Sequence[Chunk]) -> str | None:
    texts = (chunk for chunk in said if chunk.type.endswith(b"Xt"))
    return next((chunks.text_of(chunk, _MAX_TEXT) for chunk in texts if chunks.keyword_of(chunk) == COMMENT), None)


def _bare_png(picture: Picture) -> bytes:
    array = to_array(picture)
    if array.dtype == np.uint16 and array.ndim == 3:
        return deep.encode_png(array)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _png_chunks(picture: Picture) -> Iterator[Chunk]:
    """In the order that PNG wants: what says how to show the pixels comes first."""
    before = [chunk for chunk in picture.chunks if chunk.type in COLOUR[:3]]
    yield from before
    if picture.icc:
        yield Chunk(b"iCCP", b"ICC profile\0\0" + chunks.deflate(picture.icc))
    if picture.exif:
        yield Chunk(b"eXIf", picture.exif.removeprefix(EXIF_PREFIX))
    yield from (chunk for chunk in picture.chunks if chunk.type not in COLOUR[:3])
    if picture.xmp:
        yield Chunk(b"iTXt", XMP_OF_PNG.encode() + bytes(5) + picture.xmp)
    if picture.iptc:
        text = as_raw_profile("iptc", photoshop_resource(picture.iptc))
        yield Chunk(b"zTXt", RAW_IPTC.encode() + b"\0\0" + chunks.deflate(text.encode()))


def _tiff_tags(picture: Picture) -> Image.Exif:
    """What Exif says of the picture, and not how its file stored it: that would tell lies of this one."""
    tags, given = Image.Exif(), Image.Exif()
    given.load(picture.exif or b"")
    for tag in DESCRIPTIVE_TAGS:
        if tag in given:
            tags[tag] = as_in_file(given[tag])
    for tag in DIRECTORIES:
        if directory := given.get_ifd(tag):
            tags.get_ifd(tag).update(directory)
            tags[tag] = 0  # for Pillow to look for the directory
    if picture.xmp:
        tags[_XMP_OF_TIFF] = picture.xmp
    if picture.iptc:
        tags[_IPTC_OF_TIFF] = picture.iptc
    return tags


def _differs(data: bytes, picture: Picture) -> bool:
    """Whether a written file reads back as another picture; not where Pillow only writes the format."""
    try:
        with open_image(io.BytesIO(data)) as image:
            back = image.convert("RGBA")
    except Exception:
        return False
    return not np.array_equal(np.asarray(back), np.asarray(to_pillow(picture).convert("RGBA")))
