"""Names and words from strangers' files: messages stay one line, without anything that moves a cursor."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors

from aecodec.cli.text import printable, table
from aecodec.codec import Codec
from tests.commands import GREY, cli, compress, save
from tests.conftest import TINY

HOSTILE = "a\x1b[2J\naecodec: all is well\r\u202e\u2028\x9b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字 😀", "plain é 漢字 😀"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m\x9b\x7f", "\\x1b[31m\\x9b\\x7f"),
        ("\u202egnp.aec", "\\u202egnp.aec"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_cannot_be_shown_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert table([["x", text]]) == f"x  {shown}"


def clean(text: str) -> bool:
    return all(line.isprintable() for line in text.splitlines()) and "\r" not in text and "\u2028" not in text


def test_names_of_files(here: Path) -> None:
    name = f"{HOSTILE}.png"
    save(here / "fine.png", GREY).rename(here / name)
    (here / f"{HOSTILE}.txt.png").write_bytes(b"nonsense")
    said = compress(name, f"{HOSTILE}.txt.png", code=1).stderr
    assert clean(said) and said.count("\n") == 3
    for command in ("info", "test"):
        result = cli(command, f"{HOSTILE}.aec")
        assert clean(result.output)
    assert cli("test", name, code=1).stderr.count("\n") == 1


def test_names_of_entries(here: Path, tiny: Codec) -> None:
    with ZipFile(here / "x.zip", "w") as file:
        file.writestr(f"{HOSTILE}1.aec", b"nonsense")
        file.writestr(f"{HOSTILE}2.aec", tiny.encode(GREY))
    for command in ("test", "decompress"):
        assert clean(cli(command, "x.zip", code=1).output)
    assert clean(cli("info", "x.zip", code=1).output)


def test_words_on_cards(here: Path) -> None:
    with safe_open(TINY, "numpy") as file:
        card = json.loads(file.metadata()["aecodec"])
    for at, change in enumerate(({"name": HOSTILE}, {HOSTILE: 1}, {"licence": HOSTILE}, {"architecture": HOSTILE})):
        (here / f"{at}.safetensors").write_bytes(save_tensors(load_file(TINY), {"aecodec": json.dumps(card | change)}))
        for command in ("info", "models"):
            said = cli(command, f"{at}.safetensors", code=1).stderr
            assert clean(said) and said.count("\n") == 1
    assert clean(cli("models", ".", code=1).output)
