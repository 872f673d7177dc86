"""Weights files: found by name, path or id, verified, and refused with a reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import aecodec
from aecodec.card import VERSION
from aecodec.codec import Codec, load_codec
from aecodec.errors import MissingModel, ModelError
from aecodec.networks.config import ConvolutionalConfig
from aecodec.networks.model import Model
from aecodec.weights import SHIPPED, Arrays, describe, find, find_by_id, installed, load_weights, save_weights

TINY = Path(__file__).parent / "golden" / "tiny.safetensors"


def test_the_shipped_model_keeps_its_promises() -> None:
    card = describe(find("photo"))
    encode, decode, prior = card.kilo_macs
    assert encode <= 15
    assert decode <= 12
    assert prior <= 3
    assert card.parameters < 5_000_000
    assert card.parameters == sum(p.numel() for p in Model(card.config).parameters())
    assert card.training.steps >= 1000
    assert card.licence
    assert find("photo").name == f"photo-{card.id}.safetensors"


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    weights = load_weights(TINY)
    first = save_weights(tmp_path / "a.safetensors", weights.card, weights.arrays)
    assert save_weights(tmp_path / "b.safetensors", weights.card, weights.arrays) == first
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert load_weights(tmp_path / "a.safetensors").card == replace(weights.card, id=first.hex())


def test_names_paths_and_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_MODELS", str(TINY.parent))
    assert find("tiny") == find(TINY) == TINY
    assert TINY in installed()
    assert find_by_id(load_weights(TINY).id) == TINY


def test_a_file_called_like_a_model_does_not_take_its_place(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "photo").write_text("notes on my photos")
    (here / "cells.safetensors").mkdir()
    assert describe(find("photo")).name == "photo"
    assert describe(find("cells")).name == "cells"
    (here / "mine").write_bytes(TINY.read_bytes())
    with pytest.raises(ModelError, match=r"no model named 'mine'; .*; for the file of that name write \./mine"):
        find("mine")
    for name in ("./mine", Path("mine"), here / "mine", str(here / "mine")):
        assert load_weights(find(name)).card.name == "tiny"
    (here / "mine").rename(here / "mine.weights")
    assert load_weights(find("mine.weights")).card.name == "tiny"


def test_what_else_is_among_the_installed_models_does_not_matter(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to a model by its name, nor to one by its id."""
    (here / "a.safetensors").write_bytes(b"nonsense")
    (here / "b.safetensors").mkdir()
    (here / "c.safetensors").symlink_to("nowhere")
    (here / "d.safetensors").symlink_to("d.safetensors")
    with (here / "e.safetensors").open("wb") as file:
        file.truncate(10**12)  # a sparse one
    (here / "photo.safetensors").write_bytes(b"nonsense")
    (here / "tiny.safetensors").write_bytes(TINY.read_bytes())
    folders = [here / "a.safetensors", here / "missing", here]
    monkeypatch.setenv("AECODEC_MODELS", os.pathsep.join(map(str, folders)))
    assert find("tiny") == here / "tiny.safetensors"
    assert find_by_id(load_weights(TINY).id) == here / "tiny.safetensors"
    assert describe(find("photo")).name == "photo"
    with pytest.raises(MissingModel, match=r"the file needs the model 0000.*, which is not here; looked in .*missing"):
        find_by_id(bytes(len(load_weights(TINY).id)))


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    weights = load_weights(TINY)
    path = tmp_path / "m.safetensors"
    save_weights(path, weights.card, weights.arrays)
    first = load_codec(path)
    assert load_codec(path) is first
    save_weights(path, replace(weights.card, name="other"), weights.arrays)
    assert load_codec(path).card.name == "other"


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "no model named 'nowhere'; installed: .*photo"), ("a/b.safetensors", "no such weights file")],
)
def test_missing_models(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        find(name)


def damaged(tmp_path: Path, change: object) -> Path:
    data = bytearray(TINY.read_bytes())
    assert callable(change)
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(change(data)))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"no weights",
        lambda data: data[: len(data) // 2],
        lambda data: data[:8] + b"X" + data[9:],
        lambda data: b"\xff" * 8 + data[8:],
    ],
    ids=["empty", "text", "half", "header", "length"],
)
def test_damaged_files_name_themselves(tmp_path: Path, change: object) -> None:
    with pytest.raises(ModelError, match=r"damaged\.safetensors"):
        load_codec(damaged(tmp_path, change))


