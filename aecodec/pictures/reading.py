"""Picture files and Pillow images of any kind -> pictures. What would lose something on the way is refused, with a word
on what to do.

Pixels are not turned as an Exif orientation says: the tag stays with the metadata. (Only for TIFF, Pillow has turned
them before we see them.)
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypeGuard

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from aecodec.errors import AecError, ImageError
from aecodec.format.container import MAGIC, MAX_PIXELS, check_pixels
from aecodec.inputs import Source, named, read_source
from aecodec.pictures import heif
from aecodec.pictures.chunks import PNG_SIGNATURE, chunks_of_png, without_descriptions
from aecodec.pictures.metadata import warn_of, with_metadata
from aecodec.pictures.modes import eight_bits, refuse_hidden_depth, sixteen_bits
from aecodec.pictures.picture import Picture, from_array

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

AnyPicture: TypeAlias = "npt.ArrayLike | Image.Image | Picture | Source"

# Opening these would run another program or needs one: they are drawings, films and tables rather than pictures. The
# first one is ours, where aecodec.pillow was imported.
NO_PICTURES = frozenset({"AEC", "BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})

_GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/", b"aux:hdrgainmap")
_COUNTED_BYTES = 2**20  # of a file, whose pages or frames are counted one by one


def picture_of(source: AnyPicture, deep: bool = False) -> Picture:
    """A picture of an array, a Pillow image, or a picture file: its path or its bytes; 16 bits only where ``deep``."""
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        return from_pillow(source, deep)
    if isinstance(source, (str, os.PathLike)):
        return read(Path(source), deep=deep)
    if _is_bytes(source):
        return read(io.BytesIO(read_source(source)), deep=deep)
    return from_array(source, deep)


def _is_bytes(source: object) -> TypeGuard[Buffer]:
    """Whether a buffer is one of bytes in a row, and not an array."""
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        return False
    try:
        view = memoryview(source)  # type: ignore[arg-type]
    except TypeError:
        return False
    return view.ndim == 1 and view.format in ("B", "b", "c")


def from_pillow(image: Image.Image, deep: bool = False) -> Picture:
    """A picture of a Pillow image of any mode that loses nothing. Raises ImageError for the others.

    Of an animation it is the current frame. Warns of metadata that cannot be kept.
    """
    left_out: list[str] = []
    picture = with_metadata(_samples(image, deep), image, b"", left_out)
    warn_of(left_out)
    return picture


def read(source: Path | BinaryIO, max_pixels: int | None = MAX_PIXELS, deep: bool = False) -> Picture:
    """Read a picture file. Raises ImageError or LimitError, naming the file where ``source`` is a path.

    The size is compared with ``max_pixels`` (None: no limit) before any pixel is decoded. Samples of 16 bits are read
    only where ``deep``. Warns of metadata that cannot be kept.
    """
    name = f"{source}: " if isinstance(source, Path) else ""
    left_out: list[str] = []
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.read()
    except OSError as error:
        raise ImageError(f"{name}cannot read ({error.strerror or error})") from error
    with named(source):
        picture = decode(data, max_pixels, deep, left_out)
    warn_of(left_out)
    return picture


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of a picture file, of which no pixel is decoded. Raises ImageError."""
    try:
        with path.open("rb") as file, open_image(file) as image:
            return image.size
    except (AecError, MemoryError):
        raise
    except Exception as error:  # as in decode
        raise ImageError(f"{path}: not a picture, or damaged ({error or type(error).__name__})") from error


def suffixes() -> set[str]:
    """Suffixes of the picture formats that can be read."""
    heif.register()
    readable = Image.registered_extensions().items()
    return {suffix for suffix, name in readable if name == "MPO" or (name in Image.OPEN and name not in NO_PICTURES)}


def decode(data: bytes, max_pixels: int | None, deep: bool, left_out: list[str]) -> Picture:
    """As :func:`read`, of the bytes of a file."""
    if data.startswith(MAGIC):
        raise ImageError("already compressed by aecodec")
    pixels_only = without_descriptions(data) if data.startswith(PNG_SIGNATURE) else data
    try:
        with open_image(io.BytesIO(pixels_only)) as image:
            check_pixels(image.width, image.height, max_pixels)
            _refuse_several(image, data, left_out)
            if not deep:
                refuse_hidden_depth(image, data)
            picture = _samples(image, deep, data)
            return with_metadata(picture, image, data, left_out)  # after the pixels, which they may follow in a file
    except (AecError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        unknown = heif.NEEDED if heif.is_heif(data) else "not a picture of a known format"
        raise ImageError(unknown if data else "the file is empty") from error
    except Exception as error:  # damage makes Pillow's readers fail in every way there is
        raise ImageError(f"damaged or incomplete picture ({error or type(error).__name__})") from error


def open_image(file: BinaryIO) -> ImageFile.ImageFile:
    """Like Image.open, but with no limit of pixels: ours is checked next, and Pillow's is a global variable."""
    Image.init()
    start = file.read(16)
    if heif.is_heif(start):
        heif.register()
    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        if name in NO_PICTURES:
            continue
        try:
            if accept is None or accept(start) is True:
                file.seek(0)
                return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if name in ("JPEG", "PNG", "TIFF", "WEBP"):  # no other format starts like these
                raise ImageError(f"damaged or incomplete picture ({error})") from error
    raise UnidentifiedImageError


def _samples(image: Image.Image, deep: bool, data: bytes = b"") -> Picture:
    """Pixels and alpha of an image that Pillow has opened."""
    samples = sixteen_bits(image, data) if deep else None
    if samples is None:
        profile = "icc_profile" in image.info or any(chunk.type == b"iCCP" for chunk in chunks_of_png(data))
        samples = np.asarray(eight_bits(image, profile))
    return from_array(samples, deep)


def _refuse_several(image: Image.Image, data: bytes, left_out: list[str]) -> None:
    """Refuse animations and pages; of a JPEG with more beside the main picture, the main one is taken."""
    if getattr(image, "tag_v2", {}).get(ExifTags.Base.NewSubfileType, 0) & 1:
        raise ImageError("a raw file of a camera, of which only the preview can be read; develop it first")
    if not getattr(image, "is_animated", False):
        return
    frames = getattr(image, "n_frames", 2) if len(data) <= _COUNTED_BYTES else "many"
    views = getattr(image, "mpinfo", {}).get(0xB002, ())  # "MP Entry"
    if views and not any("Multi-Frame" in view["Attribute"]["MPType"] for view in views):
        if any(name in data for name in _GAIN_MAPS):
            left_out.append("the gain map, by which it would be shown with a high dynamic range")
        return
    raise ImageError(
        f"animated or of several pages, views or layers ({frames}); extract them first, for example with: "
        "magick IN frame-%03d.png"
    )
