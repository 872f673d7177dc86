from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from aecodec.codec import Codec, load_codec

TINY = Path(__file__).parent / "golden" / "tiny.safetensors"
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

pytest.register_assert_rewrite("tests.archives", "tests.commands")


@pytest.fixture(scope="session")
def tiny() -> Codec:
    """The codec of a very small model, for tests that are about files rather than about quality."""
    return load_codec(TINY)


@pytest.fixture(scope="session")
def photo() -> Codec:
    """The codec of the general model in the package."""
    return load_codec("photo")


@pytest.fixture(scope="session")
def photo_psnr() -> Codec:
    """The codec of the general model for squared error."""
    return load_codec("photo-psnr")


@pytest.fixture(scope="session")
def picture() -> npt.NDArray[np.uint8]:
    """A photograph, (192, 256, 3)."""
    return np.ascontiguousarray(skimage.data.chelsea()[40:232, 100:356])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script of ``benchmarks/`` by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module
