"""A worker, a node or the driver is lost in the middle of a run: no picture is, and none is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pyarrow")

import pyarrow.parquet as pq

from aecodec.cluster.bulk import run
from aecodec.cluster.coding import Coded, Compression, Compressor
from aecodec.cluster.worker import Job
from aecodec.codec import Codec
from aecodec.options import Options
from tests.conftest import TINY
from tests.training_data import tiles

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own

COUNT = 16
TOO_LONG = 240.0  # seconds


@dataclass(frozen=True)
class Slow(Compression):
    """So that there is a middle."""

    def coder(self) -> Compressor:
        return SlowCompressor(self)


class SlowCompressor(Compressor):
    """Half a second a picture, and the end of the process for one."""

    def __call__(self, data: bytes) -> Coded:
        time.sleep(0.5)
        if data == b"deadly":
            os._exit(1)
        return super().__call__(data)


SLOW = Slow(TINY.read_bytes(), Options(50))


@pytest.fixture
def folder(here: Path) -> Path:
    for i, pixels in enumerate(tiles(COUNT, 24)):
        path = here / "in" / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return here / "in"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one processor each, and a head that has none."""
    monkeypatch.setenv("RAY_health_check_failure_threshold", "60")  # on a busy machine they miss their checks
    utilities = pytest.importorskip("ray.cluster_utils")
    cluster = utilities.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 2**27, "include_dashboard": False}
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=2**27) for _ in range(2)]
    ray = pytest.importorskip("ray")
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


def done(output: Path) -> int:
    return len(list(output.glob("*.aec")))


def when_some_are_done(output: Path, action: Callable[[], None]) -> threading.Thread:
    """Do it in the middle of the run."""

    def wait() -> None:
        began = time.monotonic()
        while done(output) < COUNT // 4 and time.monotonic() - began < TOO_LONG:
            time.sleep(0.05)
        assert done(output) < COUNT
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def check(output: Path, tiny: Codec) -> None:
    """All of them, once, with the bytes of one picture by itself."""
    rows = pq.read_table(output / "_manifest").to_pylist()
    assert Counter(row["name"] for row in rows) == Counter(f"{i:02d}.png" for i in range(COUNT))
    assert {row["error"] for row in rows} == {None}
    assert done(output) == COUNT
    for i, pixels in enumerate(tiles(COUNT, 24)):
        assert (output / f"{i:02d}.aec").read_bytes() == tiny.encode(np.asarray(pixels), 50)


def coding_processes() -> list[int]:
    """Workers of Ray that have something to do; it has other processes, without which a node is lost."""
    parents, names = dict[int, int](), dict[int, bytes]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            names[int(process.name)] = (process / "cmdline").read_bytes()
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue

    def is_ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_ours(parents[process]))

    return [process for process, name in names.items() if name.startswith(b"ray::Map") and is_ours(process)]


def test_a_lost_worker(cluster: Any, folder: Path, tiny: Codec) -> None:
    killed: list[int] = []

    def kill() -> None:
        killed.extend(coding_processes()[:1])
        os.kill(killed[0], signal.SIGKILL)

    thread = when_some_are_done(Path("out"), kill)
    summaries = list(run(Job(SLOW, "out"), [str(folder)], recursive=True, cluster="auto", size=1))
    thread.join()
    assert killed
    assert (sum(s.done for s in summaries), sum(s.failed for s in summaries)) == (COUNT, 0)
    check(Path("out"), tiny)


def test_a_lost_node(cluster: Any, folder: Path, tiny: Codec) -> None:
    made, nodes = cluster
    thread = when_some_are_done(Path("out"), lambda: made.remove_node(nodes[1], allow_graceful=False))
    summaries = list(run(Job(SLOW, "out"), [str(folder)], recursive=True, cluster="auto", size=1))
    thread.join()
    assert (sum(s.done for s in summaries), sum(s.failed for s in summaries)) == (COUNT, 0)
    check(Path("out"), tiny)


def test_a_picture_that_every_worker_dies_of(cluster: Any, folder: Path, tiny: Codec) -> None:
    (folder / "zz.png").write_bytes(b"deadly")
    summaries = list(run(Job(SLOW, "out"), [str(folder)], recursive=True, cluster="auto", size=1))
    (failed,) = [failure for summary in summaries for failure in summary.failures]
    assert "zz.png: given up" in failed
    assert sum(s.done for s in summaries) == COUNT
    check(Path("out"), tiny)


PROGRAM = """
import sys
from aecodec.cluster.bulk import run
from aecodec.cluster.worker import Job
from tests.cluster.test_loss import SLOW
print(sum(s.done for s in run(Job(SLOW, "out"), ["in"], recursive=True, cluster="local", size=1)))
"""


def test_a_lost_driver(folder: Path, tiny: Codec) -> None:
    pytest.importorskip("ray")
    command = [sys.executable, "-c", PROGRAM]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        thread = when_some_are_done(Path("out"), driver.kill)
        driver.wait(TOO_LONG)
        thread.join()
        assert driver.returncode == -signal.SIGKILL
    before = len(list(Path("out/_manifest").glob("part-*.parquet")))
    assert 0 < before < COUNT
    time.sleep(5)  # Ray's processes see that their driver is gone, and end
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TOO_LONG, check=True)
    assert int(again.stdout) <= COUNT - before  # what was finished is not done again
    check(Path("out"), tiny)
