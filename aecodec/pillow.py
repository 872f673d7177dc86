"""``Image.open("photo.aec")`` and ``image.save("photo.aec", quality=60)``: importing this module teaches Pillow both.

Everything that opens pictures with Pillow (imageio, torchvision's folders, datasets of Hugging Face, matplotlib) then
opens aecodec's files. ``save`` takes ``quality``, ``effort``, ``model``, ``icc_profile``, ``exif`` and ``xmp``;
what a picture was opened with of the last three is kept unless others are given.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile

from aecodec.codec import DEFAULT_MODEL, DEFAULT_QUALITY, decode_picture, load_codec
from aecodec.errors import AecError
from aecodec.format.container import MAGIC, Contents, parse
from aecodec.networks.config import DEFAULT_EFFORT
from aecodec.pictures import images

FORMAT, EXTENSION, MEDIA_TYPE = "AEC", ".aec", "image/x-aecodec"


class AecImageFile(ImageFile.ImageFile):
    """A file of one picture. Opening verifies its checksum and its size; its model is looked for when it is loaded."""

    format = FORMAT
    format_description = "aecodec image"

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        try:
            contents = parse(self._data)
        except AecError as error:
            raise SyntaxError(str(error)) from error  # which Pillow takes for "not this format"
        header = contents.header
        if header.count is not None:
            raise SyntaxError("a stack of pictures")
        self._size = (header.width, header.height)
        self._mode = {1: "L", 3: "RGB"}[header.channels] + ("" if contents.alpha is None else "A")
        for name, value in _info(contents).items():
            self.info[name] = value
        self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]

    def load(self) -> Any:
        """Decode. Raises OSError, as Pillow's other formats do."""
        if self.tile and self._data:
            try:
                picture = decode_picture(self._data)
            except AecError as error:
                raise OSError(str(error)) from error
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO(images.to_array(picture).tobytes())
            self._data = b""
        return super().load()


def _info(contents: Contents) -> dict[str, bytes]:
    named = {"icc_profile": contents.icc, "exif": contents.exif, "xmp": contents.xmp}
    return {name: value for name, value in named.items() if value is not None}


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    options = image.encoderinfo
    given = {field: options[name] for name, field in _METADATA.items() if options.get(name) is not None}
    if isinstance(given.get("exif"), Image.Exif):
        given["exif"] = given["exif"].tobytes()
    try:
        picture = replace(images.from_pillow(image), **given)
        codec = load_codec(options.get("model", DEFAULT_MODEL))
        quality, effort = options.get("quality", DEFAULT_QUALITY), options.get("effort", DEFAULT_EFFORT)
        file.write(codec.encode_picture(picture, quality, effort=effort))
    except AecError as error:
        raise OSError(str(error)) from error


_METADATA = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}

Image.register_open(FORMAT, AecImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
Image.register_mime(FORMAT, MEDIA_TYPE)
