"""The commands that use latents, on small pictures with a very small model."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.commands import cli, load, save

RNG = np.random.default_rng(0)
GROUND = np.ascontiguousarray(skimage.data.grass())


def grounds(count: int, seed: int = 0) -> np.typing.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return np.stack([GROUND[y : y + 48, x : x + 48] for y, x in rng.integers(0, 460, (count, 2))])


def rows(path: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(path.read_text()))]


# score


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual layout of a data set of defects: two good pictures and two with a white patch."""
    folder = tmp_path_factory.mktemp("defects")
    for i, pixels in enumerate(grounds(24)):
        save(folder / "train" / "good" / f"{i:02d}.png", pixels)
    for i, pixels in enumerate(grounds(2, 1)):
        save(folder / "test" / "good" / f"{i}.png", pixels)
        broken, mask = pixels.copy(), np.zeros_like(pixels)
        broken[16:32, 16:32] = RNG.integers(0, 256, (16, 16))
        mask[16:32, 16:32] = 255
        save(folder / "test" / "hole <b>" / f"{i}.png", broken)
        save(folder / "ground_truth" / "hole <b>" / f"{i}_mask.png", mask)
    return folder


def test_score_finds_defects_and_says_how_well(here: Path, defects: Path) -> None:
    result = cli("score", defects, "--model", "tiny", "-o", "report", "--false-alarms", "0.05")
    assert "4 pictures are abnormal" in result.stderr
    found = rows(here / "report" / "scores.csv")
    assert {row["file"] for row in found[:2]} == {"hole <b>/0.png", "hole <b>/1.png"}
    assert float(found[0]["score"]) >= float(found[-1]["score"])
    assert all(16 <= int(row["worst_x"]) <= 32 and 16 <= int(row["worst_y"]) <= 32 for row in found[:2])
    page = (here / "report" / "report.html").read_text()
    assert "of pictures 100.0%, of pixels" in page
    assert "hole &lt;b&gt;" in page and "hole <b>" not in page
    assert "http" not in page
    assert len([*(here / "report" / "maps").iterdir()]) == 4


def test_score_needs_to_know_what_is_normal(here: Path) -> None:
    save(here / "a" / "one.png", GROUND[:40, :40])
    assert "--normal" in cli("score", "a", "-o", "report", code=1).stderr
    assert "at least 20" in cli("score", "a", "--normal", "a", "--model", "tiny", "-o", "report", code=1).stderr
    assert not (here / "report").exists()
    (here / "report").mkdir()
    assert "exists already" in cli("score", "a", "--normal", "a", "-o", "report", code=1).stderr


# features and labels


def test_features_of_files_are_those_of_pictures(here: Path) -> None:
    for i, pixels in enumerate(grounds(3)):
        save(here / "p" / f"{i}.png", pixels)
    cli("compress", "-r", "p", "-o", "coded", "--model", "tiny", "--effort", 0)
    for source in ("p", "coded"):
        cli("features", source, "--model", "tiny", "-o", f"{source}.npz", "--features", "latents")
    with np.load(here / "p.npz") as first, np.load(here / "coded.npz") as second:
        assert np.array_equal(first["features"], second["features"])
        assert list(first["names"]) == ["0.png", "1.png", "2.png"]
        assert first["columns"][1] == "latents_r0_c0_1"
        assert len(first["columns"]) == first["features"].shape[1]


def test_features_of_different_sizes_are_pooled(here: Path) -> None:
    save(here / "p" / "a.png", GROUND[:40, :40])
    save(here / "p" / "b.png", GROUND[:90, :40])
    assert "b.png: other features" in cli("features", "p", "--model", "tiny", "-o", "f.csv", code=1).stderr
    cli("features", "p", "--model", "tiny", "-o", "f.csv", "--pool", "mean")
    assert [row["file"] for row in rows(here / "f.csv")] == ["a.png", "b.png"]
    assert "name it .npz" in cli("features", "p", "--model", "tiny", "-o", "f.txt", "--pool", "max", code=1).stderr


def test_labels_spread_and_abstain(here: Path) -> None:
    left = np.zeros((20, 28, 28), np.uint8)
    for i, picture in enumerate(left):
        picture[2 + i // 2 : 12 + i // 2, 2 : 10 + i % 3] = 220
    np.save(here / "p.npy", np.concatenate([left, left[:, :, ::-1]]))
    (here / "few.csv").write_text("file,label\np.npy#00,left\np.npy#39,right\n")
    cli("label", "p.npy", "--labels", "few.csv", "-o", "all.csv", "--model", "digits")
    found = {row["file"]: row["label"] for row in rows(here / "all.csv")}
    assert len(found) == 40
    right = sum(found[f"p.npy#{i:02d}"] == ("left" if i < 20 else "right") for i in range(40))
    assert right > 35
    both = np.maximum(left, left[:, :, ::-1])[:3]  # of no kind, and near both
    np.save(here / "q.npy", np.concatenate([left, left[:, :, ::-1], both]))
    (here / "few.csv").write_text("file,label\nq.npy#00,left\nq.npy#39,right\n")
    cli("label", "q.npy", "--labels", "few.csv", "-o", "sure.csv", "--model", "digits", "--at-least", 1)
    assert "" in {row["label"] for row in rows(here / "sure.csv")}
    (here / "few.csv").write_text("file,label\nx,left\np.npy#39,right\n")
    result = cli("label", "p.npy", "--labels", "few.csv", "-o", "no.csv", "--model", "digits", code=1)
    assert "labels of x, which is not among the pictures" in result.stderr


# samples


def test_samples_are_the_same_for_a_seed(here: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cli("sample", "--model", "digits", "-n", 4, "--seed", seed, "-o", f"{name}.npy")
    first, same, other = (np.load(here / f"{name}.npy") for name in "abc")
    assert first.shape[0] == 4
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_variations_are_between_the_picture_and_others(here: Path) -> None:
    save(here / "x.png", GROUND[:64, :96])
    differences = []
    for strength in (0, 1):
        cli("sample", "--model", "photo", "--like", "x.png", "-n", 2, "--strength", strength, "-o", f"{strength}.npy")
        made = np.load(here / f"{strength}.npy").astype(float)
        differences.append(np.abs(made[0] - made[1]).mean())
    assert differences[0] == 0
    assert differences[1] > 1
    cli("sample", "--model", "photo", "--like", "x.png", "-n", 2, "-o", "sheet.png")
    assert load(here / "sheet.png").shape[:2] == (64, 194)
    assert "can only vary" in cli("sample", "--model", "photo", "-o", "y.png", code=1).stderr


# duplicates


def test_duplicates_are_found_coded_and_resized(here: Path) -> None:
    cat, cup = skimage.data.chelsea(), skimage.data.coffee()
    save(here / "p" / "cat.png", cat)
    save(here / "p" / "cat.jpg", cat, quality=60)
    save(here / "p" / "cup.png", cup)
    Image.fromarray(cup).resize((300, 200)).save(here / "p" / "small.png")
    cli("duplicates", "p", "-o", "d.csv")
    pairs = {frozenset((row["file"], row["copy"])) for row in rows(here / "d.csv")}
    assert pairs == {frozenset(("cat.png", "cat.jpg")), frozenset(("cup.png", "small.png"))}
