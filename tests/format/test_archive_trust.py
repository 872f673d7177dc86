"""Archives that cannot be trusted: unsafe names, tables that lie, bombs, damage."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from click.testing import CliRunner

from aecodec.cli.main import main
from aecodec.codec import Codec, load_codec
from aecodec.errors import FormatError
from aecodec.format.archive import check_name
from aecodec.format.container import MODEL_ID_BYTES, pack, parse
from aecodec.weights import identify, load_weights, save_weights
from tests.archives import ENVIRONMENT, cli, compress, entries, folder, it_pays, write
from tests.commands import GREY, listing
from tests.conftest import TINY

__all__ = ["folder", "it_pays"]  # fixtures


@pytest.mark.parametrize(
    "name", ["../x.aec", "/x.aec", "a/../../x.aec", "..\\x.aec", "C:\\x.aec", "C:x.aec", "\\\\host\\x.aec", "\\x.aec"]
)
def test_entries_outside_of_the_folder_are_refused(folder: Path, tiny: Codec, name: str) -> None:
    data = tiny.encode(GREY)
    write(folder / "slip.zip", {"fine.aec": data, name: data})
    before = listing(folder)
    for command in ("info", "test", "decompress"):
        said = cli(command, "slip.zip", code=1).stderr
        assert said.startswith("aecodec: slip.zip: the entry ") and "has no safe place below a folder" in said
    assert listing(folder) == before


def test_names_that_are_not_text_are_refused_when_written(folder: Path) -> None:
    with pytest.raises(FormatError, match="not text"):
        check_name("\udcff.aec")
    with pytest.raises(FormatError, match="no safe place"):
        check_name("a\0.aec")


def patched(data: bytes, edit: Callable[[bytearray, int, int], None]) -> bytes:
    """An archive of one entry with its local header (the first number) and its central one changed."""
    changed = bytearray(data)
    edit(changed, data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02"))
    return bytes(changed)


def encrypted(data: bytearray, local: int, central: int) -> None:
    data[local + 6] |= 1
    data[central + 8] |= 1


def two_sizes(data: bytearray, local: int, central: int) -> None:
    data[central + 24 : central + 28] = struct.pack("<I", 10**9)


def overlapping(data: bytearray, local: int, central: int) -> None:
    data[central + 20 : central + 28] = struct.pack("<II", 10**6, 10**6)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (encrypted, "one.aec: encrypted"),
        (two_sizes, "one.aec: stored, but of two sizes"),
        (overlapping, "the entries claim more bytes than the archive has"),
    ],
)
def test_tables_of_contents_that_lie(
    folder: Path, tiny: Codec, edit: Callable[[bytearray, int, int], None], said: str
) -> None:
    write(folder / "x.zip", {"one.aec": tiny.encode(GREY)})
    (folder / "x.zip").write_bytes(patched((folder / "x.zip").read_bytes(), edit))
    for command in ("info", "test", "decompress"):
        assert cli(command, "x.zip", code=1).stderr.startswith(f"aecodec: x.zip: {said}")
    assert not (folder / "x.restored").exists()


def test_bombs(folder: Path, tiny: Codec) -> None:
    write(folder / "x.zip", {"one.aec": bytes(70_000_000)}, ZIP_DEFLATED)
    assert "that claim to become 70000000" in cli("decompress", "x.zip", code=1).stderr
    write(folder / "x.zip", {"one.aec": tiny.encode(GREY)}, ZIP_BZIP2)
    assert "compressed with method 12" in cli("decompress", "x.zip", code=1).stderr
    write(folder / "y.zip", {"one.aec": tiny.encode(GREY)})
    said = cli("decompress", "y.zip", "--max-pixels", 5000, "--model", "mine.safetensors", code=1).stderr
    assert said.startswith("aecodec: y.zip/one.aec: a picture of 90 x 60")
    assert "y.zip/one.aec: a picture of 90 x 60" in cli("test", "y.zip", "--max-pixels", 5000, code=1).stderr


def test_files_that_are_no_archives(folder: Path) -> None:
    compress()
    data = (folder / "cells.zip").read_bytes()
    write(folder / "none.zip", {"notes.txt": b"no pictures"})
    (folder / "a.zip").write_bytes(b"nonsense")
    (folder / "b.zip").write_bytes(b"")
    (folder / "c.zip").write_bytes(data[:-40])
    twice = io.BytesIO()
    with ZipFile(twice, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("x.aec", b"")
        file.writestr("x.aec", b"")
    (folder / "d.zip").write_bytes(twice.getvalue())
    for name, said in (
        ("none", "a ZIP archive without .aec files"),
        ("a", "not a ZIP archive"),
        ("b", "the file is empty"),
        ("c", "the archive is truncated: its table of contents, at the end, is missing"),
        ("d", "two entries are called 'x.aec'"),
    ):
        for command in ("info", "test", "decompress"):
            assert cli(command, f"{name}.zip", code=1).stderr == f"aecodec: {name}.zip: {said}\n"
        assert not (folder / f"{name}.restored").exists()
    assert "missing.zip: cannot read" in cli("decompress", "missing.zip", code=1).stderr


@pytest.mark.usefixtures("it_pays")
def test_damage_costs_one_picture(folder: Path) -> None:
    compress("--embed-model")
    data = bytearray((folder / "cells.zip").read_bytes())
    data[data.index(b"one.aec") + 100] ^= 1
    (folder / "cells.zip").write_bytes(data)
    result = cli("test", "cells.zip", code=1)
    assert result.stderr.startswith("aecodec: cells.zip/one.aec: damaged in the archive (Bad CRC-32")
    assert result.stderr.count("\n") == 1 and result.stdout == ""
    assert "1 of 2 files failed" in cli("decompress", "cells.zip", "-o", "out", code=1).stderr
    assert listing(folder / "out") == {"deep/er/two.png"}


@pytest.mark.usefixtures("it_pays")
def test_weights_that_were_tampered_with(folder: Path, tiny: Codec) -> None:
    compress("--embed-model")
    stored = entries(folder / "cells.zip")
    name = f"models/tiny-{tiny.id.hex()}.safetensors"
    changed = bytearray(stored[name])
    changed[-1] ^= 1
    for at, data, said in (
        (name, bytes(changed), f"{name}: changed since it was made: the id of these weights is "),
        ("models/x.safetensors", stored[name], "models/x.safetensors: weights in an archive are named models/NAME-ID"),
    ):
        write(folder / "x.zip", stored | {at: data})
        for command in ("test", "decompress"):
            line = cli(command, "x.zip", code=1).stderr
            assert line.startswith("aecodec: x.zip") and said in line and line.count("\n") == 1
        assert not (folder / "x.restored").exists()


def test_an_archive_of_what_is_no_model(folder: Path, tiny: Codec) -> None:
    data = b"nonsense"
    picture = parse(tiny.encode(GREY))
    coded = pack(replace(picture, header=replace(picture.header, model_id=identify(data))))
    write(folder / "x.zip", {"a.aec": coded, f"models/x-{identify(data).hex()}.safetensors": data})
    for command in ("test", "decompress"):
        said = cli(command, "x.zip", code=1).stderr
        assert said.startswith("aecodec: x.zip/models/x-") and said.endswith(": not an aecodec weights file\n")


@pytest.mark.usefixtures("it_pays")
def test_weights_that_no_picture_needs_are_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compress("--embed-model")
    unneeded = {f"models/x-{'0' * 2 * MODEL_ID_BYTES}.safetensors": b"not even weights"}
    write(folder / "x.zip", entries(folder / "cells.zip") | unneeded)
    assert cli("test", "x.zip").stdout == "x.zip: ok\n"
    monkeypatch.setattr("aecodec.format.archive.MAX_WEIGHTS_BYTES", 1000)
    assert cli("test", "x.zip", code=1).stderr.startswith("aecodec: x.zip: models/tiny-")


@pytest.mark.usefixtures("it_pays")
def test_unpacked_weights_are_bounded_in_sum(folder: Path, tiny: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = load_weights(TINY)
    other = folder / "other.safetensors"
    save_weights(other, replace(weights.card, name="other"), weights.arrays)
    stored = {"a.aec": tiny.encode(GREY), "b.aec": load_codec(other).encode(GREY)}
    stored |= {f"models/m-{identify(path.read_bytes()).hex()}.safetensors": path.read_bytes() for path in (TINY, other)}
    write(folder / "x.zip", stored, ZIP_DEFLATED)
    assert cli("test", "x.zip").stdout == "x.zip: ok\n"
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    monkeypatch.setattr("aecodec.format.archive.MAX_WEIGHTS_BYTES", TINY.stat().st_size + 1000)
    said = cli("test", "x.zip", code=1).stderr
    assert said.startswith("aecodec: x.zip: weights of ") and said.count("\n") == 1
    assert not [*(folder / "temporary").iterdir()]


def test_names_too_long_for_any_folder(folder: Path, tiny: Codec) -> None:
    write(folder / "x.zip", {"d/" * 30_000 + "x.aec": tiny.encode(GREY)})
    said = cli("decompress", "x.zip", code=1).stderr
    assert "has a name of 60005 bytes; 1024 are the limit" in said and len(said) < 300
    assert not (folder / "x.restored").exists()


@pytest.mark.usefixtures("it_pays")
def test_no_damage_leads_to_a_traceback(folder: Path) -> None:
    compress("--embed-model")
    data = (folder / "cells.zip").read_bytes()
    table = data.index(b"PK\x01\x02")
    rng = np.random.default_rng(5)
    for at in [*range(table, len(data), 3), *rng.integers(0, table, 40)]:
        changed = bytearray(data)
        changed[at] ^= int(rng.integers(1, 256))
        (folder / "x.zip").write_bytes(changed)
        result = CliRunner(env=ENVIRONMENT).invoke(main, ["info", "x.zip"])
        assert result.exception is None or isinstance(result.exception, SystemExit), (at, result.exception)
    for size in range(0, len(data), len(data) // 50):
        (folder / "x.zip").write_bytes(data[:size])
        cli("info", "x.zip", code=1)
