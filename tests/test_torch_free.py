"""Files are made and opened without PyTorch; what needs it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
"""

USES = {
    "codec": """
import numpy as np, aecodec
picture = np.random.default_rng(0).integers(100, 132, (70, 90, 3), np.uint8)
assert aecodec.decode(aecodec.encode(picture, 60)).shape == picture.shape
assert aecodec.decode_stack(aecodec.encode_stack(np.stack([picture] * 3), 60)).shape == (3, 70, 90, 3)
""",
    "pillow": """
from io import BytesIO
from PIL import Image
import aecodec.pillow
file = BytesIO()
Image.new("RGB", (40, 50), "red").save(file, "AEC", quality=50)
file.seek(0)
Image.open(file).load()
""",
    "commands": """
import numpy as np
from PIL import Image
from click.testing import CliRunner
from aecodec.cli.main import main
Image.fromarray(np.random.default_rng(0).integers(100, 132, (70, 90, 3), np.uint8)).save("a.png")
def run(*arguments):
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert not done.exit_code, done.output
run("compress", "a.png", "-o", "a.aec")
run("compress", "a.png", "-o", "a.zip")
run("info", "a.aec", "a.zip")
run("test", "a.aec", "a.zip")
run("models")
run("decompress", "a.aec", "-o", "b.png")
""",
}


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", BLOCKED + code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("name", USES)
def test_coding_needs_no_pytorch(tmp_path: Path, name: str) -> None:
    done = run(USES[name], tmp_path)
    assert not done.returncode, done.stderr


def test_effort_and_training_name_the_extra(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    train = """
from aecodec.cli.main import main
main(["train", "pictures", "-o", "a.safetensors"])
"""
    done = run(train, tmp_path)
    assert done.returncode == 1
    assert done.stderr == "aecodec: training needs torch: pip install 'aecodec[train]'\n"
    effort = """
import numpy as np, aecodec
aecodec.encode(np.zeros((40, 40, 3), np.uint8), model="photo-psnr", effort=1)
"""
    assert "MissingExtra: effort above 0 needs torch: pip install 'aecodec[train]'" in run(effort, tmp_path).stderr
