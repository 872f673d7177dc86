from __future__ import annotations

import errno
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from click.testing import CliRunner, Result
from PIL import Image

from aecodec import files
from aecodec.cli import main
from aecodec.codec import Codec, load_codec
from aecodec.container import Coding, Contents, Header, pack
from aecodec.errors import ImageError, OutputError
from aecodec.files import Task, plan, write_atomically
from tests.conftest import TINY

Pixels = npt.NDArray[np.uint8]

COLOUR = np.ascontiguousarray(skimage.data.chelsea()[40:100, 100:190])  # type: ignore[no-untyped-call]
GREY = np.ascontiguousarray(COLOUR[:, :, 0])
ENVIRONMENT = {"AECODEC_MODELS": str(TINY.parent), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path: Path, pixels: Pixels = COLOUR, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def load(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def cli(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    """Run a command with the small model; never a traceback, and only results on stdout."""
    result = CliRunner(env=ENVIRONMENT).invoke(main, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result


def compress(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    return cli("compress", "--model", "tiny", *arguments, code=code, stdin=stdin)


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "aecodec", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, check=False, **options)


# --- there and back ---


@pytest.mark.parametrize(
    "pixels", [COLOUR, GREY, np.dstack([COLOUR, GREY]), np.dstack([GREY, GREY.T[:60, :60].repeat(2, 1)[:, :90]])]
)
def test_a_picture_there_and_back(here: Path, pixels: Pixels) -> None:
    save(here / "photo.png", pixels)
    said = compress("photo.png")
    assert said.stdout == ""
    assert said.stderr.startswith("photo.aec: 5400 pixels, ")
    (here / "photo.png").rename(here / "original.png")
    cli("decompress", "photo.aec")
    restored = load(here / "photo.png")
    assert restored.shape == pixels.shape
    assert np.abs(restored.astype(int) - pixels).mean() < 12
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        assert np.array_equal(restored[:, :, -1], pixels[:, :, -1])
    assert listing(here) == {"photo.aec", "photo.png", "original.png"}


def test_the_command_does_what_the_library_does(here: Path, tiny: Codec) -> None:
    save(here / "photo.png")
    compress("photo.png", "-q", "33.5", "-o", "out.aec")
    assert (here / "out.aec").read_bytes() == tiny.encode(COLOUR, 33.5)
    cli("decompress", "out.aec")
    assert np.array_equal(load(here / "out.png"), tiny.decode((here / "out.aec").read_bytes()))


def test_quality_and_target_size(here: Path) -> None:
    save(here / "photo.png")
    sizes = []
    for options in (("-q", 5), ("-q", 95), ("--target-size", 420), ("--bpp", 0.6)):
        compress("photo.png", "-f", *options)
        sizes.append((here / "photo.aec").stat().st_size)
    assert sizes[0] < sizes[1]
    assert 380 < sizes[2] <= 420
    assert 365 < sizes[3] <= 405  # 5400 pixels


def test_a_target_that_cannot_be_reached(here: Path) -> None:
    save(here / "photo.png")
    said = compress("photo.png", "--target-size", 20, code=1).stderr
    assert said.startswith("aecodec: photo.png: cannot reach 20 bytes")
    compress("photo.png", "--bpp", 1e-6, code=1)
    assert listing(here) == {"photo.png"}


def test_metadata_are_kept_unless_stripped(here: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    save(here / "photo.jpg", exif=tags, quality=90)
    compress("photo.jpg", "-o", "with.aec")
    compress("photo.jpg", "-o", "without.aec", "--strip")
    cli("decompress", "with.aec", "without.aec", "--format", "jpg")
    with Image.open(here / "with.jpg") as kept, Image.open(here / "without.jpg") as stripped:
        assert kept.getexif() == {0x0112: 6}
        assert not stripped.getexif()


def test_formats_of_restored_pictures(here: Path) -> None:
    save(here / "photo.png")
    compress("photo.png")
    for options, name in (
        (("-o", "a.webp"), "WEBP"),
        (("--format", "TIFF"), "TIFF"),
        (("-o", "b.x", "--format", "jpg"), "JPEG"),
    ):
        before = listing(here)
        cli("decompress", "photo.aec", *options)
        (new,) = listing(here) - before
        with Image.open(here / new) as image:
            assert image.format == name
    said = cli("decompress", "photo.aec", "-o", "c.xyz", code=1).stderr
    assert "'.xyz'" in said and ".png" in said
    assert "'.nothing'" in cli("decompress", "photo.aec", "--format", "nothing", code=1).stderr


def test_alpha_does_not_go_into_a_jpeg(here: Path) -> None:
    save(here / "photo.png", np.dstack([COLOUR, GREY]))
    compress("photo.png")
    said = cli("decompress", "photo.aec", "-o", "photo.jpg", code=1).stderr
    assert said.startswith("aecodec: photo.aec: cannot be written as JPEG")
    assert "PNG and WebP hold an alpha channel" in said
    assert listing(here) == {"photo.png", "photo.aec"}


# --- nothing is lost ---


def test_existing_targets_are_kept_without_force(here: Path) -> None:
    save(here / "photo.png")
    (here / "photo.aec").write_bytes(b"dear")
    said = compress("photo.png", code=1).stderr
    assert said == "aecodec: photo.aec: exists already; -f overwrites it\n"
    assert (here / "photo.aec").read_bytes() == b"dear"
    compress("photo.png", "-f")
    before = (here / "photo.png").read_bytes()
    cli("decompress", "photo.aec", code=1)
    assert (here / "photo.png").read_bytes() == before
    cli("decompress", "photo.aec", "-f")
    assert listing(here) == {"photo.png", "photo.aec"}


def test_a_target_that_appears_meanwhile_is_kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def appear(_: int) -> None:
        (here / "new").write_bytes(b"dear")

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(OutputError, match="new: exists already; -f"):
        write_atomically(here / "new", b"mine", overwrite=False)
    assert (here / "new").read_bytes() == b"dear"
    assert listing(here) == {"new"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("call", ["fsync", "link", "replace"])
def test_a_failure_while_writing_leaves_all_as_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch, call: str, overwrite: bool
) -> None:
    target = here / "target"
    if overwrite:
        target.write_bytes(b"dear")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    if call == "link":
        monkeypatch.setattr(os, "replace", fail)
    if call == "replace" and not overwrite:
        monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OutputError, match=r"target: cannot write \(No space left on device\)"):
        write_atomically(target, b"mine", overwrite)
    assert listing(here) == ({"target"} if overwrite else set())
    assert not overwrite or target.read_bytes() == b"dear"


def test_file_systems_without_hard_links(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", fail)
    write_atomically(here / "new", b"mine", overwrite=False)
    assert (here / "new").read_bytes() == b"mine"
    assert listing(here) == {"new"}


def test_written_files_have_the_usual_permissions(here: Path) -> None:
    (here / "plain").write_bytes(b"")
    write_atomically(here / "new", b"mine", overwrite=False)
    assert (here / "new").stat().st_mode == (here / "plain").stat().st_mode


def test_devices_are_written_to_and_not_replaced() -> None:
    with pytest.raises(OutputError, match=r"/dev/full: cannot write \(No space left on device\)"):
        write_atomically(Path("/dev/full"), b"mine", overwrite=True)
    write_atomically(Path(os.devnull), b"mine", overwrite=False)
    assert Path(os.devnull).is_char_device()


def test_a_full_disk(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "a.png")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fail)
    assert compress("a.png", code=1).stderr == "aecodec: a.aec: cannot write (No space left on device)\n"
    assert listing(here) == {"a.png"}


def test_an_interruption_leaves_no_part(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "a.png")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    assert compress("a.png", code=130).stderr == "aecodec: interrupted\n"
    assert listing(here) == {"a.png"}


def test_too_little_memory_is_a_failure_of_one_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "a.png")
    save(here / "b.png", GREY)
    encode = Codec.encode_picture

    def fail(self: Codec, picture: Any, *arguments: Any, **options: Any) -> bytes:
        if picture.channels == 3:
            raise MemoryError
        return encode(self, picture, *arguments, **options)

    monkeypatch.setattr(Codec, "encode_picture", fail)
    assert "aecodec: a.png: not enough memory\n" in compress("a.png", "b.png", code=1).stderr
    assert listing(here) == {"a.png", "b.png", "b.aec"}


@pytest.mark.parametrize("target", ["a.png/below.aec", "n" * 300 + ".aec", "."])
def test_targets_that_cannot_be(here: Path, target: str) -> None:
    save(here / "a.png")
    (here / "a.aec").mkdir()
    said = compress("a.png", "-o", target, code=1).stderr
    assert said.startswith("aecodec: ") and said.count("\n") == 1
    assert target[:9] in said or "a.aec: a folder" in said
    assert listing(here) == {"a.png"}


def test_a_target_below_a_missing_folder(here: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/a\.aec: cannot write \(No such file or directory\)"):
        write_atomically(here / "missing" / "a.aec", b"", overwrite=True)


def test_no_file_takes_the_place_of_its_source(here: Path, tiny: Codec) -> None:
    data = tiny.encode(COLOUR)
    (here / "photo.png").write_bytes(data)  # a file with the wrong suffix
    assert "photo.png: would be overwritten" in cli("decompress", "-f", "photo.png", code=1).stderr
    assert (here / "photo.png").read_bytes() == data
    (here / "x.aec").write_bytes(data)
    assert "x.aec: already compressed" in compress("-f", "x.aec", code=1).stderr
    (here / "y.aec").write_bytes(data)
    (here / "y.png").symlink_to("x.aec")
    assert "would overwrite a source" in cli("decompress", "-f", "x.aec", "y.aec", code=1).stderr
    assert (here / "x.aec").read_bytes() == data


# --- many files ---


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


# --- limits and models ---


def test_the_limit_of_pixels(here: Path) -> None:
    save(here / "a.png")
    assert compress("a.png", "--max-pixels", 5000, code=1).stderr.startswith("aecodec: a.png: a picture of 90 x 60")
    compress("a.png")
    for command in ("decompress", "test"):
        options = ["-f"] if command == "decompress" else []
        assert "a.aec: a picture of 90 x 60" in cli(command, "a.aec", "--max-pixels", 5000, *options, code=1).stderr
    bomb = pack(Contents(Header(10**9, 10**9, 3, Coding.LATENTS, 6000, bytes(8), 0), b"x"))
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


# --- info and test ---


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


# --- training ---


def test_training_does_not_start_where_it_could_not_end(here: Path) -> None:
    save(here / "in" / "a.png")
    (here / "mine.safetensors").write_bytes(b"dear")
    assert "mine.safetensors: exists already" in cli("train", "in", "-o", "mine.safetensors", code=1).stderr
    said = cli("train", "in", "-o", "missing/mine.safetensors", code=1).stderr
    assert said.startswith("aecodec: missing/mine.safetensors: cannot write")
    assert listing(here) == {"in/a.png", "mine.safetensors"}


def test_training_options_arrive(here: Path, monkeypatch: pytest.MonkeyPatch, tiny: Codec) -> None:
    save(here / "in" / "a.png")
    calls: list[Any] = []

    def train_folder(*arguments: Any, **options: Any) -> Any:
        calls.append((*arguments, options))
        return tiny.card

    monkeypatch.setattr("aecodec.training.run.train_folder", train_folder)
    options = ["--steps", 7, "--name", "mine", "--licence", "CC0", "--resume", "--device", "cpu", "--validation", "in"]
    cli("train", "in", "-o", "mine.safetensors", *options)
    cli("train", "in", "-o", "mine.safetensors")
    job, settings, rest = calls[0]
    assert (job.pictures, job.output, job.validation) == (Path("in"), Path("mine.safetensors"), Path("in"))
    assert (job.folder, job.name, job.licence) == (Path("mine.run"), "mine", "CC0")
    assert (settings.steps, settings.minutes, settings.device, rest["resume"]) == (7, None, "cpu", True)
    assert (calls[1][1].steps, calls[1][1].minutes, calls[1][2]["resume"]) == (None, 60, False)


# --- streams and processes ---


def test_streams(here: Path, tiny: Codec) -> None:
    source = save(here / "a.png").read_bytes()
    data = tiny.encode(COLOUR)
    assert compress("-", stdin=source).stdout_bytes == data
    assert compress("a.png", "-o", "-").stdout_bytes == data
    compress("-", "-o", "b.aec", stdin=source)
    assert (here / "b.aec").read_bytes() == data
    restored = cli("decompress", "-", stdin=data).stdout_bytes
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(restored))), tiny.decode(data))
    assert cli("decompress", "b.aec", "-o", "-", "--format", "webp").stdout_bytes.startswith(b"RIFF")
    assert "stdin: not a picture" in compress("-", stdin=b"nonsense", code=1).stderr
    assert "stdin: the file is empty" in cli("decompress", "-", stdin=b"", code=1).stderr
    assert "b.aec: exists already" in compress("-", "-o", "b.aec", stdin=source, code=1).stderr
    assert listing(here) == {"a.png", "b.aec"}


def test_a_pipe_of_processes_says_nothing_but_the_picture(tmp_path: Path, tiny: Codec) -> None:
    source = save(tmp_path / "a.png").read_bytes()
    coded = process("compress", "--model", "tiny", "-", input=source)
    assert (coded.returncode, coded.stdout, coded.stderr) == (0, tiny.encode(COLOUR), b"")
    restored = process("decompress", "-", "-o", "-", input=coded.stdout)
    assert (restored.returncode, restored.stderr) == (0, b"")
    assert Image.open(io.BytesIO(restored.stdout)).size == (90, 60)


def test_a_full_stdout_is_one_line(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    command = [sys.executable, "-m", "aecodec"]
    compress(tmp_path / "a.png")
    for arguments in (["info", "a.aec"], ["compress", "--model", "tiny", "a.png", "-o", "-"]):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                [*command, *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=tmp_path,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parent.parent)},
                check=False,
            )
        assert (result.returncode, result.stderr) == (1, b"aecodec: stdout: No space left on device\n")


