"""Which pictures the uses look at, and what they say of those that they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aecodec.codec import Codec
from aecodec.errors import AecError, ImageError, PassedOverWarning
from aecodec.stack import encode_stack
from aecodec.uses.pictures import find, read
from tests.commands import COLOUR, cli, save
from tests.conftest import TINY


@pytest.fixture
def mixed(here: Path, tiny: Codec) -> Path:
    """A folder of pictures of every kind, of links, and of other things."""
    folder = here / "mixed"
    save(folder / "a.png")
    (folder / "b.aec").write_bytes(tiny.encode(COLOUR, 60))
    (folder / "c.aec").write_bytes(encode_stack(np.stack([COLOUR, COLOUR]), 60, tiny))
    np.save(folder / "d.npy", np.stack([COLOUR, COLOUR]))
    save(here / "elsewhere" / "e.png")
    (folder / "linked").symlink_to(here / "elsewhere")
    (folder / "same.png").symlink_to("a.png")
    (folder / "._a.png").write_bytes(b"shadow")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_links_are_followed_and_what_is_passed_over_is_said(mixed: Path) -> None:
    with pytest.warns(PassedOverWarning, match="passed over 3 files: ") as said:
        found = find(mixed)
    assert [path.relative_to(mixed).as_posix() for path in found] == [
        "a.png",
        "b.aec",
        "c.aec",
        "d.npy",
        "linked/e.png",
    ]
    assert all(word in str(said[0].message) for word in (".txt", "shadow of macOS", "link to what is taken already"))
    names = [each.name for each in read(found, mixed, [TINY])]
    assert names == ["a.png", "b.aec", "c.aec#0", "c.aec#1", "d.npy#0", "d.npy#1", "linked/e.png"]


def test_commands_say_it_in_a_line(mixed: Path) -> None:
    (mixed / "b.aec").unlink()
    (mixed / "c.aec").unlink()
    said = cli("duplicates", mixed, "-o", "found.csv", "--model", "tiny").stderr
    assert said.splitlines()[0].startswith("aecodec: passed over 3 files: ")
    assert cli("duplicates", mixed, "-o", "found.csv", "-f", "--model", "tiny", "--quiet").stderr == ""


def test_errors_name_the_file_once(mixed: Path) -> None:
    for name in ("a.png", "b.aec", "c.aec", "d.npy"):
        path = mixed / name
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(AecError) as caught:
            list(read([path], mixed, [TINY]))
        assert str(caught.value).count(str(path)) == 1
    with pytest.raises(ImageError, match="no such file"):
        find(mixed / "nowhere")
