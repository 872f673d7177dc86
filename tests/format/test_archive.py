"""Archives: folders as one ZIP, with the weights of their model inside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest

from aecodec import payoff, weights
from aecodec.codec import Codec
from aecodec.errors import OutputError
from aecodec.evaluation.verdict import Extent
from aecodec.files import new_file
from aecodec.payoff import Payment, SampleSize
from tests.archives import cli, compress, entries, folder, it_pays, write
from tests.commands import COLOUR, GREY, listing, load, save
from tests.conftest import TINY

__all__ = ["folder", "it_pays"]  # fixtures

PHOTO = weights.find("photo-psnr")


# --- there and back ---


def test_a_folder_there_and_back(folder: Path, tiny: Codec) -> None:
    said = compress()
    assert said.stdout == ""
    assert said.stderr.startswith("cells.zip: 2 files: 10,800 pixels, ")
    assert f"-> {(folder / 'cells.zip').stat().st_size:,} bytes (" in said.stderr
    assert entries(folder / "cells.zip") == {"one.aec": tiny.encode(COLOUR), "deep/er/two.aec": tiny.encode(GREY)}
    with ZipFile(folder / "cells.zip") as file:
        assert all(info.compress_type == ZIP_STORED for info in file.infolist())
    cli("decompress", "cells.zip", "-o", "out/", "--model", "mine.safetensors")
    assert listing(folder / "out") == {"one.png", "deep/er/two.png"}
    assert np.array_equal(load(folder / "out" / "one.png"), tiny.decode(tiny.encode(COLOUR)))
    before = (folder / "cells.zip").read_bytes()
    compress("-f", "--quiet")
    assert (folder / "cells.zip").read_bytes() == before


def test_without_output_the_folder_is_named_like_the_archive_but_not_like_the_originals(folder: Path) -> None:
    (folder / "in").rename(folder / "cells")
    before = listing(folder / "cells")
    cli("compress", "cells", "-r", "-o", "cells.zip", "--model", "mine.safetensors", "--quiet")
    said = cli("decompress", "cells.zip", "--format", "webp", "--model", "mine.safetensors").stderr
    assert said.startswith("2 files: 10,800 pixels")
    assert listing(folder / "cells.restored") == {"one.webp", "deep/er/two.webp"}
    assert listing(folder / "cells") == before


def test_single_files_and_arrays_go_into_archives_too(folder: Path) -> None:
    np.save(folder / "many.npy", np.stack([GREY, GREY]))
    cli("compress", "many.npy", "in/one.png", "-o", "x.ZIP", "--model", "mine.safetensors")
    assert list(entries(folder / "x.ZIP")) == ["many.aec", "one.aec"]
    cli("decompress", "x.ZIP", "--model", "mine.safetensors")
    assert listing(folder / "x.restored") == {"many.npy", "one.png"}
    assert np.load(folder / "x.restored" / "many.npy").shape == (2, 60, 90)
    cli("decompress", "x.ZIP", "-o", "y", "--format", "png", "--model", "mine.safetensors")
    assert listing(folder / "y") == {"many/0.png", "many/1.png", "one.png"}
    (record,) = json.loads(cli("info", "--json", "x.ZIP").stdout)
    assert (record["pictures"], record["stacks"], record["pixels"]) == (3, 1, 3 * 5400)


@pytest.mark.usefixtures("it_pays")
def test_an_archive_with_its_model_opens_where_only_the_package_is(folder: Path, tiny: Codec) -> None:
    compress("--embed-model")
    stored = entries(folder / "cells.zip")
    assert stored[f"models/tiny-{tiny.id.hex()}.safetensors"] == TINY.read_bytes()
    (folder / "mine.safetensors").unlink()
    assert cli("test", "cells.zip").stdout == "cells.zip: ok\n"
    cli("decompress", "cells.zip", "-o", "out")
    assert np.array_equal(load(folder / "out" / "deep" / "er" / "two.png"), tiny.decode(tiny.encode(GREY)))


@pytest.mark.usefixtures("it_pays")
def test_archives_of_other_programs(folder: Path) -> None:
    """Deflated, with entries for folders and files that are not ours."""
    compress("--embed-model")
    stored = entries(folder / "cells.zip") | {
        "deep/": b"",
        "notes.txt": b"not a picture",
        "__MACOSX/._one.aec": b"a shadow",
        "./three.aec": entries(folder / "cells.zip")["one.aec"],
    }
    write(folder / "other.zip", stored, ZIP_DEFLATED)
    (folder / "other.zip").rename(folder / "other.cbz")  # what it holds decides
    assert cli("test", "other.cbz").stdout == "other.cbz: ok\n"
    cli("decompress", "other.cbz", "-o", "out")
    assert listing(folder / "out") == {"one.png", "three.png", "deep/er/two.png"}


# --- info ---


@pytest.mark.usefixtures("it_pays")
def test_info(folder: Path, tiny: Codec) -> None:
    save(folder / "in" / "flat.png", np.zeros((20, 30), np.uint8))
    compress("--quiet")
    said = cli("info", "cells.zip").stdout
    assert "pictures: 3\n" in said
    assert "lossless files: 1\n" in said
    assert f"models: tiny {tiny.id.hex()} (2 files, weights not embedded)\n" in said
    assert "opens everywhere: no\n" in said
    compress("--embed-model", "-f")
    said = cli("info", "cells.zip").stdout
    assert f"models: tiny {tiny.id.hex()} (2 files, weights embedded, {TINY.stat().st_size} bytes)\n" in said
    assert "opens everywhere: yes\n" in said
    (record,) = json.loads(cli("info", "--json", "cells.zip").stdout)
    size = (folder / "cells.zip").stat().st_size
    assert (record["bytes"], record["bpp"]) == (size, round(8 * size / 11400, 4))
    assert record["models"] == [
        {
            "id": tiny.id.hex(),
            "files": 2,
            "name": "tiny",
            "embedded_bytes": TINY.stat().st_size,
            "packaged": False,
        }
    ]
    assert record["entries"][1] == {
        "file": "flat.aec",
        "width": 30,
        "height": 20,
        "pictures": None,
        "model": None,
        "bytes": len(entries(folder / "cells.zip")["flat.aec"]),
    }


def test_info_needs_no_pytorch(folder: Path) -> None:
    compress()
    program = (
        "import sys; from aecodec.cli.main import main\n"
        "try: main(['info', 'cells.zip'])\n"
        "finally: sys.stderr.write(' '.join({'torch', 'constriction'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert "pictures: 2" in result.stdout


# --- does it pay? ---


def test_weights_that_do_not_pay_are_left_out(folder: Path) -> None:
    said = compress("--embed-model", "--quiet").stderr
    assert said.startswith("the weights (0.11 MB) do not pay for 2 pictures: they would save ")
    assert "; compressed with the photo model instead, at quality " in said
    assert said.count("\n") == 1
    (record,) = json.loads(cli("info", "--json", "cells.zip").stdout)
    assert record["opens_everywhere"]
    assert [(m["packaged"], m["embedded_bytes"]) for m in record["models"]] == [(True, None)]
    cli("compress", "in", "-r", "-o", "mine", "--model", "mine.safetensors")
    cli("decompress", "mine", "-r", "-o", "a", "--model", "mine.safetensors")
    cli("decompress", "cells.zip", "-o", "b")
    own, other = (np.mean([psnr(folder / name, path) for path in ("one.png", "deep/er/two.png")]) for name in "ab")
    assert abs(own - other) < 0.5


def psnr(folder: Path, name: str) -> float:
    error = load(folder / name).astype(float) - load(folder.parent / "in" / name)
    return float(-10 * np.log10(np.mean(error**2) / 255**2))


def test_weights_that_pay_are_embedded(folder: Path, monkeypatch: pytest.MonkeyPatch, photo_psnr: Codec) -> None:
    """The package has the small model, the large one is the user's, and there are many pictures."""
    (folder / "package").mkdir()
    shutil.copy(TINY, folder / "package" / "photo.safetensors")
    shutil.copy(PHOTO, folder / "mine.safetensors")
    monkeypatch.setattr(weights, "_own_folder", lambda: [folder / "package"])
    monkeypatch.setattr(payoff, "_extent", lambda _: Extent(100_000, 540_000_000))
    said = compress("--embed-model", "-q", 30).stderr.splitlines()
    assert said[0].startswith(f"the weights ({PHOTO.stat().st_size / 1e6:.2f} MB) go into the archive: ")
    assert f"models/photo-psnr-{photo_psnr.id.hex()}.safetensors" in entries(folder / "cells.zip")
    cli("decompress", "cells.zip", "-o", "out")


