"""``compress`` and ``decompress`` with addresses and shards, and on a Ray cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("pyarrow")

from tests.cluster.test_bulk import PICTURES, results
from tests.commands import cli, compress
from tests.conftest import TINY


@pytest.fixture
def folder(here: Path) -> Path:
    for name, pixels in PICTURES.items():
        path = here / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return here / "in"


def test_addresses_give_what_paths_give(folder: Path) -> None:
    compress("in", "-o", "plain", "-r")
    done = compress(f"file://{folder}", "-o", "out", "-r")
    assert "4 files" in done.stderr
    assert results("out") == results("plain")
    for name in results("plain"):
        assert Path("out", name).read_bytes() == Path("plain", name).read_bytes()
    cli("decompress", "out", "-o", f"file://{folder.parent}/back", "-r", "--model", TINY)
    assert results("back") == set(PICTURES)


def test_failures_are_named_and_counted(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    done = compress("in", "-o", "out", "-r", "--shards", "tar", code=1)
    assert f"{folder}/bad.png: not a picture" in done.stderr and "1 of 5 files failed" in done.stderr


def test_wrong_usage(folder: Path) -> None:
    assert "-o names a folder" in compress("in", "-r", "--shards", "tar", code=2).stderr
    assert "not go with" in cli("decompress", "in", "-o", "out", "--shards", "tar", "--picture", 1, code=2).stderr
    assert "Protocol not known" in compress("in", "-o", "nowhere://x", "-r", code=1).stderr


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_on_a_cluster_as_on_one_machine(folder: Path) -> None:
    pytest.importorskip("ray")
    (folder / "bad.png").write_bytes(b"no picture")
    compress("in", "-o", "plain", "-r", code=1)
    done = compress("in", "-o", "out", "-r", "--cluster", "local", code=1)
    assert "4 files" in done.stderr and "bad.png: not a picture" in done.stderr
    for name in results("plain") | results("out"):
        assert Path("out", name).read_bytes() == Path("plain", name).read_bytes()
