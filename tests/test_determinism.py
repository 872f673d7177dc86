"""Files open on every machine: symbols exact everywhere, pixels within one grey level of each other.

Other processors are imitated by the switches that make PyTorch and oneDNN choose other code. The file's checksum of the
symbols makes any difference in them an error; that the float results really differ is tested too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.variants import BATCH, pictures

VARIANTS = {
    "default": {},
    "two threads": {"TEST_THREADS": "2"},
    "no vectors": {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Prescott"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "Haswell"},
    "sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"},
    "no mkldnn": {"TEST_NO_MKLDNN": "1", "OPENBLAS_NUM_THREADS": "1"},
}


def run(action: str, folder: Path, variant: str) -> None:
    environment = os.environ | VARIANTS[variant] | {"TEST_NAME": variant}
    command = [sys.executable, str(Path(__file__).parent / "variants.py"), action, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{action} under {variant}: {done.stderr[-2000:]}"


def decoded(folder: Path, name: str, variant: str) -> np.ndarray:
    return np.load(folder / f"{name}.{variant}.npy").astype(int)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("default")
    run("encode", folder, "default")
    run("decode", folder, "default")
    return folder


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "default"])
def test_files_of_the_default_decode_everywhere(files: Path, variant: str) -> None:
    run("decode", files, variant)
    for name in (*pictures(), BATCH):
        difference = np.abs(decoded(files, name, variant) - decoded(files, name, "default")).max()
        assert difference <= 1, f"{name} differs by {difference} grey levels under {variant}"


@pytest.mark.parametrize("variant", ["no vectors", "sse41", "no mkldnn"])
def test_files_made_elsewhere_decode_here(tmp_path: Path, variant: str) -> None:
    run("encode", tmp_path, variant)
    run("decode", tmp_path, variant)
    run("decode", tmp_path, "default")
    for name in (*pictures(), BATCH):
        assert np.abs(decoded(tmp_path, name, variant) - decoded(tmp_path, name, "default")).max() <= 1, name


def test_there_are_enough_pictures() -> None:
    assert len(pictures()) >= 20


def test_the_switches_change_float_results() -> None:
    program = (
        "import torch; torch.manual_seed(0); torch.set_num_threads(1)\n"
        "x, w = torch.rand(1, 64, 40, 40), torch.rand(64, 64, 3, 3)\n"
        "y = torch.nn.functional.conv2d(x, w).double().sum().item(), torch.exp(x - 3).double().sum().item()\n"
        "print(y)"
    )
    seen = {
        subprocess.run([sys.executable, "-c", program], env=os.environ | v, capture_output=True, text=True).stdout
        for v in VARIANTS.values()
    }
    assert len(seen) > 1
