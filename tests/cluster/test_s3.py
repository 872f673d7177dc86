"""A real S3 server, on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("s3fs")
pytest.importorskip("moto")

import s3fs
from moto.server import ThreadedMotoServer

from aecodec.cluster.bulk import run
from aecodec.cluster.outputs import Layout
from aecodec.cluster.worker import Job
from aecodec.codec import Codec
from tests.cluster.test_bulk import COMPRESSION, PICTURES, png


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.makedirs("photos", exist_ok=True)
    yield system
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.parametrize("layout", Layout)
def test_from_bucket_to_bucket(bucket: s3fs.S3FileSystem, tiny: Codec, layout: Layout) -> None:
    for name, pixels in PICTURES.items():
        bucket.pipe_file(f"photos/in/{name}", png(pixels))
    job = Job(COMPRESSION, f"s3://photos/{layout}", layout)
    assert sum(summary.done for summary in run(job, ["s3://photos/in/"], recursive=True, size=2)) == 4
    if layout == Layout.FOLDER:
        assert bucket.cat_file("photos/folder/a/0.aec") == tiny.encode(PICTURES["a/0.png"], 50)
    else:
        assert len(bucket.glob(f"photos/{layout}/part-*.{layout}")) == 2
    assert list(run(job, ["s3://photos/in/"], recursive=True, size=2)) == []
