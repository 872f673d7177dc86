"""What Pillow and files say beside pixels -> the metadata of a :class:`Picture`.

What cannot be kept must not cost the picture: it is left out, and named in a list for :func:`warn_of`.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from dataclasses import replace

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngImageFile

from aecodec.errors import MetadataWarning
from aecodec.pictures import boxes, chunks, profiles
from aecodec.pictures.chunks import INFO_KEY, IPTC_RESOURCE, Chunk
from aecodec.pictures.orientation import EXIF_PREFIX, is_whole
from aecodec.pictures.picture import Picture

XMP_OF_PNG = "XML:com.adobe.xmp"
RAW_EXIF, RAW_IPTC = "Raw profile type exif", "Raw profile type iptc"
COMMENT = "Comment"
MAX_INFLATED = 2**26

# By the start of a file and a mark in it: what Pillow passes over.
_NOT_READ = {
    (b"\xff\xd8", b"http://ns.adobe.com/xmp/extension/\0"): "the extension of XMP",
    (b"GIF8", b"\x0bICCRGBG1012"): "the colour profile, which GIF files are not read for",
}

_IPTC_OF_TIFF, _PHOTOSHOP_OF_TIFF = 33723, 34377

# What a TIFF or Exif says of the picture. All other tags of it say how the pixels of that file are stored.
DESCRIPTIVE_TAGS = (
    *(
        getattr(ExifTags.Base, name).value
        for name in ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "HostComputer", "Copyright")
    ),
    18246,  # Rating
    18249,  # RatingPercent
    *range(40091, 40096),  # XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject
)
DIRECTORIES = (ExifTags.Base.ExifOffset.value, ExifTags.Base.GPSInfo.value)


def warn_of(left_out: Sequence[str]) -> None:
    """Say in one warning, of one line, what is left out."""
    if left_out:
        warnings.warn(f"left out: {'; '.join(left_out)}", MetadataWarning, stacklevel=3)


def with_metadata(picture: Picture, image: Image.Image, data: bytes, left_out: list[str]) -> Picture:
    """The picture with what the Pillow image that it was made of says, and the file of that image, where given."""
    if data.startswith(chunks.PNG_SIGNATURE):
        picture = _of_png(picture, data, left_out)
    else:
        picture = _of_pillow(picture, image, left_out)
    if profile := _profile_of_bmp(data):
        picture = replace(picture, icc=profile)
    left_out += [what for (start, mark), what in _NOT_READ.items() if data.startswith(start) and mark in data]
    if boxes.is_jp2(data):
        picture = replace(picture, icc=boxes.profile_of_jp2(data), **boxes.metadata_of_jp2(data))  # type: ignore[arg-type]
    elif data[4:8] == b"ftyp" and (colour := boxes.colour_of_avif(data)):
        picture = replace(picture, chunks=(colour, *picture.chunks))
    return with_fitting_profile(picture, left_out)


def _profile_of_bmp(data: bytes) -> bytes | None:
    """The one that a BITMAPV5HEADER says is embedded."""
    if not data.startswith(b"BM") or len(data) < 138 or data[14] < 124 or data[70:74] != b"DEBM":
        return None
    offset, size = struct.unpack_from("<II", data, 126)
    return data[14 + offset : 14 + offset + size] or None


def with_fitting_profile(picture: Picture, left_out: list[str]) -> Picture:
    """The picture whose profile is one for its kind of pixels; without it where none can be made."""
    if picture.icc is None:
        return picture
    icc = profiles.fitting(picture.icc, picture.channels)
    if icc is None:
        space = (profiles.space_of(picture.icc) or b"").decode("ascii", "replace").strip()
        left_out.append(f"a colour profile of {space!r}, which does not fit the pixels")
    return replace(picture, icc=icc)


def _of_pillow(picture: Picture, image: Image.Image, left_out: list[str]) -> Picture:
    info = image.info
    exif = info.get("exif") or _exif_elsewhere(image, left_out)
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    found = list(chunks.parse_chunks(info[INFO_KEY])) if INFO_KEY in info else _chunks_of(image)
    return replace(
        picture,
        icc=_bytes(info.get("icc_profile")),
        exif=_bytes(exif),
        xmp=_bytes(info.get("xmp") or info.get(XMP_OF_PNG)),
        iptc=_bytes(_iptc_of(image)),
        chunks=tuple(found),
    )


def _chunks_of(image: Image.Image) -> list[Chunk]:
    info, found = image.info, list[Chunk | None]()
    if "srgb" in info:
        found.append(Chunk(b"sRGB", bytes([int(info["srgb"]) & 3])))
    if isinstance(gamma := info.get("gamma"), float):
        found.append(Chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000))))
    if isinstance(given := info.get("chromaticity"), (tuple, list)) and len(given) == 8:
        found.append(Chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in given))))
    if isinstance(density := info.get("dpi"), (tuple, list)) and len(density) == 2 and not _made_up(image):
        found.append(chunks.density_chunk(*density))
    elif info.get("jfif_unit") == 0 and (shape := info["jfif_density"])[0] != shape[1] and min(shape) > 0:
        found.append(chunks.shape_chunk(*shape))
    if isinstance(image, PngImageFile):
        spoken_for = (XMP_OF_PNG, RAW_EXIF, RAW_IPTC)
        found += [chunks.text_chunk(key, str(text)) for key, text in image.text.items() if key not in spoken_for]
    elif comment := info.get("comment"):
        text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
        found.append(chunks.text_chunk(COMMENT, text.rstrip("\0")))
    return [chunk for chunk in found if chunk is not None]


def _made_up(image: Image.Image) -> bool:
    """Whether the density is not one that the file says: Pillow has one for each TIFF, and each JPEG with Exif."""
    if image.format == "TIFF":
        return ExifTags.Base.XResolution not in getattr(image, "tag_v2", {})
    return image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2)


def _iptc_of(image: Image.Image) -> object:
    tags = getattr(image, "tag_v2", {})
    resources = image.info.get("photoshop")
    if isinstance(resources, dict) and resources.get(IPTC_RESOURCE):
        return resources[IPTC_RESOURCE]
    if isinstance(found := tags.get(_IPTC_OF_TIFF), bytes):
        return found
    if isinstance(found, tuple):  # some writers say that it is a row of 32-bit numbers
        return struct.pack(f"<{len(found)}I", *found)
    return _iptc_resource(tags.get(_PHOTOSHOP_OF_TIFF))


def _iptc_resource(data: object) -> bytes | None:
    """Of a block of Photoshop's resources."""
    position = 0
    while isinstance(data, bytes) and data[position : position + 4] == b"8BIM" and position + 7 < len(data):
        code = int.from_bytes(data[position + 4 : position + 6], "big")
        position += 6 + (data[position + 6] // 2 + 1) * 2  # a name, padded
        size = int.from_bytes(data[position : position + 4], "big")
        if code == IPTC_RESOURCE:
            return data[position + 4 : position + 4 + size]
        position += 4 + size + size % 2
    return None


def _exif_elsewhere(image: Image.Image, left_out: list[str]) -> bytes | None:
    """Exif of files that have no block of it: TIFF, whose own tags it is, and PNG that keep it as text."""
    if isinstance(text := image.info.get(RAW_EXIF), str):
        return raw_profile(text, "Exif", left_out)
    if image.format != "TIFF":
        return None
    found, kept = image.getexif(), Image.Exif()
    for tag in DESCRIPTIVE_TAGS:
        if tag in found:
            kept[tag] = as_in_file(found[tag])
    for tag in DIRECTORIES:
        if directory := found.get_ifd(tag):
            kept.get_ifd(tag).update(directory)
    return kept.tobytes() if kept or any(kept.get_ifd(tag) for tag in DIRECTORIES) else None


def says_more_than_orientation(exif: bytes) -> bool:
    """Whether Exif says anything of the picture but how to turn it. Raises what Pillow does for damaged Exif."""
    if not is_whole(exif):
        raise ValueError("damaged")
    tags = Image.Exif()
    tags.load(exif)
    return any(tag in tags for tag in DESCRIPTIVE_TAGS) or any(tags.get_ifd(tag) for tag in DIRECTORIES)


def as_in_file(value: object) -> object:
    """Text as the bytes that Pillow decoded it from; given as text it would write "?" for what is not ASCII."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _of_png(picture: Picture, data: bytes, left_out: list[str]) -> Picture:
    """From the chunks of a PNG file, in which damage or size of one is no reason to refuse the picture."""
    found: dict[str, bytes | None] = {}
    kept: list[Chunk] = []
    for chunk in chunks.chunks_of_png(data):
        keyword = chunks.keyword_of(chunk)
        if chunk.type == b"iCCP":
            try:
                found["icc"] = chunks.inflate(chunk.body.partition(b"\0")[2][1:], MAX_INFLATED)
            except ValueError as error:
                left_out.append(f"the colour profile ({error})")
        elif chunk.type == b"eXIf" and chunk.body:
            found["exif"] = EXIF_PREFIX + chunk.body.removeprefix(EXIF_PREFIX)
        elif keyword in (XMP_OF_PNG, RAW_EXIF, RAW_IPTC) and chunk.type in chunks.REMARKS:
            text = chunks.text_of(chunk, MAX_INFLATED)
            if text is None:
                left_out.append(f"the damaged text {keyword!r}")
            elif keyword == XMP_OF_PNG:
                found["xmp"] = text.encode()
            elif keyword == RAW_EXIF:
                found.setdefault("exif", raw_profile(text, "Exif", left_out))
            else:
                found["iptc"] = _without_resource(raw_profile(text, "IPTC metadata", left_out))
        elif chunk.type in chunks.KEPT:
            kept.append(chunk)
    return replace(picture, **found, chunks=tuple(kept))  # type: ignore[arg-type]


def raw_profile(text: str, name: str, left_out: list[str]) -> bytes | None:
    """The bytes of one of ImageMagick's "Raw profile" texts: a name, a length and hexadecimal digits, in lines."""
    try:
        _, length, *lines = text.split()
        profile = bytes.fromhex("".join(lines))
        if len(profile) != int(length) or not profile:
            raise ValueError("its length is not the one it says")
        return profile
    except ValueError as error:
        left_out.append(f"{name}, whose text is damaged ({error})")
        return None


def as_raw_profile(name: str, profile: bytes) -> str:
    """The inverse of :func:`raw_profile`."""
    digits = profile.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return f"\n{name}\n{len(profile):8}\n{lines}\n"


def photoshop_resource(iptc: bytes) -> bytes:
    """IPTC metadata as a resource of Photoshop's, as JPEG files have them."""
    return b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def _without_resource(profile: bytes | None) -> bytes | None:
    """IPTC metadata, which ImageMagick writes with the resource around it."""
    return _iptc_resource(profile) or profile


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) and value else None
