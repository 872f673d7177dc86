"""Bulk coding on this machine: speed and memory by number of pictures and workers; with --kill, what survives a kill.

::

    python benchmarks/cluster.py --pictures 1000 5000 --workers 1 2 -o benchmarks/results/cluster.json
    python benchmarks/cluster.py --kill 10

Every run is a process of its own. Memory is the peak of the resident set: of the driver, and of the largest worker.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import skimage.data
from PIL import Image

SIDE = 64  # of a picture, less with --side
ROUNDS = 40  # of a run that is killed again and again, at most


def make_pictures(folder: Path, count: int, side: int = SIDE) -> None:
    """Different crops of one photograph, in folders of 100."""
    photo = skimage.data.astronaut()
    places = np.random.default_rng(0).integers(0, 512 - side, (count, 2))
    for i, (y, x) in enumerate(places):
        path = folder / f"{i // 100:03d}" / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[y : y + side, x : x + side]).save(path, compress_level=1)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aecodec", "compress", "-r", *map(str, arguments)]


def run_on_ray(source: str, output: str, workers: int) -> None:
    """In a process of its own: ``cluster.py --one``; prints seconds without Ray's start, and peaks of memory."""
    import ray

    from aecodec.cluster.bulk import run
    from aecodec.cluster.coding import Compression, weights_bytes
    from aecodec.cluster.worker import Job

    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
    began, largest = time.perf_counter(), 0
    for _ in run(Job(Compression(weights_bytes("photo")), output), [source], recursive=True, cluster="local"):
        largest = max([largest, *worker_bytes()])
    seconds = time.perf_counter() - began
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "driver_bytes": driver, "worker_bytes": largest}))


def worker_bytes() -> Iterator[int]:
    """Peaks of the resident sets of the workers that there are."""
    for process in workers_of_ray():
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        yield from (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def descendants(process: int) -> Iterator[int]:
    for child in subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True).stdout.split():
        yield int(child)
        yield from descendants(int(child))


def workers_of_ray(driver: int | None = None) -> list[int]:
    """Processes that code, below this one or another."""
    found = []
    for process in descendants(driver or os.getpid()):
        try:
            name = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::Map"):  # Ray has other processes, without which a node is lost
            found.append(process)
    return found


def measure(pictures: list[int], workers: list[int], side: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in pictures:
            source = Path(folder, f"in-{count}")
            make_pictures(source, count, side)
            for name, address in (("plain command", str(source)), ("by addresses", f"file://{source}")):
                began = time.perf_counter()
                done = subprocess.Popen(command(address, "-o", f"{folder}/{name}-{count}", "--quiet", "--threads", 1))
                _, code, usage = os.wait4(done.pid, 0)
                assert code == 0
                seconds = time.perf_counter() - began
                rows.append(
                    {"how": name, "pictures": count, "seconds": seconds, "driver_bytes": usage.ru_maxrss * 1024}
                )
                print(rows[-1], flush=True)
            for number in workers:
                arguments = [
                    sys.executable,
                    __file__,
                    "--one",
                    str(source),
                    f"{folder}/ray-{number}-{count}",
                    str(number),
                ]
                printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
                row = json.loads(printed.splitlines()[-1])
                rows.append({"how": "Ray", "workers": number, "pictures": count, **row})
                print(rows[-1], flush=True)
    return rows


def kill_again_and_again(rounds: int, seed: int, pictures: int = 400) -> dict[str, object]:
    """Kill worker or driver at random moments until the run is through; then compare with an undisturbed run."""
    random.seed(seed)
    killed = {"worker": 0, "driver": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder / "in", pictures)
        subprocess.run(command(folder / "in", "-o", folder / "plain", "--quiet"), check=True)
        bulk = command(folder / "in", "-o", folder / "out", "--quiet", "--cluster", "local")
        for _ in range(ROUNDS):
            process = subprocess.Popen(bulk, start_new_session=True)
            if sum(killed.values()) < rounds:
                time.sleep(random.uniform(20, 60))
                workers = workers_of_ray(process.pid)
                victim = random.choice(["worker", "driver"]) if workers else "driver"
                if process.poll() is None:
                    os.kill(random.choice(workers) if victim == "worker" else process.pid, signal.SIGKILL)
                    killed[victim] += 1
            if process.wait() == 0:
                break
            time.sleep(5)  # Ray's processes see that their driver is gone, and end
        rows = pq.read_table(folder / "out" / "_manifest").to_pylist()
        same = all(
            path.read_bytes() == (folder / "out" / path.relative_to(folder / "plain")).read_bytes()
            for path in (folder / "plain").rglob("*.aec")
        )
    names = [row["name"] for row in rows]
    return {
        "killed": killed,
        "pictures": pictures,
        "in the manifest": len(names),
        "more than once": len(names) - len(set(names)),
        "failed": sum(row["error"] is not None for row in rows),
        "same bytes as the plain command": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--kill", type=int, metavar="TIMES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one", nargs=3, metavar=("IN", "OUT", "WORKERS"), help="one run on Ray; used by this script")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.one:
        run_on_ray(options.one[0], options.one[1], int(options.one[2]))
        return
    results: object
    if options.kill:
        results = kill_again_and_again(options.kill, options.seed)
        print(results)
    else:
        results = measure(options.pictures, options.workers, options.side)
    if options.output:
        options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
