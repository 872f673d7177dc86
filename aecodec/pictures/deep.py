"""Files of 16 bits a sample, which Pillow reads and writes only where they are grey."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from aecodec.pictures.chunks import Chunk, png_of

Deep = npt.NDArray[np.uint16]

# Pillow takes the high or the low byte of each sample, by the name of the order in the file.
_OTHER_BYTE = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
_COLOUR_TYPES = {2: 4, 3: 2, 4: 6}  # of PNG, by the number of channels


def encode_png(array: Deep) -> bytes:
    """A PNG file of (H, W, 2), (H, W, 3) or (H, W, 4) samples; each row as differences to the pixel before."""
    height, width, channels = array.shape
    samples = array.astype(">u2").view(np.uint8).reshape(height, width, 2 * channels)
    rows = np.empty((height, 1 + width * 2 * channels), np.uint8)
    rows[:, 0] = 1  # filter "Sub"
    rows[:, 1:] = np.diff(samples, axis=1, prepend=np.uint8(0)).reshape(height, -1)
    header = Chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0))
    data = Chunk(b"IDAT", zlib.compress(rows.tobytes()))
    return png_of([header, data, Chunk(b"IEND", b"")])


def read_colour(image: ImageFile.ImageFile, data: bytes) -> Deep | None:
    """Samples (H, W, 3) or (H, W, 4) of an image that is opened but not loaded; None where Pillow cannot read them."""
    low = type(image)(io.BytesIO(data), "")
    tiles = []
    for tile in low.tile:
        name, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        other = _OTHER_BYTE.get(str(name).replace("16N", "16L" if sys.byteorder == "little" else "16B"))
        if other is None:
            return None
        tiles.append(tile._replace(args=(other, *rest) if isinstance(tile.args, tuple) else other))
    low.tile = tiles
    return np.asarray(np.asarray(image).astype(np.uint16) << 8 | np.asarray(low), np.uint16)