def test_a_payment() -> None:
    found = Payment(1000, Extent(20, 4000), 400, SampleSize(60, 300, 40.0), SampleSize(55, 350, 39.99))
    assert (found.saved, found.pays) == (500, False)
    assert str(found) == (
        "the weights (1.00 kB) do not pay for 20 pictures: they would save 0.50 kB; compressed with the photo model "
        "instead, at quality 55 for the same 40.0 dB"
    )
    many = replace(found, whole=Extent(2000, 400_000))
    assert many.pays
    assert str(many) == "the weights (1.00 kB) go into the archive: they save 50.00 kB of 2,000 pictures"
    better = replace(found, own=SampleSize(95, 300, 45.0))
    assert better.pays
    assert "the photo model does not reach the 45.0 dB" in str(better)
    assert "would save nothing;" in str(replace(found, other=SampleSize(60, 300, 40.0)))


def test_samples_are_of_few_pixels(folder: Path) -> None:
    large = np.tile(COLOUR, (30, 20, 1))
    save(folder / "large.png", large)
    np.save(folder / "many.npy", np.stack([GREY] * 40))
    assert payoff._sample(folder / "large.png", 90_000, 3, large.size).pixels.shape == (300, 300, 3)
    assert payoff._sample(folder / "many.npy", 54_000, 3, large.size).pixels.shape == (180, 270)


