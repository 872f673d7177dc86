"""What is done with hostile files: what a user does with sound ones. Errors of ours are right, others are findings."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aecodec.codec import Codec
from tests.attack.hostile_containers import archive, array
from tests.attack.hostile_weights import weights
from tests.attack.mutations import Random, mutated, singles, stacks
from tests.conftest import TINY
from tests.golden.make import pictures


def try_single(random: Random, _: Path) -> None:
    """Decode; what differs in coded bytes alone is refused, or is the picture as it was."""
    import aecodec

    data, sound = mutated(random, singles())
    if random.random() < 0.3:
        aecodec.info(data)
    restored = aecodec.decode(data, [TINY], max_pixels=2**18)
    if sound is not None:
        right = aecodec.decode(sound.sealed(), [TINY])
        assert np.array_equal(restored, right), "wrong pixels without an error"


def try_stack(random: Random, _: Path) -> None:
    """Decode all of it or one of its pictures."""
    import aecodec

    data, sound = mutated(random, stacks())
    picture = None if random.random() < 0.5 else int(random.integers(0, 4))
    restored = aecodec.decode_stack(data, picture, [TINY], max_pixels=2**20)
    if sound is not None:
        right = aecodec.decode_stack(sound.sealed(), picture, [TINY])
        assert np.array_equal(restored, right), "wrong pixels without an error"


def try_weights(random: Random, folder: Path) -> None:
    """Load them, and code a picture with what can be loaded: it is restored as the encoder saw it."""
    from aecodec.weights import load_weights

    path = folder / "w.safetensors"
    path.write_bytes(weights(random))
    codec = Codec(load_weights(path))
    pixels = pictures()["grey"].pixels[:20, :30]
    codec.decode(codec.encode(pixels, 60, fallback=False))


def try_archive(random: Random, folder: Path) -> None:
    """Open it, and decode what is in it with the weights that are in it."""
    from aecodec.codec import decode_picture
    from aecodec.errors import AecError
    from aecodec.format.archive import opened
    from aecodec.format.container import parse_header
    from aecodec.stack import decode_stack

    path = folder / "a.zip"
    path.write_bytes(archive(random))
    unpacked = folder / "unpacked"
    unpacked.mkdir(exist_ok=True)
    for old in unpacked.iterdir():
        old.unlink()
    with opened(path) as found:
        models = [*found.unpack_weights(unpacked).values()]
        for entry in found.pictures:
            assert ".." not in entry.parts, "an entry leads out of its folder"
            try:
                data = found.read(entry)
                if parse_header(data).count is None:
                    decode_picture(data, models, max_pixels=2**18)
                else:
                    decode_stack(data, models=models, max_pixels=2**18)
            except AecError as error:
                _check(error)


def try_array(random: Random, folder: Path) -> None:
    """Read it as compress does, and by its path."""
    from aecodec.pictures import arrays

    suffix, data = array(random)
    if random.random() < 0.5:
        arrays.load(io.BytesIO(data), "array", max_pixels=2**18)
    else:
        path = folder / f"x{suffix}"
        path.write_bytes(data)
        arrays.read_array(path, max_pixels=2**18)


def _check(error: Exception) -> None:
    assert str(error), f"{type(error).__name__} without a word"


KINDS: dict[str, Callable[[Random, Path], None]] = {
    "single files": try_single,
    "stacks": try_stack,
    "weights": try_weights,
    "archives": try_archive,
    "arrays": try_array,
}
