"""Commands run in a folder, and the pictures there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data
from click.testing import CliRunner, Result
from PIL import Image

from aecodec.cli.main import main
from tests.conftest import TINY

Pixels = npt.NDArray[np.uint8]

COLOUR = np.ascontiguousarray(skimage.data.chelsea()[40:100, 100:190])
GREY = np.ascontiguousarray(COLOUR[:, :, 0])
ENVIRONMENT = {"AECODEC_MODELS": str(TINY.parent), "OMP_NUM_THREADS": "1"}


def save(path: Path, pixels: Pixels = COLOUR, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def load(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def cli(
    *arguments: object, code: int = 0, stdin: bytes | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> Result:
    """Run a command with the small model; never a traceback, and only results on stdout."""
    result = CliRunner(env=environment).invoke(main, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result


def compress(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    return cli("compress", "--model", "tiny", *arguments, code=code, stdin=stdin)


def answer_without_pytorch(*arguments: object) -> str:
    """What a command prints, in a process of its own, which must not import the large libraries for it."""
    program = (
        "import sys; from aecodec.cli.main import main\n"
        f"try: main({[str(a) for a in arguments]!r})\n"
        "finally: sys.stderr.write(' '.join({'torch', 'constriction'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "aecodec", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, check=False, **options)
