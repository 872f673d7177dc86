"""Pictures of any kind <-> arrays of 8-bit grey or RGB, with alpha and metadata beside them.

What would lose something on the way is refused, with a word on what to do. Pixels are not turned as an Exif orientation
says: the tag stays with the metadata. (Only for TIFF, Pillow has turned them before we see them.)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from aecodec.errors import AecError, ImageError, OutputError
from aecodec.format.container import MAGIC, MAX_PIXELS, check_pixels
from aecodec.pictures.modes import eight_bits, refuse_hidden_depth

Pixels = npt.NDArray[np.uint8]

_EXIF_PREFIX = b"Exif\0\0"
_XMP_OF_PNG = "XML:com.adobe.xmp"
_XMP_OF_TIFF = 700

# Opening these would run another program or needs one: they are drawings, films and tables rather than pictures. The
# first one is ours, where aecodec.pillow was imported.
_NO_PICTURES = frozenset({"AEC", "BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})

# A restored picture should not be worse than what was stored: without loss where the format can, else close to it.
_WRITING: Mapping[str, Mapping[str, Any]] = {
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG": {"quality": 95, "subsampling": 0},
    "MPO": {"quality": 95, "subsampling": 0},
    "PDF": {"quality": 95},
    "WEBP": {"lossless": True, "exact": True},
}
_KNOWN_TO_HOLD = frozenset({*_WRITING, "PNG", "TIFF"})  # the others are read back and compared

# What a TIFF says of the picture rather than of the file; the two last are the Exif and GPS tags proper.
_TIFF_TAGS = tuple(
    getattr(ExifTags.Base, name).value
    for name in ("ImageDescription", "Make", "Model", "DateTime", "Artist", "Copyright", "ExifOffset", "GPSInfo")
)


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W) grey or (H, W, 3) RGB, alpha (H, W), all uint8; metadata as the source had them."""

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Of the colour: 1 or 3."""
        return 1 if self.pixels.ndim == 2 else 3

    def without_metadata(self) -> Picture:
        """The same picture without colour profile, Exif and XMP."""
        return replace(self, icc=None, exif=None, xmp=None)


def from_array(array: npt.ArrayLike) -> Picture:
    """A picture of an array of uint8, 0..255: (H, W) or (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB,
    (H, W, 4) RGB and alpha. Raises ImageError for any other.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        raise ImageError(f"an array of {array.dtype}; pixels are uint8: scale to 0..255, round and convert it first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4) or array.size == 0:
        raise ImageError(f"an array of shape {array.shape}; a picture is (H, W) or (H, W, channels) with 1..4 channels")
    if array.ndim == 2:
        return Picture(np.ascontiguousarray(array))
    alpha = np.ascontiguousarray(array[:, :, -1]) if array.shape[2] in (2, 4) else None
    pixels = array[:, :, 0] if array.shape[2] < 3 else array[:, :, :3]
    return Picture(np.ascontiguousarray(pixels), alpha)


def to_array(picture: Picture) -> Pixels:
    """The inverse of :func:`from_array`: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    if picture.alpha is None:
        return picture.pixels
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[:, :, None]
    return np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)


def from_pillow(image: Image.Image) -> Picture:
    """A picture of a Pillow image of any mode that loses nothing. Raises ImageError for the others.

    Of a JPEG with more pictures beside the main one (previews, depth and gain maps of cameras) the main one is taken.
    """
    _refuse_several(image)
    picture = from_array(np.asarray(eight_bits(image)))  # first: metadata may follow the pixels in a file
    exif = image.info.get("exif") or _exif_elsewhere(image)
    icc, xmp = image.info.get("icc_profile"), image.info.get("xmp") or image.info.get(_XMP_OF_PNG)
    return replace(picture, icc=_bytes(icc), exif=_bytes(exif), xmp=_bytes(xmp))


def to_pillow(picture: Picture) -> Image.Image:
    """A Pillow image of mode L, LA, RGB or RGBA whose ``info`` has the metadata that its ``save`` can be given."""
    image = Image.fromarray(to_array(picture))
    exif = picture.exif
    if exif is not None and not exif.startswith(_EXIF_PREFIX):  # WebP files do without it, Pillow's JPEG does not
        exif = _EXIF_PREFIX + exif
    for key, value in (("icc_profile", picture.icc), ("exif", exif), ("xmp", picture.xmp)):
        if value is not None:
            image.info[key] = value
    return image


def read(source: Path | BinaryIO, max_pixels: int | None = MAX_PIXELS) -> Picture:
    """Read a picture file. Raises ImageError or LimitError, naming the file where ``source`` is a path.

    The size is compared with ``max_pixels`` (None: no limit) before any pixel is decoded.
    """
    name = f"{source}: " if isinstance(source, Path) else ""
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.read()
    except OSError as error:
        raise ImageError(f"{name}cannot read ({error.strerror or error})") from error
    try:
        return _decode(data, max_pixels)
    except AecError as error:
        raise type(error)(f"{name}{error}") from error


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of a picture file, of which no pixel is decoded. Raises ImageError."""
    try:
        with path.open("rb") as file, _open(file) as image:
            return image.size
    except (AecError, MemoryError):
        raise
    except Exception as error:  # as in _decode
        raise ImageError(f"{path}: not a picture, or damaged ({error or type(error).__name__})") from error


def write(picture: Picture, stream: BinaryIO, format: str) -> None:
    """Write a picture in a format of Pillow ("PNG", "JPEG", ...), with its metadata where the format has a place.

    Without loss where the format can. Raises ImageError where it cannot hold the picture, for example its alpha
    channel, and OutputError where the stream fails.
    """
    image = to_pillow(picture)
    written = io.BytesIO()
    try:
        try:
            _save_with_metadata(image, written, format)
        except (OSError, ValueError):  # "cannot write mode L": grey is as good in colour
            if picture.channels == 3:
                raise
            written = io.BytesIO()
            _save_with_metadata(to_pillow(_in_colour(picture)), written, format)
        if format not in _KNOWN_TO_HOLD and _differs(written.getvalue(), picture):
            raise ValueError("it would change size, colours or alpha")
    except MemoryError:
        raise
    except Exception as error:  # each of Pillow's writers has its own
        advice = "; PNG and WebP hold an alpha channel" if picture.alpha is not None else ""
        raise ImageError(f"cannot be written as {format} ({error}){advice}") from error
    try:
        stream.write(written.getvalue())
    except OSError as error:
        raise OutputError(f"cannot write ({error.strerror or error})") from error


def format_of(suffix: str) -> str:
    """Pillow's name of the format with this suffix, which Pillow can write. Raises ImageError."""
    name = Image.registered_extensions().get(suffix.lower())
    if name is None or name not in Image.SAVE or name in _NO_PICTURES:
        raise ImageError(f"no picture format {suffix!r} that can be written; for example .png, .webp, .jpg, .tif")
    return name


def suffixes() -> set[str]:
    """Suffixes of the picture formats that can be read."""
    readable = Image.registered_extensions().items()
    return {suffix for suffix, name in readable if name == "MPO" or (name in Image.OPEN and name not in _NO_PICTURES)}


def _decode(data: bytes, max_pixels: int | None) -> Picture:
    if data.startswith(MAGIC):
        raise ImageError("already compressed by aecodec")
    try:
        with _open(io.BytesIO(data)) as image:
            check_pixels(image.width, image.height, max_pixels)
            _refuse_several(image)
            refuse_hidden_depth(image, data)
            return from_pillow(image)
    except (AecError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture of a known format" if data else "the file is empty") from error
    except Exception as error:  # damage makes Pillow's readers fail in every way there is
        raise ImageError(f"damaged or incomplete picture ({error or type(error).__name__})") from error


def _open(file: BinaryIO) -> ImageFile.ImageFile:
    """Like Image.open, but with no limit of pixels: ours is checked next, and Pillow's is a global variable."""
    Image.init()
    start = file.read(16)
    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        if name in _NO_PICTURES:
            continue
        try:
            if accept is None or accept(start) is True:
                file.seek(0)
                return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if name in ("JPEG", "PNG", "TIFF", "WEBP"):  # no other format starts like these
                raise ImageError(f"damaged or incomplete picture ({error})") from error
    raise UnidentifiedImageError


def _refuse_several(image: Image.Image) -> None:
    if getattr(image, "tag_v2", {}).get(ExifTags.Base.NewSubfileType, 0) & 1:
        raise ImageError("a raw file of a camera, of which only the preview can be read; develop it first")
    frames = getattr(image, "n_frames", 1)
    if frames == 1:
        return
    views = getattr(image, "mpinfo", {}).get(0xB002, ())  # "MP Entry"
    if views and not any("Multi-Frame" in view["Attribute"]["MPType"] for view in views):
        return
    raise ImageError(
        f"animated or of several pages, views or layers ({frames}); extract them first, for example with: "
        "magick IN frame-%03d.png"
    )


def _exif_elsewhere(image: Image.Image) -> bytes | None:
    """Exif of files that have no block of it: TIFF, whose own tags it is, and PNG that keep it as text."""
    if "Raw profile type exif" in image.info:
        return image.getexif().tobytes()
    if image.format != "TIFF":
        return None
    found, kept = image.getexif(), Image.Exif()
    for tag in _TIFF_TAGS:
        if tag in (ExifTags.Base.ExifOffset, ExifTags.Base.GPSInfo):
            if directory := found.get_ifd(tag):
                kept.get_ifd(tag).update(directory)
        elif tag in found:
            kept[tag] = _as_in_file(found[tag])
    return kept.tobytes() if kept or any(kept.get_ifd(tag) for tag in _TIFF_TAGS[-2:]) else None


def _as_in_file(value: object) -> object:
    """Text as the bytes that Pillow decoded it from; given as text it would write "?" for what is not ASCII."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) and value else None


def _in_colour(picture: Picture) -> Picture:
    return replace(picture, pixels=np.repeat(picture.pixels[:, :, None], 3, axis=2))


def _save_with_metadata(image: Image.Image, stream: BinaryIO, format: str) -> None:
    options: dict[str, Any] = {key: image.info[key] for key in ("icc_profile", "exif", "xmp") if key in image.info}
    if "xmp" in options and format == "PNG":  # Pillow wants to be told where it goes
        text = PngInfo()
        text.add(b"iTXt", _XMP_OF_PNG.encode() + bytes(5) + options["xmp"])
        options["pnginfo"] = text
    if format == "TIFF":
        tags = Image.Exif()
        tags.load(options.get("exif", b""))
        for tag, value in [*tags.items()]:
            tags[tag] = _as_in_file(value)
        if "xmp" in options:
            tags[_XMP_OF_TIFF] = options["xmp"]
        options["tiffinfo"] = tags
    image.save(stream, format, **options, **_WRITING.get(format, {}))


def _differs(data: bytes, picture: Picture) -> bool:
    """Whether a written file reads back as another picture; not where Pillow only writes the format."""
    try:
        with _open(io.BytesIO(data)) as image:
            back = image.convert("RGBA")
    except Exception:
        return False
    return not np.array_equal(np.asarray(back), np.asarray(to_pillow(picture).convert("RGBA")))