def test_any_other_weights_are_another_model(tmp_path: Path) -> None:
    """A bit that changes in the weights changes the id: what was made with them says so."""

    def change(data: bytearray) -> bytearray:
        data[-100] ^= 1
        return data

    assert load_weights(damaged(tmp_path, change)).id != load_weights(TINY).id


def rewritten(tmp_path: Path, change: object = None, **fields: object) -> Path:
    arrays: Arrays = load_file(TINY)
    if change is not None:
        assert callable(change)
        change(arrays)
    card = {k: v for k, v in asdict(load_weights(TINY).card).items() if k != "id"} | {"version": VERSION} | fields
    path = tmp_path / "rewritten.safetensors"
    save_file(arrays, path, {"aecodec": json.dumps(card)})
    return path


@pytest.mark.parametrize(
    "fields",
    [{"version": VERSION + 1}, {"config": {"channels": 16, "unknown": 1}}, {"training": 3}, {"surprise": 1}],
    ids=["later version", "unknown shape", "no record", "unknown field"],
)
def test_cards_that_are_not_understood(tmp_path: Path, fields: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"rewritten\.safetensors"):
        load_weights(rewritten(tmp_path, **fields))


def test_another_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelError, match="not an aecodec weights file"):
        load_weights(path)


def _spoil(name: str, value: float) -> object:
    def change(arrays: Arrays) -> None:
        spoilt = arrays[name].copy()
        spoilt.reshape(-1)[0] = value
        arrays[name] = spoilt

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("analysis.1.weight"),
        lambda arrays: arrays.pop("context.0.bias"),
        lambda arrays: arrays.pop("latent_tables.size"),
        lambda arrays: arrays.update({name: np.tile(arrays[name], 2) for name in arrays if "hyper_tables" in name}),
        lambda arrays: arrays.update({"gains.encode": np.zeros((3, 5), np.int32)}),
        lambda arrays: arrays.update({"analysis.1.weight": arrays["analysis.1.weight"].astype(np.float32)}),
        lambda arrays: arrays.update({"analysis.1.shift": arrays["analysis.1.shift"] + np.uint8(32)}),
        _spoil("analysis.1.weight", -(2**15)),
        _spoil("gains.encode", 2**31 - 1),
        _spoil("gains.positions", 1),
        _spoil("analysis.fraction", 16),
        _spoil("latent_tables.frequencies", 0),
        _spoil("latent_tables.frequencies", 60000),
        lambda arrays: arrays.update({"analysis.1.scale": np.zeros(1, np.int32)}),
    ],
    ids=[
        "network",
        "layer",
        "tables",
        "sets of tables",
        "shape",
        "type",
        "shift",
        "weight",
        "gain",
        "positions",
        "fraction",
        "zero frequency",
        "sum",
        "unknown",
    ],
)
def test_tensors_that_do_not_fit(tmp_path: Path, change: object) -> None:
    with pytest.raises(ModelError):
        Codec(load_weights(rewritten(tmp_path, change)))


def test_a_config_that_does_not_fit_its_tensors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="configuration"):
        Codec(load_weights(rewritten(tmp_path, config=asdict(ConvolutionalConfig()))))


def _with_gains_of(kind: type) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({"gains.encode": arrays["gains.encode"].astype(kind)})


def test_gains_are_integers_of_their_type(tmp_path: Path) -> None:
    for kind in (np.float64, np.int64, np.uint8):
        with pytest.raises(ModelError, match="gains that are not int32"):
            Codec(load_weights(rewritten(tmp_path, _with_gains_of(kind))))


def test_a_missing_model_that_was_shipped_is_named() -> None:
    identity, name = next(iter(SHIPPED.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aecodec.weights.installed", lambda: iter(()))
        with pytest.raises(MissingModel, match=f"needs the model {name} {identity}, which is not here"):
            find_by_id(bytes.fromhex(identity))


def test_public_names() -> None:
    assert len(aecodec.__all__) <= 24
    for name in aecodec.__all__:
        assert getattr(aecodec, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = aecodec.nothing
