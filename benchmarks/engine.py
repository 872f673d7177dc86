"""How fast the fixed-point engine multiplies: the layers of the synthesis of `photo`, and all of it.

    python benchmarks/engine.py [--output engine.json]

Every row is one layer on one thread, in thousand million multiply-adds per second, for each of the kernels that this
machine can run and for PyTorch's float32. "peak" is a loop of nothing but multiply-adds (benchmarks/multiply_add.c,
compiled when it is needed). Seconds are the processor's, and the fastest of many short runs counts, so that a busy
machine does not matter much.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import numpy as np
import torch
from torch.nn import functional as F

from aecodec.engine import Dense, DepthToSpace, Depthwise, Layer, Network, Sum, ToPixels, available

SHAPES = ((256, 256), (256, 512), (512, 256), (256, 640), (160, 160), (160, 320), (320, 160), (160, 192))
GRID = 4, 48  # positions, so few that a run is over before another process interrupts it
OPERATIONS = {"avx2": 8 * 16, "avx512vnni": 12 * 32, "neon": 16 * 4}  # multiply-adds in a round of the peak loop
ROUNDS = 20_000


def fastest(work: Callable[[], object], seconds: float) -> float:
    """Of the runs that fit into so many seconds, after a first one."""
    work()
    times: list[float] = []
    end = thread_time() + seconds
    while not times or thread_time() < end:
        began = thread_time()
        work()
        times.append(thread_time() - began)
    return min(times)


def peak(kernels: str, seconds: float) -> float | None:
    """Thousand million multiply-adds per second that the instructions of some kernels could do."""
    if kernels not in OPERATIONS:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "multiply_add.so"
        source = Path(__file__).with_name("multiply_add.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        loop = getattr(ctypes.CDLL(str(library)), kernels)
    loop.argtypes = [ctypes.c_int64]
    return OPERATIONS[kernels] * ROUNDS / fastest(lambda: loop(ROUNDS), seconds) / 1e9


def dense(inputs: int, outputs: int, slope: int | None = None) -> Dense:
    weight = np.random.default_rng(0).integers(-4096, 4097, (inputs, outputs), np.int16)
    return Dense(weight, np.zeros(outputs, np.int32), np.full(outputs, 15, np.uint8), slope)


def block(channels: int) -> tuple[Layer, ...]:
    weight = np.random.default_rng(0).integers(-4096, 4097, (9, channels), np.int16)
    spatial = Depthwise(weight, np.zeros(channels, np.int32), np.full(channels, 14, np.uint8))
    return (
        Sum((), (dense(channels, channels, 3277), spatial, dense(channels, channels))),
        Sum((), (dense(channels, 2 * channels, 3277), dense(2 * channels, channels))),
    )


def synthesis() -> tuple[Layer, ...]:
    """In the shape of `photo`'s, with random weights."""
    blocks = (layer for _ in range(3) for layer in block(160))
    return *block(256), dense(256, 640), DepthToSpace(2), *blocks, dense(160, 192), ToPixels(8, 6)


def macs(layers: tuple[Layer, ...], positions: int) -> int:
    """Multiply-adds of layers at so many positions."""
    total = 0
    for layer in layers:
        match layer:
            case Dense(weight=weight) | Depthwise(weight=weight):
                total += positions * weight.size
            case Sum(first=first, second=second):
                total += macs(first, positions) + macs(second, positions)
            case DepthToSpace(block=side):
                positions *= side**2
    return total


def speed(layers: tuple[Layer, ...], kernels: str, seconds: float) -> float:
    """Thousand million multiply-adds per second."""
    channels = 256
    for layer in layers[:1]:
        if isinstance(layer, Dense):
            channels = len(layer.weight)
    x = np.random.default_rng(1).integers(-2000, 2000, (1, *GRID, channels), np.int16)
    network = Network(layers, kernels)
    return macs(layers, GRID[0] * GRID[1]) / fastest(lambda: network(x), seconds) / 1e9


def torch_speed(inputs: int, outputs: int, seconds: float) -> float:
    """The same of PyTorch's float32."""
    x = torch.randn(GRID[0] * GRID[1], inputs)
    weight, bias = torch.randn(outputs, inputs), torch.randn(outputs)
    with torch.inference_mode():
        time = fastest(lambda: F.leaky_relu_(F.linear(x, weight, bias), 0.1), seconds)
    return x.numel() * outputs / time / 1e9


def measure(seconds: float) -> dict[str, object]:
    native = [name for name in available() if name != "numpy"]
    peaks = {name: peak(name, seconds) for name in native}
    rows: dict[str, dict[str, float]] = {}
    for inputs, outputs in SHAPES:
        row = {name: speed((dense(inputs, outputs, 3277),), name, seconds) for name in native}
        rows[f"{inputs} -> {outputs}"] = row | {"PyTorch float32": torch_speed(inputs, outputs, seconds)}
    rows["synthesis"] = {name: speed(synthesis(), name, seconds) for name in available()}
    return {
        "machine": f"{platform.machine()} {processor()}",
        "torch": torch.__version__,
        "peak": {name: value and round(value, 1) for name, value in peaks.items()},
        "gmac_per_second": {name: {k: round(v, 1) for k, v in row.items()} for name, row in rows.items()},
        "share_of_peak": {
            name: {k: round(v / value, 3) for k, v in row.items() if (value := peaks.get(k))}
            for name, row in rows.items()
        },
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON; without it, it is printed")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = json.dumps(measure(arguments.seconds), indent=2) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
