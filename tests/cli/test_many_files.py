"""Many files and folders: what becomes of each, where it goes, and what is said of those passed over."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from aecodec.cli.plan import Naming, Task, plan
from aecodec.codec import Codec, load_codec
from aecodec.errors import ImageError, OutputError
from aecodec.files import make_folder
from tests.commands import GREY, cli, compress, listing, save
from tests.conftest import TINY

AEC = Naming(".aec")


def test_a_folder_is_mirrored_and_bad_files_are_passed_over(here: Path) -> None:
    save(here / "in" / "one.png")
    save(here / "in" / "deep" / "er" / "two.JPG")
    (here / "in" / "bad.png").write_bytes((here / "in" / "one.png").read_bytes()[:900])
    (here / "in" / "notes.txt").write_text("no picture")
    said = compress("in", "-r", "-o", "out", code=1)
    lines = said.stderr.splitlines()
    assert lines[0].startswith("aecodec: in/bad.png: damaged or incomplete picture")
    assert lines[1] == "aecodec: passed over 1 file: 1 .txt"
    assert lines[2].startswith("2 files: 10,800 pixels, ")
    assert lines[3] == "aecodec: 1 of 3 files failed"
    assert said.stdout == ""
    assert listing(here / "out") == {"one.aec", "deep/er/two.aec"}
    cli("decompress", "out", "-r", "-o", "back", "--quiet")
    assert listing(here / "back") == {"one.png", "deep/er/two.png"}


def test_what_is_there_already_is_counted(here: Path) -> None:
    for name in "abc":
        save(here / "in" / f"{name}.png", GREY)
    compress("in/a.png", "in/b.png", "-o", "out", "--quiet")
    before = (here / "out" / "a.aec").stat().st_ino
    lines = compress("in", "-r", "-o", "out", code=1).stderr.splitlines()
    assert lines[0].startswith("1 file: 5,400 pixels, ")
    assert lines[1:] == ["aecodec: 2 of 3 files there already; --skip-existing is for that"]
    lines = compress("in", "-r", "-o", "out", "--skip-existing").stderr.splitlines()
    assert lines == ["aecodec: 3 files there already"]
    cli("decompress", "out", "-r", "-o", "back", "--quiet")
    assert cli("decompress", "out", "-r", "-o", "back", "--skip-existing").stderr == "aecodec: 3 files there already\n"
    assert (here / "out" / "a.aec").stat().st_ino == before


def test_the_summary_counts_bytes(here: Path) -> None:
    save(here / "a.png")
    save(here / "b.png", GREY)
    before = sum((here / name).stat().st_size for name in ("a.png", "b.png"))
    said = compress("a.png", "b.png").stderr
    after = sum((here / name).stat().st_size for name in ("a.aec", "b.aec"))
    sizes = f"{before:,} -> {after:,} bytes ({100 * after / before:.1f} %), {8 * after / 10800:.3f} bpp, "
    assert said.startswith(f"2 files: 10,800 pixels, {sizes}")
    assert compress("-f", "a.png", "b.png", "--quiet").output == ""
    lines = compress("-f", "-v", "a.png", "b.png").stderr.splitlines()
    assert lines[0].startswith("a.png -> a.aec: 5,400 pixels, ") and ", quality 60, " in lines[0]
    assert lines[1].startswith("b.png -> b.aec: 5,400 pixels, ")


def test_larger_than_the_source_is_said(here: Path) -> None:
    save(here / "a.jpg", GREY, quality=1)
    save(here / "b.jpg", GREY, quality=1)
    save(here / "c.png", GREY)
    said = compress("a.jpg", "-q", 90).stderr
    assert said.splitlines()[1] == "aecodec: larger than its source: what was made of a.jpg"
    said = compress("-f", "a.jpg", "b.jpg", "c.png", "-q", 90).stderr
    assert said.splitlines()[1] == "aecodec: larger than their sources: what was made of a.jpg and 1 more"
    assert "larger" not in compress("-f", "c.png").stderr


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
        (["in/a.png", "b.c.png", "plain"], None, False, ["in/a.aec", "b.c.aec", "plain.aec"]),
        (["a.png"], "x.bin", False, ["x.bin"]),
        (["a.png"], "new", True, ["new/a.aec"]),
        (["a.png"], "new.aec", True, ["new.aec/a.aec"]),
        (["a.png"], "folder", False, ["folder/a.aec"]),
        (["in/a.png", "b.png"], "new", False, ["new/a.aec", "new/b.aec"]),
        (["in/a.png", "b.png"], "version-1.2", False, ["version-1.2/a.aec", "version-1.2/b.aec"]),
        (["a.png", "a.png", "./in/../a.png"], None, False, ["a.aec"]),
        (["tree"], None, False, ["tree/x.aec", "tree/y/z.aec"]),
        (["tree", "a.png"], "new", False, ["new/x.aec", "new/y/z.aec", "new/a.aec"]),
        (["a.png", "a.jpg", "b.png"], None, False, ["a.png.aec", "a.jpg.aec", "b.aec"]),
    ],
)
def test_targets(here: Path, sources: Sequence[str], output: str | None, into_folder: bool, targets: list[str]) -> None:
    for name in ("in/a.png", "a.png", "a.jpg", "b.png", "b.c.png", "plain", "tree/x.png", "tree/y/z.jpg"):
        save(here / name, GREY, format="PNG")
    (here / "folder").mkdir()
    todo = plan(
        [Path(s) for s in sources],
        Path(output) if output else None,
        AEC,
        {".png", ".jpg"},
        recursive=True,
        into_folder=into_folder,
    )
    assert [str(task.target) for task in todo.tasks] == targets
    assert not todo.failures


def test_targets_of_restored_pictures(here: Path) -> None:
    sources = [here / name for name in ("a.aec", "b.png.aec", "b.aec", "c.jpg.aec")]
    beside = plan(sources, None, Naming(".png", ".restored"), {".aec"}).tasks
    assert [task.target.name for task in beside] == [
        "a.restored.png",
        "b.png.aec.restored.png",
        "b.aec.restored.png",
        "c.jpg.restored.png",
    ]
    there = plan(sources[:2], Path("out"), Naming(".png", ".restored"), {".aec"}).tasks
    assert [str(task.target) for task in there] == ["out/a.png", "out/b.png"]


def test_pictures_of_one_stem_keep_their_suffix_and_the_rest_goes_on(here: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        save(here / "in" / name, GREY)
    compress("in", "-r", "-o", "out")
    assert listing(here / "out") == {"a.png.aec", "a.jpg.aec", "b.aec"}
    cli("decompress", "out", "-r", "-o", "back")
    assert listing(here / "back") == {"a.png", "a.jpg.png", "b.png"}
    compress("in", "-r", "-o", "all.zip")
    cli("decompress", "all.zip", "-o", "unzipped")
    assert listing(here / "unzipped") == listing(here / "back")


def test_two_files_of_one_target_are_a_failure_of_these(here: Path) -> None:
    for name in ("a.png", "in/a.png", "in/b.png"):
        save(here / name, GREY)
    said = compress("a.png", "in", "-r", "-o", "out", code=1).stderr
    assert said.startswith("aecodec: in/a.png: a.png.aec would be made of both a.png and in/a.png\n")
    assert listing(here / "out") == {"a.aec", "b.aec"}


def test_several_files_do_not_go_into_one(here: Path) -> None:
    save(here / "a.png")
    save(here / "b.png")
    assert "a.png: not a folder" in compress("a.png", "b.png", "-f", "-o", "a.png", code=1).stderr
    with pytest.raises(ImageError, match="a folder; -r"):
        plan([here], None, AEC, ())
    for name in ("x.aec", "x.zip", "x.png", "x.tar"):
        with pytest.raises(OutputError, match=f"{name}: the name of a file, but there are several to write"):
            plan([here], here / name, AEC, (), recursive=True)


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
    assert plan([Path("x/a.png")], Path("b"), AEC, ()).tasks == [Task(Path("x/a.png"), Path("b"))]


# --- what is passed over ---


def found(folder: Path) -> tuple[list[str], str, list[str]]:
    """The sources that a folder has, what is said of others, and the failures."""
    todo = plan([folder], Path("out"), AEC, {".png"}, recursive=True, ignored={".aec"})
    names = [task.source.relative_to(folder).as_posix() for task in todo.tasks]
    return names, str(todo.passed), [str(error) for error in todo.failures]


def test_other_kinds_are_counted_with_what_would_help(here: Path) -> None:
    for name in ("a.png", "b.HEIC", "c.heic", "d.MOV", "e", "._a.png", "f.aec"):
        (here / "in" / name).parent.mkdir(exist_ok=True)
        (here / "in" / name).write_bytes(b"")
    names, said, failures = found(here / "in")
    assert names == ["a.png"]
    assert said.startswith("passed over 5 files: 2 .heic (which the package pillow-heif reads), ")
    for part in ("1 .mov", "1 without a suffix", "1 shadow of macOS (._*)"):
        assert part in said
    assert not failures


def test_linked_folders_are_followed_once(here: Path) -> None:
    for name in ("in/here/a.png", "other/b.png", "other/c/d.png"):
        save(here / name, GREY)
    (here / "in" / "link").symlink_to("../other")
    (here / "in" / "again").symlink_to("../other/c")
    (here / "in" / "here" / "loop").symlink_to("..")
    (here / "in" / "itself.png").symlink_to("itself.png")
    names, said, failures = found(here / "in")
    assert names == ["again/d.png", "here/a.png", "link/b.png"]
    assert said == "passed over 3 files: 2 link to what is taken already, 1 broken link"
    assert not failures


def test_links_do_not_take_the_place_of_files(here: Path) -> None:
    save(here / "in" / "real.png", GREY)
    save(here / "elsewhere.png", GREY)
    (here / "in" / "link.png").symlink_to("real.png")
    (here / "in" / "other.png").symlink_to("../elsewhere.png")
    names, said, _ = found(here / "in")
    assert names == ["other.png", "real.png"]
    assert said == "passed over 1 file: 1 link to what is taken already"
    both = plan([here / "in" / "link.png", here / "in" / "real.png"], None, AEC, ())
    assert len(both.tasks) == 2  # as asked for


def test_pipes_in_folders_are_passed_over(here: Path) -> None:
    save(here / "in" / "a.png", GREY)
    os.mkfifo(here / "in" / "b.png")
    names, said, _ = found(here / "in")
    assert (names, said) == (["a.png"], "passed over 1 file: 1 pipe or device")


def test_a_folder_that_cannot_be_read_is_a_failure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "in" / "a.png", GREY)
    save(here / "in" / "secret" / "b.png", GREY)
    scandir = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "secret":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    names, _, failures = found(here / "in")
    assert (names, failures) == (["a.png"], [f"{here}/in/secret: cannot look into it (Permission denied)"])


def test_folders_may_be_nested_deeper_than_calls(here: Path) -> None:
    deep = Path(*["d"] * 1200)
    try:
        make_folder(here / "in" / deep)
        save(here / "in" / deep / "a.png", GREY)
        compress("in", "-r", "-o", "out", "--quiet")
        assert (here / "out" / deep / "a.aec").exists()
    finally:
        subprocess.run(["rm", "-rf", "in", "out"], check=True)  # deeper than pytest's own way goes


def test_missing_models_are_named_once(here: Path, tiny: Codec) -> None:
    for name in "abc":
        save(here / f"{name}.png", GREY)
    compress("a.png", "b.png", "c.png", "-o", "out", "--quiet")
    said = cli("test", "out", code=1, environment={"AECODEC_MODELS": ""}).stderr
    assert said.count("\n") == 1
    assert said.startswith(f"aecodec: out/a.aec: the file needs the model {tiny.id.hex()}, which is not here; looked")
    assert "; 2 other files need it, too; give it with --model, or put it beside the file" in said
    said = cli("decompress", "out", "-r", "-o", "back", code=1, environment={"AECODEC_MODELS": ""}).stderr
    assert said.splitlines()[1:] == ["aecodec: 3 of 3 files failed"]


def test_models_are_looked_for_beside_the_file(here: Path, tiny: Codec) -> None:
    save(here / "a.png", GREY)
    compress("a.png", "-o", "out/", "--quiet")
    (here / "out" / "broken.safetensors").write_bytes(b"nonsense")
    (here / "out" / "mine.safetensors").write_bytes(TINY.read_bytes())
    nowhere = {"AECODEC_MODELS": ""}
    assert cli("test", "out/a.aec", environment=nowhere).stdout == "out/a.aec: ok\n"
    assert "model name: tiny\n" in cli("info", "out/a.aec", environment=nowhere).stdout
    cli("decompress", "out/a.aec", "-o", "back.png", environment=nowhere)
