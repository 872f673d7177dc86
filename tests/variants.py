"""Run as a program: code or decode the pictures of the determinism test in this process's environment.

``python variants.py encode|decode FOLDER``. Writes FOLDER/NAME.aec, or saves the pixels as FOLDER/NAME.VARIANT.npy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data

from aecodec.codec import load_codec
from aecodec.stack import decode_stack, encode_stack

BATCH = "batch"
QUALITIES = (20.0, 60.0, 95.0)


def pictures() -> dict[str, npt.NDArray[np.uint8]]:
    """Photographs, noise, flat, tiny, extreme shapes: at least 20."""
    rng = np.random.default_rng(0)
    named = ("astronaut", "coffee", "chelsea", "rocket", "camera", "brick", "grass", "gravel", "page", "text", "moon")
    result = {name: getattr(skimage.data, name)()[:400, :400] for name in named}
    result["clock"] = skimage.data.clock()
    result["noise"] = rng.integers(0, 256, (120, 136, 3), np.uint8)
    result["grey noise"] = rng.integers(0, 256, (100, 90), np.uint8)
    result["soft noise"] = rng.normal(128, 20, (200, 200, 3)).clip(0, 255).astype(np.uint8)
    result["checkers"] = (np.indices((160, 160)).sum(0) % 2 * 255).astype(np.uint8)
    result["black"] = np.zeros((300, 200, 3), np.uint8)
    result["white"] = np.full((64, 64), 255, np.uint8)
    result["gradient"] = np.broadcast_to(np.arange(256, dtype=np.uint8), (256, 256)).copy()
    result["dot"] = np.array([[[200, 30, 90]]], np.uint8)
    result["row"] = result["astronaut"][200:201]
    result["column"] = result["coffee"][:, 77:79]
    result["wide"] = np.concatenate([result["astronaut"][180:196]] * 6, axis=1)
    result["odd"] = result["rocket"][3:100, 5:222]
    return result


def batch() -> npt.NDArray[np.uint8]:
    """Pictures of one size (12, 70, 90, 3), which are coded together."""
    source = skimage.data.coffee()
    return np.stack([source[10 * i : 10 * i + 70, 30 * i : 30 * i + 90] for i in range(12)])


def main(action: str, folder: Path) -> None:
    codec = load_codec("photo")
    for i, (name, pixels) in enumerate(pictures().items()):
        path = folder / f"{name}.aec"
        if action == "encode":
            path.write_bytes(codec.encode(pixels, QUALITIES[i % 3]))
        else:
            np.save(folder / f"{name}.{os.environ['TEST_NAME']}.npy", codec.decode(path.read_bytes()))
    path = folder / f"{BATCH}.aec"
    if action == "encode":
        path.write_bytes(encode_stack(batch(), 60, codec))
    else:
        np.save(folder / f"{BATCH}.{os.environ['TEST_NAME']}.npy", decode_stack(path.read_bytes()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
