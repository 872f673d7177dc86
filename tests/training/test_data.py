"""What one can train on, what a model may start from, and what is said about it in the end."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

from aecodec.cli.main import main
from aecodec.codec import load_codec
from aecodec.errors import DataError
from aecodec.networks.config import FullyConnectedConfig
from aecodec.pictures.arrays import is_array, read_array, write_array
from aecodec.training.data import Crops, fitting_crop, large_enough, load_source, split
from aecodec.training.objective import Objective
from aecodec.training.pictures import PictureArray
from aecodec.training.preparation import Job
from aecodec.training.run import train_folder
from aecodec.weights import load_weights
from tests.training_data import OPTIONS, SMALL, Pixels, digits, pictures, tiles, trained

# --- arrays ---


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.idx", "a.idx.gz", "train-images-idx3-ubyte.gz", "x-ubyte"])
@pytest.mark.parametrize("array", [digits()[:20], tiles(3, 20)], ids=["grey", "colour"])
def test_arrays_there_and_back(tmp_path: Path, name: str, array: Pixels) -> None:
    write_array(tmp_path / name, array)
    assert is_array(tmp_path / name)
    read = read_array(tmp_path / name)
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)


def test_idx_is_the_format_of_mnist(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 5, *range(10)]))
    assert read_array(tmp_path / "a").tolist() == [[[0, 1, 2, 3, 4]], [[5, 6, 7, 8, 9]]]


def test_one_channel_is_grey(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", digits()[..., None])
    assert read_array(tmp_path / "a.npy").shape == (1797, 8, 8)


def test_the_pictures_among_several_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, labels=np.arange(9), pictures=digits())
    assert len(read_array(path)) == 1797
    np.savez(path, x_train=digits()[5:], x_test=digits()[:5], y_train=np.arange(9))
    assert len(read_array(path, prefer="train")) == 1792
    with pytest.raises(DataError, match=r"a\.npz: holds x_train \(1792, 8, 8\), x_test"):
        read_array(path)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (digits().astype(float), "float64"),
        (np.zeros((9, 9), np.uint8), r"array \(9, 9\)"),
        (np.zeros((40, 50, 3), np.uint8), "a single picture"),
        (np.zeros((9, 3, 20, 20), np.uint8), r"transpose\(0, 2, 3, 1\)"),
        (np.zeros((9, 20, 20, 4), np.uint8), "transparency"),
        (np.zeros((0, 20, 20), np.uint8), "needed are pictures"),
        (np.array([{}]), "a.npy"),
    ],
)
def test_other_arrays_are_refused_with_what_is_needed(
    tmp_path: Path, array: npt.NDArray[np.generic], said: str
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=said) as caught:
        read_array(tmp_path / "a.npy")
    assert str(tmp_path / "a.npy") in str(caught.value)


def test_labels_are_not_pictures(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 3, 4]))
    with pytest.raises(DataError, match=r"a: an IDX file of labels; .*'images'"):
        read_array(tmp_path / "a")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.idx", "a.idx.gz"])
@pytest.mark.parametrize("keep", [3, 12, 200])
def test_damaged_arrays(tmp_path: Path, name: str, keep: int) -> None:
    path = tmp_path / name
    write_array(path, digits()[:50])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=name):
        read_array(path)


@pytest.mark.parametrize("data", [b"", b"text", gzip.compress(b"text"), b"PK\3\4zip", b"\0\0\0\0\0"])
def test_files_that_are_no_arrays(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match="a: "):
        read_array(tmp_path / "a")
    with pytest.raises(DataError, match=r"b: cannot read \(No such file"):
        read_array(tmp_path / "b")


# --- sources and crops ---


def test_an_array_is_a_source_of_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", digits())
    source = load_source(tmp_path / "a.npy")
    train, held = split(source, 0.1)
    assert (len(source), len(train), len(held)) == (1797, 1617, 180)
    assert np.array_equal(held[1].pixels, np.dstack([digits()[10]] * 3))
    assert np.array_equal(train[9].pixels[..., 2], digits()[11])
    batch, _ = Crops(train, 64).batch(0, 5)
    assert batch.shape == (5, 64, 64, 3)
    assert np.array_equal(batch[..., 0], batch[..., 2])


def test_models_of_grey_pictures_get_one_channel() -> None:
    batch, _ = Crops(PictureArray(Path("a.npy"), digits()), 8, colours=1).batch(0, 5)
    assert batch.shape == (5, 8, 8, 1)
    known = {picture.tobytes() for picture in digits()}
    assert any(view.tobytes() in known for view in (batch[0, ..., 0], batch[0, :, ::-1, 0], batch[0, ..., 0].T))


def test_padding_repeats_the_edge_as_the_codec_does() -> None:
    batch, _ = Crops(pictures([(40, 64)]), 64).batch(0, 8)
    for crop in batch:
        across = crop if np.array_equal(crop[40:], crop[39:40].repeat(24, 0)) else crop.transpose(1, 0, 2)
        assert np.array_equal(across[40:], across[39:40].repeat(24, 0))


@pytest.mark.parametrize(
    ("sides", "crop"),
    [
        ([(300, 400)] * 3, 256),
        ([(200, 400)] * 3, 192),
        ([(64, 64)] * 3, 64),
        ([(8, 9)] * 3, 16),
        ([(28, 28)] * 3, 32),
        ([(30, 30), (30, 40), (30, 30)], 48),
        ([(30, 30), (30, 30), (300, 300)], 64),
        ([(30, 30), (400, 300), (300, 300)], 256),
    ],
)
def test_the_crop_suits_the_pictures(sides: Sequence[tuple[int, int]], crop: int) -> None:
    assert fitting_crop(pictures(sides), 256, 16) == crop


def test_crops_of_blocks_are_multiples_of_them() -> None:
    assert fitting_crop(pictures([(28, 28)] * 3), 256, 28) == 28
    assert fitting_crop(pictures([(100, 100)] * 3), 256, 28) == 84


def test_crops_below_a_hyper_latent_are_for_small_pictures_only(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("RGB", (48, 40), (60 * i, 0, 0)).save(tmp_path / f"{i}.png")
    job = Job(tmp_path, tmp_path / "m.safetensors", tmp_path / "run")
    with pytest.raises(DataError, match=r"png: 48 x 40 pixels; crops of 32 make a model of pictures up to that size"):
        train_folder(job, replace(OPTIONS, crop=32), SMALL, report=lambda _: None)
    assert trained(job, replace(OPTIONS, crop=48), SMALL, report=lambda _: None).training.crop == 48


def test_small_crops_are_not_for_the_eye(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("RGB", (48, 40)).save(tmp_path / f"{i}.png")
    job = Job(tmp_path, tmp_path / "m.safetensors", tmp_path / "run")
    options = replace(OPTIONS, crop=48, objective=Objective(distortion="eye"))
    with pytest.raises(DataError, match="crops of 48 pixels are too small for what the eye sees"):
        train_folder(job, options, SMALL, report=lambda _: None)


def test_icons_among_large_pictures_are_left_out() -> None:
    messages: list[str] = []
    mixed = pictures([(300, 300), (40, 300), (300, 300)])
    assert len(large_enough(mixed, 256, messages.append)) == 2
    assert messages == ["left out: 1.png: smaller than 64 pixels"]
    assert len(large_enough(mixed, 64, messages.append)) == 3


def test_sources_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures below it"):
        load_source(tmp_path)
    np.save(tmp_path / "tiny.npy", np.zeros((50, 7, 9), np.uint8))
    with pytest.raises(DataError, match=r"tiny\.npy: pictures of \(7, 9\); at least 8 x 8"):
        load_source(tmp_path / "tiny.npy")
    with pytest.raises(DataError, match=r"but arrays: give one of them, tiny\.npy"):
        load_source(tmp_path)
    Image.new("RGB", (90, 90)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: a single picture"):
        load_source(tmp_path / "a.png")
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "m.safetensors"), "--steps", "1"])
    assert result.exit_code == 1
    assert result.stderr.endswith("at least 4 pictures of 8 x 8 pixels or more are needed, 1 can be used\n")


# --- training on them ---


@pytest.mark.parametrize(("array", "crop"), [(digits()[:60], 16), (tiles(12, 40), 48)], ids=["grey", "colour"])
def test_an_array_becomes_a_codec(tmp_path: Path, array: Pixels, crop: int) -> None:
    np.save(tmp_path / "a.npy", array)
    job = Job(tmp_path / "a.npy", tmp_path / "mine.safetensors", tmp_path / "run", fit_crop=True)
    messages: list[str] = []
    card = trained(job, replace(OPTIONS, crop=256), SMALL, report=messages.append)
    assert f"crops of {crop} x {crop} pixels" in messages
    assert card.training.data.endswith("pictures from a.npy")
    assert load_weights(job.output).card == card
    assert load_codec(job.output).decode(load_codec(job.output).encode(array[0])).shape == array[0].shape


def test_a_fully_connected_model_of_digits(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", digits()[:60])
    job = Job(tmp_path / "a.npy", tmp_path / "mine.safetensors", tmp_path / "run", fit_crop=True)
    config = FullyConnectedConfig(8, 4, 8, 8, block=8, nodes=16, layers=1, colours=1)
    card = trained(job, OPTIONS, config, report=lambda _: None)
    assert card.config == config
    np.save(tmp_path / "a.npy", tiles(12, 40))
    other = replace(job, folder=tmp_path / "other")
    with pytest.raises(DataError, match="in colour, but the model is for grey ones only"):
        train_folder(other, OPTIONS, config, report=lambda _: None)
