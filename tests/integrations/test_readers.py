"""Libraries of others read ``.aec`` files: webdataset, Hugging Face datasets, imageio."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import aecodec.pillow  # noqa: F401  what datasets and imageio read with
from aecodec.codec import Codec
from aecodec.stack import decode_stack, encode_stack
from aecodec.webdataset import decoder
from tests.conftest import TINY

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECODEC_MODELS", str(TINY.parent))


@pytest.fixture
def data(tiny: Codec, picture: Pixels) -> bytes:
    return tiny.encode(picture, 50)


def test_decoder_leaves_other_fields_alone(data: bytes, tiny: Codec) -> None:
    assert decoder(".cls", b"3") is None
    pixels = decoder(".small.AEC", data)
    assert pixels is not None and np.array_equal(pixels, tiny.decode(data))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it does not close its shards
def test_webdataset(tmp_path: Path, data: bytes, tiny: Codec, picture: Pixels) -> None:
    webdataset = pytest.importorskip("webdataset")
    stack = encode_stack(picture[None, :64, :64], 50, tiny)
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for name, content in {"a.aec": data, "a.cls": b"3", "b.aec": stack, "b.cls": b"4"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            shard.addfile(entry, io.BytesIO(content))
    dataset = webdataset.WebDataset(str(tmp_path / "shard.tar"), shardshuffle=False)
    samples = list(dataset.decode(decoder).to_tuple("aec", "cls"))
    assert [label for _, label in samples] == [3, 4]
    assert np.array_equal(samples[0][0], tiny.decode(data))
    assert np.array_equal(samples[1][0], decode_stack(stack))


def test_hugging_face_datasets(tmp_path: Path, data: bytes, tiny: Codec) -> None:
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "x.aec"
    path.write_bytes(data)
    dataset = datasets.Dataset.from_dict({"image": [str(path)], "label": [3]})
    dataset = dataset.cast_column("image", datasets.Image())
    assert np.array_equal(np.asarray(dataset[0]["image"]), tiny.decode(data))


def test_imageio(tmp_path: Path, data: bytes, tiny: Codec, picture: Pixels) -> None:
    imageio = pytest.importorskip("imageio.v3")
    (tmp_path / "x.aec").write_bytes(data)
    assert np.array_equal(imageio.imread(tmp_path / "x.aec", plugin="pillow"), tiny.decode(data))
    imageio.imwrite(tmp_path / "y.aec", picture, plugin="pillow", quality=50, model="tiny")
    assert (tmp_path / "y.aec").read_bytes() == data
