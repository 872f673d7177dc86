"""``compress`` and ``decompress`` as steps of a Ray Dataset: what a worker does, and both on a cluster."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from aecodec.cluster.coding import Compression, Decompression
from aecodec.cluster.steps import _Step, compress, decompress
from aecodec.codec import Codec
from aecodec.options import Options
from tests.conftest import TINY
from tests.picture_files import file_of
from tests.training_data import tiles

FILES = [file_of(tile).getvalue() for tile in tiles(3, 24)]


def column(values: list[bytes]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_a_step_replaces_bytes_and_keeps_other_columns(tiny: Codec) -> None:
    step = _Step(Compression(TINY.read_bytes(), Options(50)), "bytes")
    batch = step({"bytes": column([FILES[0], b"no picture"]), "label": np.array([3, 4])})
    assert batch["label"].tolist() == [3, 4]
    assert batch["bytes"].tolist() == [tiny.encode(tiles(1, 24)[0], 50), b""]
    assert batch["error"][0] is None and "not a picture" in batch["error"][1]
    assert (batch["width"][0], batch["source_bytes"][0], batch["width"][1]) == (24, len(FILES[0]), None)


def test_arrays_of_pixels_are_pictures_too(tiny: Codec) -> None:
    pixels = tiles(2, 24)
    batch = _Step(Compression(TINY.read_bytes(), Options(50)), "image")({"image": pixels})
    assert batch["image"].tolist() == [tiny.encode(each, 50) for each in pixels]


def test_the_way_back(tiny: Codec) -> None:
    coded = tiny.encode(tiles(1, 24)[0], 50)
    (data,) = _Step(Decompression((TINY.read_bytes(),)), "bytes")({"bytes": column([coded])})["bytes"]
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), tiny.decode(coded))


@pytest.fixture
def ray() -> Iterator[object]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("pyarrow")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
    yield ray
    ray.shutdown()


@pytest.mark.cluster
@pytest.mark.usefixtures("ray")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_steps_on_a_cluster(tiny: Codec) -> None:
    import ray.data

    dataset = ray.data.from_items([{"bytes": data, "label": i} for i, data in enumerate(FILES)])
    rows = sorted(decompress(compress(dataset, 50, TINY), [TINY]).take_all(), key=lambda row: row["label"])
    assert [row["bytes"][:4] for row in rows] == [b"\x89PNG"] * 3
    assert [row["model"] for row in rows] == [tiny.id.hex()] * 3
