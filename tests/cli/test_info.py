"""The commands info and test."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from aecodec.codec import Codec
from tests.commands import COLOUR, GREY, cli, compress, save
from tests.conftest import TINY


def test_info_as_json(here: Path, tiny: Codec) -> None:
    save(here / "a.png", np.dstack([COLOUR, GREY]), icc_profile=b"profile")
    compress("a.png", "-q", "42.5")
    (record,) = json.loads(cli("info", "--json", "a.aec").stdout)
    size = (here / "a.aec").stat().st_size
    assert record["sections"].keys() >= {"payload", "alpha", "icc"}
    assert record["sections"]["icc"] == 7
    assert sum(record["sections"].values()) < size
    del record["sections"]
    assert record == {
        "file": "a.aec",
        "format_version": 1,
        "width": 90,
        "height": 60,
        "channels": 3,
        "pictures": None,
        "coding": "latents",
        "quality": 42.5,
        "model": tiny.id.hex(),
        "model_name": "tiny",
        "bytes": size,
        "bpp": round(8 * size / 5400, 4),
        "checksum": "right",
    }


def test_info_of_a_lossless_file(here: Path) -> None:
    save(here / "a.png", np.zeros((20, 30), np.uint8))
    compress("a.png")
    said = cli("info", "a.aec").stdout
    assert "coding: lossless\n" in said
    assert "quality" not in said and "model" not in said
    (record,) = json.loads(cli("info", "--json", "a.aec").stdout)
    assert (record["quality"], record["model"], record["channels"]) == (None, None, 1)


def test_info_goes_on_past_bad_files(here: Path) -> None:
    save(here / "a.png")
    compress("a.png")
    data = bytearray((here / "a.aec").read_bytes())
    data[60] ^= 1
    (here / "damaged.aec").write_bytes(bytes(data))
    result = cli("info", "a.png", "none.aec", "a.aec", "damaged.aec", code=1)
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["a.png", "none.aec"]
    first, second = result.stdout.split("\n\n")
    assert "checksum: right" in first and "checksum: wrong" in second


def test_info_of_weights(tiny: Codec) -> None:
    said = cli("info", TINY).stdout
    assert f"id: {tiny.id.hex()}\n" in said
    for word in ("name: tiny", "parameters: ", "licence: ", "training: data ", "encode "):
        assert word in said
    (record,) = json.loads(cli("info", "--json", TINY).stdout)
    assert record["thousand_multiply_adds_per_pixel"].keys() == {"encode", "decode", "of_which_entropy_model"}


def test_info_of_what_is_no_weights_file(here: Path) -> None:
    (here / "x.safetensors").write_bytes(b"nonsense")
    assert cli("info", "x.safetensors", code=1).stderr == "aecodec: x.safetensors: not an aecodec weights file\n"


def test_test_names_every_file(here: Path) -> None:
    save(here / "a.png")
    compress("a.png")
    data = (here / "a.aec").read_bytes()
    (here / "short.aec").write_bytes(data[:-9])
    (here / "damaged.aec").write_bytes(data[:70] + bytes([data[70] ^ 4]) + data[71:])
    result = cli("test", "short.aec", "a.aec", "damaged.aec", "none.aec", code=1)
    assert result.stdout == "a.aec: ok\n"
    assert [line.split(": ")[:2] for line in result.stderr.splitlines()] == [
        ["aecodec", "short.aec"],
        ["aecodec", "damaged.aec"],
        ["aecodec", "none.aec"],
    ]
    assert cli("test", "a.aec", "-", stdin=data).stdout == "a.aec: ok\n-: ok\n"


def test_folders(here: Path) -> None:
    """Of a folder info and test take what is ours, and pass over the rest."""
    save(here / "a.png", GREY)
    compress("a.png", "-o", "in/deep/a.aec", "--quiet")
    compress("a.png", "-o", "in/b.zip", "--quiet")
    with ZipFile(here / "in" / "other.zip", "w") as file:
        file.writestr("notes.txt", "no pictures")
    (here / "in" / "notes.txt").write_text("none either")
    assert cli("test", "in").stdout == "in/b.zip: ok\nin/deep/a.aec: ok\n"
    records = json.loads(cli("info", "--json", "in").stdout)
    assert [record["file"] for record in records] == ["in/b.zip", "in/deep/a.aec"]
    (here / "empty").mkdir()
    assert "empty: no files of a known kind" in cli("test", "empty", "in", code=1).stderr
    assert "in/other.zip: a ZIP archive without .aec files" in cli("test", "in/other.zip", code=1).stderr


def test_a_model_that_is_not_here(here: Path, tiny: Codec) -> None:
    save(here / "a.png", GREY)
    compress("a.png", "--quiet")
    said = cli("info", "a.aec", environment={"AECODEC_MODELS": ""}).stdout
    assert f"model: {tiny.id.hex()}\nmodel name: not here\n" in said
