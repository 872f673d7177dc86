"""aecodec: a learned image codec, and the means to train one for your own pictures.

>>> import numpy as np
>>> import aecodec
>>> array = np.zeros((48, 64, 3), np.uint8)
>>> data = aecodec.encode(array, quality=60)
>>> aecodec.decode(data).shape
(48, 64, 3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aecodec.errors import (
    AecError,
    ChecksumError,
    DataError,
    DecodeError,
    FormatError,
    ImageError,
    LimitError,
    MetadataWarning,
    ModelError,
    OutputError,
    TruncatedError,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from aecodec.codec import Codec, decode, decode_picture, encode, load_codec
    from aecodec.description import Info, info
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
    "Info",
    "LimitError",
    "MetadataWarning",
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
    "info",
    "load_codec",
]

_MODULES = {
    "codec": ("Codec", "decode", "decode_picture", "encode", "load_codec"),
    "description": ("Info", "info"),
    "pictures.images": ("Picture",),
    "stack": ("decode_stack", "encode_stack"),
}


def __getattr__(name: str) -> Any:
    """Import the codec, and what it needs, only when it is used: ``aecodec info`` answers at once."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"aecodec.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
