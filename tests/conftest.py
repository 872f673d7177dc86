from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from aecodec.codec import Codec, load_codec

TINY = Path(__file__).parent / "golden" / "tiny.safetensors"


@pytest.fixture(scope="session")
def tiny() -> Codec:
    """The codec of a very small model, for tests that are about files rather than about quality."""
    return load_codec(TINY)


@pytest.fixture(scope="session")
def photo() -> Codec:
    """The codec of the general model in the package."""
    return load_codec("photo")


@pytest.fixture(scope="session")
def picture() -> npt.NDArray[np.uint8]:
    """A photograph, (192, 256, 3)."""
    return np.ascontiguousarray(skimage.data.chelsea()[40:232, 100:356])