def test_a_reader_that_leaves_is_not_an_error_message(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    compress(tmp_path / "a.png")
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "aecodec", "info", tmp_path / "a.aec"]
    result = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert result.stderr == b""
    assert result.returncode == 1


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Exit code and what a process showed, with stdout and stderr on a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "aecodec", *map(str, arguments)]
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=os.environ | ENVIRONMENT) as running:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 4096):
                shown += part
        except OSError:  # how Linux says that the terminal is closed
            pass
        code = running.wait()
    os.close(leader)
    return code, shown.decode()


def test_a_terminal_gets_progress_but_no_binary_data(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / "in" / f"{name}.png", GREY)
    code, shown = on_a_terminal("compress", "--model", "tiny", tmp_path / "in" / "a.png", "-o", "-")
    assert (code, shown.strip()) == (1, "aecodec: refusing to write binary data to a terminal; use -o FILE")
    code, shown = on_a_terminal("compress", "--model", "tiny", tmp_path / "in", "-r")
    assert code == 0
    assert "100%" in shown and "2 files: " in shown


def test_an_interrupted_process_is_130(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "aecodec", "test", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | ENVIRONMENT,
    ) as running:
        assert running.stdin is not None and running.stdout is not None and running.stderr is not None
        wait_until_it_reads(running.pid)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr.read() == b"aecodec: interrupted\n"


def wait_until_it_reads(pid: int) -> None:
    """Until the process waits for its standard input, a pipe."""
    import time

    for _ in range(600):
        call = Path(f"/proc/{pid}/wchan").read_text()
        if "pipe" in call:
            return
        time.sleep(0.05)
    pytest.skip("cannot see what a process waits for")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["compress", "-h"], ["info"], ["info", "--json"]])
def test_answers_that_need_no_pytorch(tmp_path: Path, arguments: list[str]) -> None:
    save(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    compress(tmp_path / "a.png")
    if arguments[0] == "info":
        arguments = [*arguments, str(tmp_path / "a.aec"), str(TINY)]
    program = (
        "import sys; from aecodec.cli import main\n"
        f"try: main({arguments!r})\n"
        "finally: sys.stderr.write(' '.join({'torch', 'constriction'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout


def test_version_and_help() -> None:
    assert cli("--version").stdout.startswith("aecodec, version ")
    assert "Exit codes: 0 done; 1 something failed" in cli("--help").stdout.replace("\n ", "")


def test_tasks_are_plain() -> None:
    assert plan([Path("x/a.png")], Path("b"), False, (), ".aec") == [Task(Path("x/a.png"), Path("b"))]
