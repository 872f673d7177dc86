"""What the commands refuse: pictures beyond the limit, models that are not there, wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from aecodec.format.container import Coding, Contents, Header, pack
from tests.commands import ENVIRONMENT, cli, compress, listing, save
from tests.conftest import TINY


def test_the_limit_of_pixels(here: Path) -> None:
    save(here / "a.png")
    assert compress("a.png", "--max-pixels", 5000, code=1).stderr.startswith("aecodec: a.png: a picture of 90 x 60")
    compress("a.png")
    for command in ("decompress", "test"):
        options = ["-f"] if command == "decompress" else []
        assert "a.aec: a picture of 90 x 60" in cli(command, "a.aec", "--max-pixels", 5000, *options, code=1).stderr
    bomb = pack(Contents(Header(10**9, 10**9, 3, Coding.LATENTS, 6000, bytes(16), 0), b"x"))
    (here / "bomb.aec").write_bytes(bomb)
    assert "bomb.aec: a picture of 1000000000 x 1000000000" in cli("test", "bomb.aec", code=1).stderr


def test_models_that_are_not_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "a.png")
    assert "no model named 'nothing'" in cli("compress", "a.png", "--model", "nothing", code=1).stderr
    assert "no such weights file" in cli("compress", "a.png", "--model", "no.safetensors", code=1).stderr
    compress("a.png")
    monkeypatch.setitem(ENVIRONMENT, "AECODEC_MODELS", "")
    said = cli("decompress", "a.aec", "-f", code=1).stderr
    assert said.startswith("aecodec: a.aec: the file needs the model ")
    cli("decompress", "a.aec", "-f", "--model", TINY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress"],
        ["compress", "a.png", "-q", "50", "--bpp", "1"],
        ["compress", "a.png", "--bpp", "1", "--target-size", "900"],
        ["compress", "a.png", "-q", "0"],
        ["compress", "a.png", "-q", "101"],
        ["compress", "a.png", "--bpp", "0"],
        ["compress", "a.png", "-", "-o", "out"],
        ["decompress", "a.aec", "b.aec", "-o", "-"],
        ["train", ".", "-o", "x.safetensors", "--steps", "3", "--minutes", "3"],
        ["train", ".", "-o", "x.safetensors", "--code-size", "101"],
        ["nothing"],
    ],
)
def test_wrong_usage_is_2(here: Path, arguments: list[str]) -> None:
    save(here / "a.png")
    assert "Usage: " in cli(*arguments, code=2).stderr
    assert listing(here) == {"a.png"}
