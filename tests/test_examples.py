"""The examples in docstrings and in the README run."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import aecodec

ROOT = Path(__file__).parent.parent
BLOCKS = [
    block
    for page in ("README.md", "docs/usage.md")
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.M)
]


def modules_with_examples() -> list[str]:
    paths = [path for path in (ROOT / "aecodec").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed


def test_there_are_examples() -> None:
    assert any("aecodec.encode(" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_of_the_documents(block: str, here: Path, picture: npt.NDArray[np.uint8]) -> None:
    array = picture[:48, :64]
    Image.fromarray(array).save(here / "photo.png")
    (here / "photo.aec").write_bytes(aecodec.encode(array))
    pictures = np.stack([array[:32, i : i + 32] for i in range(20)])
    exec(compile(block, "example", "exec"), {"aecodec": aecodec, "array": array, "pictures": pictures})
