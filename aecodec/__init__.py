"""aecodec: a learned image codec, and the means to train one for your own pictures.

>>> import aecodec
>>> data = aecodec.encode(array, quality=60)  # doctest: +SKIP
>>> array = aecodec.decode(data)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aecodec.errors import (
    AecError,
    ChecksumError,
    DataError,
    DecodeError,
    FormatError,
    ImageError,
    LimitError,
    ModelError,
    OutputError,
    TruncatedError,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from aecodec.codec import Codec, decode, decode_picture, encode, load_codec
    from aecodec.pictures.images import Picture
    from aecodec.stack import decode_stack, encode_stack

__version__ = "0.1.0"

__all__ = [
    "AecError",
    "ChecksumError",
    "Codec",
    "DataError",
    "DecodeError",
    "FormatError",
    "ImageError",
    "LimitError",
    "ModelError",
    "OutputError",
    "Picture",
    "TruncatedError",
    "UnsupportedVersion",
    "__version__",
    "decode",
    "decode_picture",
    "decode_stack",
    "encode",
    "encode_stack",
    "load_codec",
]

_CODEC = frozenset({"Codec", "decode", "decode_picture", "encode", "load_codec"})
_STACK = frozenset({"decode_stack", "encode_stack"})


def __getattr__(name: str) -> Any:
    """Import the codec only when it is used: ``aecodec info`` answers at once."""
    if name in _CODEC:
        from aecodec import codec

        return getattr(codec, name)
    if name in _STACK:
        from aecodec import stack

        return getattr(stack, name)
    if name == "Picture":
        from aecodec.pictures.images import Picture

        return Picture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
