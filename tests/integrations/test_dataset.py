"""``.aec`` files and stacks in a PyTorch DataLoader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from torch.utils.data import DataLoader

from aecodec.codec import Codec
from aecodec.dataset import AecDataset
from aecodec.errors import DataError
from aecodec.stack import decode_stack, encode_stack
from tests.conftest import TINY
from tests.training_data import tiles


@pytest.fixture
def folder(tmp_path: Path, tiny: Codec, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures, and between them a stack of five."""
    monkeypatch.setenv("AECODEC_MODELS", str(TINY.parent))
    for name, tile in zip("acd", tiles(3, 32), strict=True):
        (tmp_path / f"{name}.aec").write_bytes(tiny.encode(tile, 50))
    (tmp_path / "b.aec").write_bytes(encode_stack(tiles(5, 32), 50, tiny))
    return tmp_path


def test_pictures_and_those_of_stacks_in_order(folder: Path, tiny: Codec) -> None:
    dataset = AecDataset(folder)
    assert len(dataset) == 8
    assert np.array_equal(dataset[0], tiny.decode((folder / "a.aec").read_bytes()))
    assert np.array_equal(np.stack([dataset[i] for i in range(1, 6)]), decode_stack((folder / "b.aec").read_bytes()))
    assert np.array_equal(dataset[-1], tiny.decode((folder / "d.aec").read_bytes()))
    with pytest.raises(IndexError):
        dataset[8]


@pytest.mark.parametrize("start", ["fork", "spawn"])
# Ours are there already: PyTorch keeps some, and forking with threads is what users do.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_workers(folder: Path, start: str) -> None:
    dataset = AecDataset(folder, np.float32)
    loader = DataLoader(dataset, batch_size=3, num_workers=1, multiprocessing_context=start)
    batches = [batch.numpy() for batch in loader]
    assert np.array_equal(np.concatenate(batches), np.stack([dataset[i] for i in range(8)]))


def test_files_and_models_given(tmp_path: Path, tiny: Codec) -> None:
    path = tmp_path / "x.aec"
    path.write_bytes(tiny.encode(skimage.data.camera()[:64, :64], 50))
    assert AecDataset([path], models=[TINY])[0].shape == (64, 64)
    with pytest.raises(DataError, match=r"x\.aec: the file needs the model"):
        AecDataset([path])[0]


def test_what_is_no_aec_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.aec").write_bytes(b"no")
    with pytest.raises(DataError, match=r"x\.aec: "):
        AecDataset(tmp_path)