def test_the_package_model_is_not_embedded(folder: Path) -> None:
    said = cli("compress", "in", "-r", "-o", "cells.zip", "--embed-model").stderr
    assert said.startswith("the photo model comes with aecodec; its weights are left out of the archive\n")
    assert set(entries(folder / "cells.zip")) == {"one.aec", "deep/er/two.aec"}


@pytest.mark.parametrize(
    "options",
    [
        ["--embed-model"],
        ["--embed-model", "-o", "out"],
        ["--embed-model", "-o", "out.zip/"],
        ["--embed-model", "-o", "x.zip", "--bpp", "1"],
        ["--embed-model", "-o", "x.zip", "--target-size", "900"],
    ],
)
def test_wrong_usage(folder: Path, options: list[str]) -> None:
    assert "--embed-model goes with an archive" in cli("compress", "in", "-r", *options, code=2).stderr
    assert listing(folder) == {"in/one.png", "in/deep/er/two.png", "mine.safetensors"}


def test_archives_do_not_mix_with_streams_or_other_sources(folder: Path) -> None:
    compress("--quiet")
    assert "'-' does not go into an archive" in cli("compress", "-", "-o", "y.zip", code=2).stderr
    assert "by itself" in cli("decompress", "cells.zip", "in", "-r", "-o", "out", code=2).stderr
    assert "not to stdout" in cli("decompress", "cells.zip", "-o", "-", code=2).stderr
    assert "one.png: not a folder" in cli("decompress", "cells.zip", "-o", "in/one.png", code=1).stderr


# --- nothing is lost ---


def test_bad_pictures_are_passed_over(folder: Path) -> None:
    (folder / "in" / "bad.png").write_bytes((folder / "in" / "one.png").read_bytes()[:900])
    lines = compress("--embed-model", code=1).stderr.splitlines()
    assert lines[0].startswith("the weights ")
    assert lines[1].startswith("aecodec: in/bad.png: damaged or incomplete picture")
    assert lines[2].startswith("cells.zip: 2 files: 10,800 pixels, ")
    assert lines[3] == "aecodec: 1 of 3 files failed"
    assert set(entries(folder / "cells.zip")) == {"one.aec", "deep/er/two.aec"}


def test_no_archive_where_nothing_can_be_compressed(folder: Path) -> None:
    for path in (folder / "in").rglob("*.png"):
        path.write_bytes(b"nonsense")
    assert "2 of 2 files failed" in compress("--embed-model", code=1).stderr
    assert not (folder / "cells.zip").exists()
    assert len(listing(folder)) == 3


def test_existing_archives_are_kept_without_force(folder: Path) -> None:
    (folder / "cells.zip").write_bytes(b"dear")
    assert compress(code=1).stderr == "aecodec: cells.zip: exists already; choose another name with -o\n"
    assert (folder / "cells.zip").read_bytes() == b"dear"
    said = cli("compress", "cells.zip", "in", "-r", "-f", "-o", "cells.zip", code=1).stderr
    assert said == "aecodec: cells.zip: would overwrite a source; choose another with -o\n"
    compress("-f")
    cli("decompress", "cells.zip", "-o", "out", "--model", "mine.safetensors")
    again = cli("decompress", "cells.zip", "-o", "out", "--model", "mine.safetensors", code=1).stderr
    assert again == "aecodec: 2 of 2 files there already; --skip-existing is for that\n"


def test_entries_of_one_stem_keep_their_suffix(folder: Path) -> None:
    save(folder / "in" / "one.jpg")
    compress()
    assert set(entries(folder / "cells.zip")) == {"one.jpg.aec", "one.png.aec", "deep/er/two.aec"}


def test_an_existing_folder_is_a_folder_whatever_its_name(folder: Path) -> None:
    (folder / "cells.zip").mkdir()
    compress()
    assert listing(folder / "cells.zip") == {"one.aec", "deep/er/two.aec"}


@pytest.mark.parametrize(("error", "code"), [(OSError(28, "No space left on device"), 1), (KeyboardInterrupt(), 130)])
def test_a_failure_while_writing_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    before = listing(folder)
    monkeypatch.setattr(os, "fsync", fail)
    said = compress(code=code).stderr
    assert said.splitlines()[-1] in (
        "aecodec: cells.zip: cannot write (No space left on device)",
        "aecodec: interrupted",
    )
    assert listing(folder) == before


def test_a_full_disk_amid_the_archive_stops_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = listing(folder)
    monkeypatch.setattr(ZipFile, "writestr", fail)
    assert compress(code=1).stderr == "aecodec: cells.zip: cannot write (No space left on device)\n"
    assert listing(folder) == before


def test_new_files(here: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_file(here / "x", overwrite=False) as file:
        file.write(b"part")
        raise ZeroDivisionError
    assert listing(here) == set()
    with pytest.raises(OutputError, match="x: exists already"), new_file(here / "x", overwrite=False):
        (here / "x").write_bytes(b"dear")
    assert listing(here) == {"x"}
