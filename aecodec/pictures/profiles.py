"""ICC profiles: whether one fits the pixels, and those that say in other words what PNG chunks or a grey profile say.

Made are matrix profiles of version 4 (ICC.1:2022): the primaries adapted to D50 as Bradford has it, and one curve.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from aecodec.pictures.chunks import Chunk, find

GREY_SPACE, RGB_SPACE = b"GRAY", b"RGB "

Chromaticities = tuple[float, ...]  # x and y of white, red, green and blue
SRGB_LIKE: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_P3_LIKE = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
_PRIMARIES: Mapping[int, Chromaticities] = {  # of ITU-T H.273
    1: SRGB_LIKE,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, *_P3_LIKE[2:]),
    12: _P3_LIKE,
    22: (0.3127, 0.3290, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: Mapping[int, Sequence[float]] = {
    **dict.fromkeys((1, 6, 14, 15), _VIDEO_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: _SRGB_CURVE,
}
_SRGB_GAMMA = 45455  # what PNG files say beside sRGB, for readers that do not know that
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def space_of(profile: bytes) -> bytes | None:
    """The colour space of the pixels that a profile is for, like b"RGB "; None where it is no profile."""
    return profile[16:20] if len(profile) >= 132 and profile[36:40] == b"acsp" else None


def fitting(profile: bytes, channels: int) -> bytes | None:
    """The profile where it is one for pixels of 1 or 3 channels, or one made of it that is; else None.

    Made without loss are profiles of RGB from those of grey, for pixels that are grey, and of grey from those of RGB
    with one curve for all. What is no profile at all is left as it is.
    """
    space, wanted = space_of(profile), GREY_SPACE if channels == 1 else RGB_SPACE
    if space is None or space == wanted:
        return profile
    try:
        if space == GREY_SPACE:
            return _profile(_description(profile), _curve(profile, b"kTRC"), SRGB_LIKE)
        if space == RGB_SPACE:
            curve = _curve(profile, b"gTRC")
            if curve == _curve(profile, b"rTRC") == _curve(profile, b"bTRC") and b"A2B0" not in _tags(profile):
                return _profile(_description(profile), curve, None)
    except (KeyError, struct.error):
        pass
    return None


def said_by(chunks: Sequence[Chunk], channels: int) -> tuple[bytes | None, bool]:
    """A profile that says what the colour chunks of a PNG say, and whether there is one.

    (None, True) is sRGB, which needs none; (None, False) is what no profile here can say: high dynamic range.
    """
    if len(cicp := find(chunks, b"cICP") or b"") == 4:
        primaries, curve = _PRIMARIES.get(cicp[0]), _CURVES.get(cicp[1])
        if primaries is None or curve is None or cicp[2] or cicp[3] != 1:
            return None, False
        if (primaries, curve) == (SRGB_LIKE, _SRGB_CURVE):
            return None, True
        return _profile(f"cICP {cicp[0]} {cicp[1]}", _parametric(curve), primaries if channels == 3 else None), True
    if find(chunks, b"sRGB") is not None:
        return None, True
    gamma, white_and_primaries = find(chunks, b"gAMA") or b"", find(chunks, b"cHRM") or b""
    exponent = int.from_bytes(gamma, "big") if len(gamma) == 4 else 0
    given = struct.unpack(">8I", white_and_primaries) if len(white_and_primaries) == 32 else ()
    primaries = tuple(n / 100_000 for n in given) or SRGB_LIKE
    like_srgb = np.allclose(primaries, SRGB_LIKE, atol=1e-3)
    if (exponent in (0, _SRGB_GAMMA)) and (like_srgb or channels == 1):
        return None, True
    curve = _SRGB_CURVE if exponent in (0, _SRGB_GAMMA) else (100_000 / exponent,)
    try:
        return _profile("gAMA and cHRM", _parametric(curve), primaries if channels == 3 else None), True
    except (np.linalg.LinAlgError, ArithmeticError, struct.error):  # of chunks that are nonsense
        return None, True


def _profile(description: str, curve: bytes, primaries: Chromaticities | None) -> bytes:
    """A profile of RGB, or without primaries of grey."""
    tags = {b"desc": _text(description), b"cprt": _text("CC0"), b"wtpt": _xyz(_D50)}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for colour, column in zip((b"r", b"g", b"b"), _to_d50(primaries).T, strict=True):
            tags[colour + b"XYZ"] = _xyz(column)
            tags[colour + b"TRC"] = curve
    body, table = b"", struct.pack(">I", len(tags))
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        place = body.find(value)
        if place < 0:
            place, body = len(body), body + value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + place, len(value))
    head = bytearray(128)
    head[0:4] = struct.pack(">I", start + len(body))
    head[8:12] = bytes([4, 0x40, 0, 0])
    head[12:24] = b"mntr" + (GREY_SPACE if primaries is None else RGB_SPACE) + b"XYZ "
    head[24:36] = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    head[36:40] = b"acsp"
    head[68:80] = _xyz(_D50)[8:]
    return bytes(head) + table + body


def _to_d50(chromaticities: Chromaticities) -> npt.NDArray[np.float64]:
    """The matrix from linear RGB to XYZ under D50."""
    x, y = np.array(chromaticities).reshape(4, 2).T
    if not (y > 0).all():
        raise ZeroDivisionError
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white, primaries = xyz[:, 0], xyz[:, 1:]
    matrix = primaries * np.linalg.solve(primaries, white)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return np.asarray(adaptation @ matrix)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(values: npt.NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _parametric(values: Sequence[float]) -> bytes:
    """Of one value a power, of five a power with a straight start."""
    return b"para\0\0\0\0" + struct.pack(">HH", 0 if len(values) == 1 else 3, 0) + _fixed(*values)


def _text(text: str) -> bytes:
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(text), 28) + text.encode("utf-16-be")


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, len(profile) // 12)))
    return {name: profile[offset : offset + size] for name, offset, size in entries}


def _curve(profile: bytes, tag: bytes) -> bytes:
    """Raises KeyError where there is none."""
    curve = _tags(profile)[tag]
    if curve[:4] not in (b"curv", b"para"):
        raise KeyError(tag)
    return curve


def _description(profile: bytes) -> str:
    """The name that a profile has, of ASCII; as good as it can be told."""
    text = _tags(profile).get(b"desc", b"")
    raw = text[12 : 12 + max(0, int.from_bytes(text[8:12], "big") - 1)] if text[:4] == b"desc" else text[28::2]
    return "".join(chr(byte) for byte in raw if 32 <= byte < 127)[:60] or "profile"
