"""What is made of a file is no more public than it, and as old."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from tests.commands import GREY, cli, compress, save

OLD = 1_500_000_000  # seconds; even, as times in ZIP files are


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def private(path: Path, bits: int = 0o600) -> Path:
    save(path, GREY)
    path.chmod(bits)
    os.utime(path, (OLD, OLD))
    return path


@pytest.mark.parametrize(("source", "made"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o400, 0o400)])
def test_a_file_has_the_permissions_of_its_source_or_less(here: Path, source: int, made: int) -> None:
    private(here / "a.png", source)
    compress("a.png")
    cli("decompress", "a.aec")
    assert [mode(here / name) for name in ("a.aec", "a.restored.png")] == [made, made]


def test_a_replaced_file_does_not_become_more_public(here: Path) -> None:
    private(here / "a.png", 0o644)
    compress("a.png")
    (here / "a.aec").chmod(0o600)
    compress("a.png", "-f")
    assert mode(here / "a.aec") == 0o600


def test_folders_are_no_more_open_than_those_of_the_sources(here: Path) -> None:
    private(here / "in" / "deep" / "a.png", 0o644)
    (here / "in" / "deep").chmod(0o700)
    compress("in", "-r", "-o", "out")
    assert mode(here / "out" / "deep") == 0o700


def test_an_archive_is_as_private_as_its_most_private_picture(here: Path) -> None:
    private(here / "in" / "a.png", 0o644)
    private(here / "in" / "deep" / "b.png", 0o600)
    compress("in", "-r", "-o", "a.zip")
    assert mode(here / "a.zip") == 0o600
    with ZipFile(here / "a.zip") as file:
        assert [info.external_attr >> 16 & 0o777 for info in file.infolist()] == [0o644, 0o600]
    cli("decompress", "a.zip", "-o", "out")
    assert [mode(here / "out" / name) for name in ("a.png", "deep", "deep/b.png")] == [0o600, 0o700, 0o600]


def test_a_stack_and_the_folder_of_its_pictures(here: Path) -> None:
    np.save(here / "many.npy", np.stack([GREY, GREY]))
    (here / "many.npy").chmod(0o640)
    compress("many.npy")
    cli("decompress", "many.aec", "--format", "png", "-o", "out/")
    assert [mode(here / name) for name in ("many.aec", "out/many", "out/many/0.png")] == [0o640, 0o750, 0o640]


def test_times_are_kept(here: Path) -> None:
    private(here / "in" / "a.png")
    compress("in", "-r", "-o", "out")
    compress("in", "-r", "-o", "a.zip")
    with ZipFile(here / "a.zip") as file:
        assert file.infolist()[0].date_time[0] == 2017
    cli("decompress", "out", "-r", "-o", "back")
    cli("decompress", "a.zip", "-o", "unzipped")
    for name in ("out/a.aec", "back/a.png", "unzipped/a.png"):
        assert (here / name).stat().st_mtime == OLD


def test_times_that_zip_files_cannot_hold(here: Path) -> None:
    source = private(here / "in" / "a.png")
    for time in (0, 10**11):
        os.utime(source, (time, time))
        compress("in", "-r", "-f", "-o", "a.zip")
        cli("decompress", "a.zip", "-f", "-o", "out")
