"""Training on pictures in shards, which are not kept in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aecodec.errors import DataError
from aecodec.training.data import Crops, StreamedCrops, all_grey, load_source, split, values_of
from aecodec.training.pictures import Pixels, TrainingPicture
from aecodec.training.preparation import Job, prepare
from aecodec.training.shards import ShardPictures
from tests.training_data import OPTIONS, SMALL, tiles, trained


def png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_shard(path: Path, files: Sequence[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as shard:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            shard.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Twelve pictures in two shards, with labels beside them."""
    files = [(f"{i}.png", png(pixels)) for i, pixels in enumerate(tiles(12, 80))]
    labels = [(name.replace("png", "cls"), b"7") for name, _ in files]
    mixed = [each for pair in zip(files, labels, strict=True) for each in pair]
    write_shard(tmp_path / "shards" / "b" / "1.tar", mixed[14:])
    write_shard(tmp_path / "shards" / "a" / "0.tar", mixed[:14])
    return tmp_path / "shards"


def test_batches_are_those_of_pictures_in_memory(shards: Path) -> None:
    streamed = load_source(shards)
    assert isinstance(streamed, ShardPictures) and len(streamed) == 12
    kept = [TrainingPicture(Path("x"), pixels) for pixels in tiles(12, 80)]
    first, second = StreamedCrops(streamed, 64, seed=3), Crops(kept, 64, seed=3)
    for step in (0, 1, 2, 7, 3):
        (ours, qualities), (theirs, others) = first.batch(step, 5), second.batch(step, 5)
        assert np.array_equal(ours, theirs) and np.array_equal(qualities, others)


def test_only_a_few_pictures_stay_in_memory(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aecodec.training.shards.CACHE", 3 * 80 * 80 * 3)
    pictures = load_source(shards)
    assert isinstance(pictures, ShardPictures)
    for _ in range(2):
        assert [picture.pixels[0, 0].tolist() for picture in pictures] == [p[0, 0].tolist() for p in tiles(12, 80)]
    assert len(pictures._kept) == 3
    assert values_of(pictures) == 12 * 80 * 80


def test_held_out_pictures_are_no_copies_of_others(tmp_path: Path) -> None:
    said: list[str] = []
    several = tiles(9, 40)
    files = [(f"{i}.png", png(pixels)) for i, pixels in enumerate([*several, several[4]])]
    pictures = load_source(write_shard(tmp_path / "a.tar", files), said.append)
    trained_on, held = split(pictures, 0.25)
    assert [picture.path.name for picture in held] == ["0.png", "8.png"]
    assert any("duplicate" in line for line in said)
    assert len(trained_on) == 7


def test_what_cannot_be_used_stands_for_the_next_one(tmp_path: Path) -> None:
    said: list[str] = []
    good = tiles(3, 40)
    files = [("a.png", b"no picture"), ("b.png", png(good[0][:4])), ("c.png", png(good[1])), ("d.png", png(good[2]))]
    pictures = load_source(write_shard(tmp_path / "a.tar", files), said.append)
    assert np.array_equal(pictures[0].pixels, good[1]) and np.array_equal(pictures[1].pixels, good[1])
    assert np.array_equal(pictures[3].pixels, good[2])
    assert len(said) == 2 and "a.tar/a.png" in said[0] and "a.tar/b.png: smaller than 8 pixels" in said[1]
    with pytest.raises(DataError, match=r"a\.tar: no picture that can be used"):
        load_source(write_shard(tmp_path / "bad" / "a.tar", files[:2]), said.append)
    (tmp_path / "no.tar").write_bytes(b"no shard, but long enough to be one" * 99)
    with pytest.raises(DataError, match=r"no\.tar: not a shard"):
        load_source(tmp_path / "no.tar")


def test_grey_pictures_make_a_grey_model(tmp_path: Path) -> None:
    said: list[str] = []
    several = tiles(50, 16)[..., 0]
    grey = [(f"{i}.png", png(several[i % 50])) for i in range(200)]
    grey[2] = ("2.png", png(tiles(1, 16)[0]))  # not in the sample
    pictures = load_source(write_shard(tmp_path / "a.tar", grey), said.append)
    assert all_grey(pictures)
    assert np.array_equal(pictures[2].pixels, pictures[3].pixels)
    assert said == [f"left out: {tmp_path}/a.tar/2.png: in colour, among grey ones"]


def test_a_run_on_shards(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*arguments: object) -> None:
        raise DataError("not in this test, for it takes a minute")

    monkeypatch.setattr("aecodec.training.run.judge", judge)
    job = Job(shards, tmp_path / "m.safetensors", tmp_path / "run")
    prepared = prepare(job, OPTIONS, SMALL, lambda line: None)
    assert isinstance(prepared.pictures, ShardPictures)
    assert (len(prepared.pictures), len(prepared.held_out)) == (10, 2)
    card = trained(job, OPTIONS, SMALL, report=lambda line: None)
    assert card.training.pictures == len(prepared.pictures)
    options = replace(OPTIONS, steps=3)
    assert trained(job, options, SMALL, resume=True, report=lambda line: None).training.steps == 3
