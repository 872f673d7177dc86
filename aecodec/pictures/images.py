"""Pictures of any kind <-> arrays of grey or RGB, with alpha and metadata beside them: what other modules use.

What would lose something on the way is refused, with a word on what to do.
"""

from aecodec.pictures.picture import Picture, Pixels, Samples, from_array, to_array, with_density
from aecodec.pictures.reading import AnyPicture, from_pillow, picture_of, read, size_of, suffixes
from aecodec.pictures.writing import format_of, to_pillow, write

__all__ = [
    "AnyPicture",
    "Picture",
    "Pixels",
    "Samples",
    "format_of",
    "from_array",
    "from_pillow",
    "picture_of",
    "read",
    "size_of",
    "suffixes",
    "to_array",
    "to_pillow",
    "with_density",
    "write",
]
