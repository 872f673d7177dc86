"""Many files and folders: what becomes of each, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from aecodec.codec import Codec, load_codec
from aecodec.errors import ImageError, OutputError
from aecodec.files import Task, plan
from tests.commands import GREY, cli, compress, listing, save
from tests.conftest import TINY


def test_a_folder_is_mirrored_and_bad_files_are_passed_over(here: Path) -> None:
    save(here / "in" / "one.png")
    save(here / "in" / "deep" / "er" / "two.JPG")
    (here / "in" / "bad.png").write_bytes((here / "in" / "one.png").read_bytes()[:900])
    (here / "in" / "notes.txt").write_text("no picture")
    said = compress("in", "-r", "-o", "out", code=1)
    lines = said.stderr.splitlines()
    assert lines[0].startswith("aecodec: in/bad.png: damaged or incomplete picture")
    assert lines[1].startswith("2 files: 10800 pixels, ")
    assert lines[2] == "aecodec: 1 of 3 files failed"
    assert said.stdout == ""
    assert listing(here / "out") == {"one.aec", "deep/er/two.aec"}
    assert "exists already" in compress("in", "-r", "-o", "out", code=1).stderr
    cli("decompress", "out", "-r", "-o", "back", "--quiet")
    assert listing(here / "back") == {"one.png", "deep/er/two.png"}


def test_the_summary_counts_bytes(here: Path) -> None:
    save(here / "a.png")
    save(here / "b.png", GREY)
    before = sum((here / name).stat().st_size for name in ("a.png", "b.png"))
    said = compress("a.png", "b.png").stderr
    after = sum((here / name).stat().st_size for name in ("a.aec", "b.aec"))
    assert said.startswith(f"2 files: 10800 pixels, {before} -> {after} bytes, {8 * after / 10800:.3f} bpp, ")
    assert compress("-f", "a.png", "b.png", "--quiet").output == ""


def test_a_model_is_loaded_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        save(here / f"{name}.png", GREY)
    loaded = []

    def counted(model: str) -> Codec:
        loaded.append(model)
        return load_codec(TINY)

    monkeypatch.setattr("aecodec.codec.load_codec", counted)
    compress("a.png", "b.png", "c.png")
    assert loaded == ["tiny"]


def test_a_folder_needs_recursive(here: Path) -> None:
    (here / "in").mkdir()
    assert compress("in", code=1).stderr == "aecodec: in: a folder; -r takes the files below it\n"
    assert "in: no files of a known kind" in compress("in", "-r", code=1).stderr


@pytest.mark.parametrize(
    ("sources", "output", "into_folder", "targets"),
    [
        (["a.png"], None, False, ["a.aec"]),
        (["in/a.png", "b.c.png", "plain"], None, False, ["in/a.aec", "b.c.aec".replace(".c", ".c"), "plain.aec"]),
        (["a.png"], "x.bin", False, ["x.bin"]),
        (["a.png"], "new", True, ["new/a.aec"]),
        (["a.png"], "folder", False, ["folder/a.aec"]),
        (["in/a.png", "b.png"], "new", False, ["new/a.aec", "new/b.aec"]),
        (["a.png", "a.png", "./in/../a.png"], None, False, ["a.aec"]),
        (["tree"], None, False, ["tree/x.aec", "tree/y/z.aec"]),
        (["tree", "a.png"], "new", False, ["new/x.aec", "new/y/z.aec", "new/a.aec"]),
    ],
)
def test_targets(here: Path, sources: Sequence[str], output: str | None, into_folder: bool, targets: list[str]) -> None:
    for name in ("in/a.png", "a.png", "b.png", "b.c.png", "plain", "tree/x.png", "tree/y/z.jpg", "tree/y/q.txt"):
        save(here / name, GREY, format="PNG")
    (here / "folder").mkdir()
    tasks = plan(
        [Path(s) for s in sources], Path(output) if output else None, True, {".png", ".jpg"}, ".aec", into_folder
    )
    assert [str(task.target) for task in tasks] == targets
    assert len({task.source.resolve() for task in tasks}) == len(tasks)


def test_colliding_targets_are_refused_by_name(here: Path) -> None:
    for name in ("a.png", "a.jpg", "in/a.png"):
        save(here / name)
    said = compress("a.png", "a.jpg", code=1).stderr
    assert said == "aecodec: a.aec: would be made of both a.png and a.jpg\n"
    assert (
        "out/a.aec: would be made of both a.png and in/a.png"
        in compress("a.png", "in", "-r", "-o", "out", code=1).stderr
    )
    with pytest.raises(OutputError, match="would overwrite a source"):
        plan([Path("a.png"), Path("a.jpg")], None, False, (), ".jpg")
    assert listing(here) == {"a.png", "a.jpg", "in/a.png"}


def test_several_files_do_not_go_into_one(here: Path) -> None:
    save(here / "a.png")
    save(here / "b.png")
    assert "a.png: not a folder" in compress("a.png", "b.png", "-f", "-o", "a.png", code=1).stderr
    with pytest.raises(ImageError, match="a folder; -r"):
        plan([here], None, False, (), ".aec")


def test_an_output_with_a_slash_is_a_folder(here: Path) -> None:
    save(here / "a.png")
    compress("a.png", "-o", "small/")
    assert listing(here) == {"a.png", "small/a.aec"}


def test_a_missing_source_does_not_stop_the_others(here: Path) -> None:
    save(here / "a.png")
    said = compress("missing.png", "a.png", code=1).stderr
    assert said.startswith("aecodec: missing.png: cannot read (No such file or directory)\n")
    assert (here / "a.aec").exists()


def test_tasks_are_plain() -> None:
    assert plan([Path("x/a.png")], Path("b"), False, (), ".aec") == [Task(Path("x/a.png"), Path("b"))]
