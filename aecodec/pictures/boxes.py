"""What JPEG 2000 and AVIF say about colours and in metadata, which Pillow neither reads nor writes.

Both are made of boxes (ISO/IEC 15444-1, annex I; ISO/IEC 14496-12): a length of four bytes, a type of four, a body.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aecodec.errors import ImageError
from aecodec.pictures.chunks import Chunk

JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_XMP = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_EXIF = b"JpgTiffExif->JP2"
_IPTC = bytes.fromhex("33C7A4D2B81D4723A0BAF1A3E097AD38")
_ENUMERATED, _RESTRICTED_PROFILE, _ANY_PROFILE = 1, 2, 3  # methods of a colr box of JPEG 2000
_USUAL_COLOURS = (12, 16, 17, 18)  # CMYK, which its mode tells, sRGB, grey, YCbCr of sRGB
_AVIF_PATH = (b"meta", b"iprp", b"ipco", b"colr")
_FULL = {b"meta": 4}  # bytes before the boxes in a box
_UNSPECIFIED, _BT709, _SRGB_CURVE = 2, 1, 13


def is_jp2(data: bytes) -> bool:
    """Whether a file is a JPEG 2000 of boxes, rather than a bare code stream."""
    return data.startswith(JP2_SIGNATURE)


def profile_of_jp2(data: bytes) -> bytes | None:
    """The colour profile. Raises ImageError for colours that are neither sRGB, grey nor said by one."""
    enumerated = None
    for start, end in _find(data, (b"jp2h", b"colr")):
        method = data[start] if end > start else 0
        if method in (_RESTRICTED_PROFILE, _ANY_PROFILE):
            return data[start + 3 : end]
        if method == _ENUMERATED:
            enumerated = int.from_bytes(data[start + 3 : start + 7], "big") if enumerated is None else enumerated
    if enumerated is not None and enumerated not in _USUAL_COLOURS:
        raise ImageError(f"JPEG 2000 in the colours numbered {enumerated}; convert it to sRGB first")
    return None


def metadata_of_jp2(data: bytes) -> dict[str, bytes]:
    """Those of exif, xmp and iptc that are there."""
    names = {_XMP: "xmp", _EXIF: "exif", _IPTC: "iptc"}
    bodies = (data[start:end] for start, end in _find(data, (b"uuid",)))
    return {names[body[:16]]: body[16:] for body in bodies if body[:16] in names and len(body) > 16}


def into_jp2(
    data: bytes, profile: bytes | None, exif: bytes | None, xmp: bytes | None, iptc: bytes | None = None
) -> bytes:
    """A JPEG 2000 file with the profile in the place of its colours, and metadata before its code stream."""
    if profile:
        (head, head_end), (colour, colour_end) = next(_find(data, (b"jp2h",))), next(_find(data, (b"jp2h", b"colr")))
        body = data[head : colour - 8] + _box(b"colr", bytes([_RESTRICTED_PROFILE, 0, 0]) + profile)
        data = data[: head - 8] + _box(b"jp2h", body + data[colour_end:head_end]) + data[head_end:]
    stream = next(_find(data, (b"jp2c",)))[0] - 8
    given = ((_EXIF, exif), (_XMP, xmp), (_IPTC, iptc))
    return data[:stream] + b"".join(_box(b"uuid", kind + body) for kind, body in given if body) + data[stream:]


def colour_of_avif(data: bytes) -> Chunk | None:
    """Primaries and transfer of an AVIF (or HEIF) as PNG's cICP has them; None where they are those of sRGB."""
    place = _nclx(data)
    if place is None:
        return None
    primaries, curve = struct.unpack_from(">HH", data, place)
    primaries = _BT709 if primaries == _UNSPECIFIED else primaries
    curve = _SRGB_CURVE if curve == _UNSPECIFIED else curve
    if (primaries, curve) == (_BT709, _SRGB_CURVE) or max(primaries, curve) > 255:
        return None
    return Chunk(b"cICP", bytes([primaries, curve, 0, 1]))


def into_avif(data: bytes, cicp: bytes) -> bytes:
    """An AVIF file whose primaries and transfer are those of a cICP chunk. Raises ValueError where it says none."""
    place = _nclx(data)
    if place is None or len(cicp) != 4:
        raise ValueError("no place for the colours")
    return data[:place] + struct.pack(">HH", cicp[0], cicp[1]) + data[place + 4 :]


def _nclx(data: bytes) -> int | None:
    """Where primaries and transfer are."""
    return next((a + 4 for a, b in _find(data, _AVIF_PATH) if data[a : a + 4] == b"nclx" and b - a >= 10), None)


def _find(data: bytes, path: tuple[bytes, ...], start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Start and end of the bodies of all boxes at a path of types."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1 and start + 16 <= end:
            length, body = struct.unpack_from(">Q", data, body)[0], start + 16
        stop = end if length == 0 else start + length
        if not body <= stop <= end:
            return
        if kind == path[0]:
            if len(path) == 1:
                yield body, stop
            else:
                yield from _find(data, path[1:], body + _FULL.get(kind, 0), stop)
        start = stop


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
