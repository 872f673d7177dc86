"""Compress and decompress: pictures there and back, and nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aecodec.codec import Codec
from aecodec.errors import OutputError
from aecodec.files import write_atomically
from tests.commands import COLOUR, GREY, Pixels, cli, compress, listing, load, save
from tests.conftest import TINY

KIND = {"decompress": ("--format", "png")}

# --- there and back ---


@pytest.mark.parametrize(
    "pixels", [COLOUR, GREY, np.dstack([COLOUR, GREY]), np.dstack([GREY, GREY.T[:60, :60].repeat(2, 1)[:, :90]])]
)
def test_a_picture_there_and_back(here: Path, pixels: Pixels) -> None:
    save(here / "photo.png", pixels)
    said = compress("photo.png")
    assert said.stdout == ""
    assert said.stderr.startswith("photo.aec: 5,400 pixels, ")
    before = (here / "photo.png").read_bytes()
    cli("decompress", "photo.aec")
    assert (here / "photo.png").read_bytes() == before
    restored = load(here / "photo.restored.png")
    assert restored.shape == pixels.shape
    assert np.abs(restored.astype(int) - pixels).mean() < 12
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        assert np.array_equal(restored[:, :, -1], pixels[:, :, -1])
    assert listing(here) == {"photo.aec", "photo.png", "photo.restored.png"}


def test_the_command_does_what_the_library_does(here: Path, tiny: Codec) -> None:
    save(here / "photo.png")
    compress("photo.png", "-q", "33.5", "-o", "out.aec")
    assert (here / "out.aec").read_bytes() == tiny.encode(COLOUR, 33.5)
    cli("decompress", "out.aec")
    assert np.array_equal(load(here / "out.restored.png"), tiny.decode((here / "out.aec").read_bytes()))


def test_quality_and_target_size(here: Path) -> None:
    save(here / "photo.png")
    sizes = []
    for options in (("-q", 5), ("-q", 95), ("--target-size", "0.42k"), ("--bpp", 0.6)):
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
    cli("decompress", "with.aec", "without.aec", "--format", "jpg", "-o", ".")
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


def test_the_quality_of_restored_pictures(here: Path) -> None:
    save(here / "photo.png")
    compress("photo.png", "-q", 90)
    sizes = []
    for options in (("-q", 20), ("-q", 80), ()):
        cli("decompress", "photo.aec", "-f", "-o", "a.jpg", *options)
        sizes.append((here / "a.jpg").stat().st_size)
    assert sizes == sorted(sizes) and len(set(sizes)) == 3
    assert "PNG has no quality; JPEG" in cli("decompress", "photo.aec", "-q", 50, code=1).stderr


@pytest.mark.parametrize("command", ["compress", "decompress", "test"])
def test_threads_do_not_change_the_result(here: Path, command: str) -> None:
    save(here / "photo.png")
    compress("photo.png", "-o", "photo.aec")
    results = []
    for threads in (1, 3):
        options = [] if command == "test" else ["-f", "-o", "result"]
        source = "photo.png" if command == "compress" else "photo.aec"
        model = ["--model", TINY]
        said = cli(command, source, *model, "--threads", threads, *options, *KIND.get(command, ()))
        results.append((here / "result").read_bytes() if options else said.stdout.encode())
    assert results[0] == results[1]


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
    assert said == "aecodec: photo.aec: exists already; choose another name with -o\n"
    assert (here / "photo.aec").read_bytes() == b"dear"
    compress("photo.png", "-f")
    before = (here / "photo.png").read_bytes()
    said = cli("decompress", "photo.aec", "-o", "photo.png", code=1).stderr
    assert said == "aecodec: photo.png: exists already; choose another name with -o\n"
    said = cli("decompress", "photo.aec", "-o", ".", code=1).stderr
    assert said == "aecodec: photo.png: exists already; choose another name with -o\n"
    assert (here / "photo.png").read_bytes() == before
    cli("decompress", "photo.aec", "-f", "-o", "photo.png")
    assert listing(here) == {"photo.png", "photo.aec"}


def test_an_existing_target_is_passed_over_where_that_is_asked_for(here: Path) -> None:
    save(here / "photo.png")
    (here / "photo.aec").write_bytes(b"dear")
    assert compress("photo.png", "--skip-existing").stderr == "aecodec: 1 file there already\n"
    assert (here / "photo.aec").read_bytes() == b"dear"


@pytest.mark.parametrize("name", ["x.png", "x.HEIC", "x.npy", "x.safetensors", "x.tar", "x.gz", "x.html", "x.mp4"])
def test_no_aec_file_gets_the_name_of_another_thing(here: Path, name: str) -> None:
    (here / name).write_bytes(b"dear")
    source = save(here / "photo.png").read_bytes()
    for force in ((), ("-f",)):
        said = compress("photo.png", "-o", name, *force, code=1).stderr
        assert said.startswith(f"aecodec: {name}: what is written is an .aec file")
        assert compress("-", "-o", name, *force, code=1, stdin=source).stderr == said
        if name != "x.png":  # a folder of that name
            said = compress("photo.png", "photo.png", "-o", f"new{name}", *force, code=1).stderr
            assert said.startswith(f"aecodec: new{name}: the name of a file, but there are several")
    assert (here / name).read_bytes() == b"dear"
    assert listing(here) == {"photo.png", name}


def test_a_target_that_appears_meanwhile_is_kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def appear(_: int) -> None:
        (here / "new").write_bytes(b"dear")

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(OutputError, match=r"new: exists already$"):
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

    monkeypatch.setattr(os, "fsync", fail)
    assert compress("a.png", code=1).stderr == "aecodec: a.aec: cannot write (No space left on device)\n"
    assert listing(here) == {"a.png"}


def test_an_interruption_leaves_no_part(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here / "a.png")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
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
    assert target[:5] in said or "a.aec: exists already, a folder" in said
    assert listing(here) == {"a.png"}


def test_a_target_below_a_missing_folder(here: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/a\.aec: cannot write \(No such file or directory\)"):
        write_atomically(here / "missing" / "a.aec", b"", overwrite=True)


def test_no_file_takes_the_place_of_its_source(here: Path, tiny: Codec) -> None:
    data = tiny.encode(COLOUR)
    (here / "photo.png").write_bytes(data)  # a file with the wrong suffix
    assert "photo.png: would be overwritten" in cli("decompress", "-f", "photo.png", "-o", ".", code=1).stderr
    assert (here / "photo.png").read_bytes() == data
    (here / "x.aec").write_bytes(data)
    assert "x.aec: already compressed" in compress("-f", "x.aec", code=1).stderr
    (here / "y.aec").write_bytes(data)
    (here / "y.png").symlink_to("x.aec")
    said = cli("decompress", "-f", "x.aec", "y.aec", "-o", ".", code=1).stderr
    assert "y.png: made of y.aec, would overwrite a source" in said
    assert (here / "x.png").exists()
    assert (here / "x.aec").read_bytes() == data
