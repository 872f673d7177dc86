"""``Image.open("photo.aec")`` and ``image.save("photo.aec", quality=60)``: importing this module teaches Pillow both.

Everything that opens pictures with Pillow (imageio, torchvision's folders, datasets of Hugging Face, matplotlib) then
opens aecodec's files. ``save`` takes ``quality``, ``target_size``, ``bpp``, ``score``, ``lossless``, ``effort`` and
``model``, as :func:`aecodec.encode` does, and ``icc_profile``, ``exif``, ``xmp`` and ``dpi``; what a picture was opened
with of the last four is kept unless others are given. The codec is imported when it is first used.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from aecodec.errors import AecError
from aecodec.format.container import MAGIC, Tag, parse, read_outline
from aecodec.options import DEFAULT_MODEL

FORMAT, EXTENSION, MEDIA_TYPE = "AEC", ".aec", "image/x-aecodec"

_OPTIONS = frozenset({"quality", "target_size", "bpp", "score", "lossless", "effort"})
_METADATA = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}


class AecImageFile(ImageFile.ImageFile):
    """A file of one picture. Opening reads its header and metadata; loading verifies, finds the model and decodes."""

    format = FORMAT
    format_description = "aecodec image"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            outline = read_outline(self.fp)
            header = outline.header
            if header.count is not None:
                raise UnidentifiedImageError("a stack of pictures, which aecodec.decode_stack restores")
            if header.depth > 8:
                raise UnidentifiedImageError("16 bits a sample, which aecodec.decode restores")
            said = {tag: self._read(*place) for tag, place in outline.sections.items() if tag in _DESCRIPTIONS}
            self.info.update(_info(said))
        except AecError as error:
            raise UnidentifiedImageError(str(error)) from error  # which says the cause, unlike a SyntaxError
        self._size = (header.width, header.height)
        self._mode = {1: "L", 3: "RGB"}[header.channels] + ("A" if Tag.ALPHA in outline.sections else "")
        self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]

    def _read(self, offset: int, length: int) -> bytes:
        assert self.fp is not None
        self.fp.seek(offset)
        return self.fp.read(length)

    def verify(self) -> None:
        """Compare the file with its checksum. Raises OSError."""
        if self.fp is not None:
            try:
                parse(self._read(0, -1), None)
            except AecError as error:
                raise OSError(str(error)) from error
        super().verify()

    def load(self) -> Any:
        """Decode. Raises OSError, as Pillow's other formats do."""
        if self.tile and self.fp is not None:
            from aecodec.codec import decode_picture
            from aecodec.pictures.images import to_array

            limit = Image.MAX_IMAGE_PIXELS  # twice as many, Pillow opens with a warning
            try:
                picture = decode_picture(self._read(0, -1), max_pixels=None if limit is None else 2 * limit)
            except AecError as error:
                raise OSError(str(error)) from error
            if self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO(to_array(picture).tobytes())
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Nothing: what there is to read are the pixels. By this method Pillow knows not to parse bit by bit."""


_DESCRIPTIONS = frozenset({Tag.ICC, Tag.EXIF, Tag.XMP, Tag.IPTC, Tag.CHUNKS})


def _info(said: dict[int, bytes]) -> dict[str, Any]:
    from aecodec.pictures.chunks import info_of, parse_chunks

    icc, exif, xmp, iptc = (said.get(tag) for tag in (Tag.ICC, Tag.EXIF, Tag.XMP, Tag.IPTC))
    return info_of(icc, exif, xmp, iptc, parse_chunks(said.get(Tag.CHUNKS, b"")))


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    given = {name: value for name, value in image.encoderinfo.items() if value is not None}
    model, density = given.pop("model", DEFAULT_MODEL), given.pop("dpi", None)
    metadata = {_METADATA[name]: given.pop(name) for name in _METADATA if name in given}
    if unknown := given.keys() - _OPTIONS:
        raise TypeError(f"{FORMAT} takes no {', '.join(sorted(unknown))}; but {', '.join(sorted(_OPTIONS))} and model")
    if isinstance(metadata.get("exif"), Image.Exif):
        metadata["exif"] = metadata["exif"].tobytes()
    from aecodec.codec import encode
    from aecodec.pictures.images import from_pillow, with_density

    try:
        picture = replace(from_pillow(image, deep=bool(given.get("lossless"))), **metadata)
        if density is not None:
            picture = with_density(picture, *density)
        file.write(encode(picture, model=model, **given))
    except AecError as error:
        raise OSError(str(error)) from error


Image.register_open(FORMAT, AecImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
Image.register_mime(FORMAT, MEDIA_TYPE)
