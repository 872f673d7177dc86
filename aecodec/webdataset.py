"""``.aec`` files in webdataset shards: ``dataset.decode(aecodec.webdataset.decoder)``."""

from __future__ import annotations

from aecodec.codec import Pixels, decode
from aecodec.format.container import parse_header
from aecodec.stack import decode_stack


def decoder(key: str, data: bytes) -> Pixels | None:
    """The pixels, uint8, of a field ``aec``, and None for any other: what ``WebDataset.decode`` wants of a handler.

    A picture is (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), a stack (N, H, W) or (N, H, W, 3). Raises a child of
    AecError where it is damaged or its model is not at hand.
    """
    if key.rpartition(".")[2].lower() != "aec":
        return None
    return decode(data) if parse_header(data).count is None else decode_stack(data)
