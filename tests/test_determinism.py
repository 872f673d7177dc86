"""Files open on every machine: the same file gives the same pixels, the same picture at effort 0 the same file.

Other machines are imitated by other kernels and numbers of threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aecodec.engine import available
from tests.variants import BATCH, pictures

DEFAULT = "default"
VARIANTS = {
    DEFAULT: {"AECODEC_THREADS": "1"},
    "three threads": {"AECODEC_THREADS": "3"},
    **{kernels: {"AECODEC_KERNELS": kernels, "AECODEC_THREADS": "2"} for kernels in available()[1:]},
}


def run(action: str, folder: Path, variant: str) -> None:
    environment = os.environ | VARIANTS[variant] | {"TEST_NAME": variant}
    command = [sys.executable, str(Path(__file__).parent / "variants.py"), action, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{action} under {variant}: {done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("default")
    run("encode", folder, DEFAULT)
    run("decode", folder, DEFAULT)
    return folder


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != DEFAULT])
def test_the_same_file_gives_the_same_pixels(files: Path, variant: str) -> None:
    run("decode", files, variant)
    for name in (*pictures(), BATCH):
        one, other = (np.load(files / f"{name}.{v}.npy") for v in (variant, DEFAULT))
        assert np.array_equal(one, other), name


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != DEFAULT])
def test_the_same_picture_gives_the_same_file(files: Path, tmp_path: Path, variant: str) -> None:
    run("encode", tmp_path, variant)
    for name in (*pictures(), BATCH):
        assert (tmp_path / f"{name}.aec").read_bytes() == (files / f"{name}.aec").read_bytes(), name


def test_there_are_enough_pictures() -> None:
    assert len(pictures()) >= 20
