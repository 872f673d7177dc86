"""The kernels for NEON, cross-compiled and emulated, against the portable ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import aecodec.engine

NATIVE = Path(aecodec.engine.__file__).with_name("native")
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"


@pytest.mark.skipif(not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason=f"needs {COMPILER} and {EMULATOR}")
@pytest.mark.skipif(not NATIVE.is_dir(), reason="needs the sources")
def test_neon(tmp_path: Path) -> None:
    program = tmp_path / "compare"
    sources = [path for path in NATIVE.glob("*.c") if path.name != "module.c"]
    options = ["-std=c11", "-O2", "-fopenmp-simd", "-Wall", "-Wextra", "-Werror", "-static", f"-I{NATIVE}"]
    main = Path(__file__).with_name("compare.c")
    subprocess.run([COMPILER, *options, *sources, main, "-o", program], check=True)
    done = subprocess.run([EMULATOR, program], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["neon compared", "portable compared"]
    assert done.returncode == 0
