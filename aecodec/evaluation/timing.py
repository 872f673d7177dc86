"""How long codecs take and how much memory, in processes that may use only so many threads."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from aecodec.evaluation.measure import MeasuredCodec
from aecodec.evaluation.metrics import Pixels
from aecodec.evaluation.results import Memory, Time
from aecodec.evaluation.sources import Source

ENOUGH = 0.1  # seconds after which an action is not repeated
REPETITIONS = 5
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def processes(count: int, threads: int, alone: bool = False) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes, each computing with so many threads; a process serves one call only where ``alone``."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update({name: str(threads) for name in THREADS})  # read by libraries when they are imported
    try:
        tasks = 1 if alone else None
        pool = ProcessPoolExecutor(count, get_context("spawn"), _leave_interrupts, max_tasks_per_child=tasks)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that waits: it stops handing out work and ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def time_codec(codec: MeasuredCodec, source: Source, qualities: Sequence[int]) -> list[Time]:
    """Time one codec on one picture; it has been warmed up by a small one."""
    pixels = source.read()
    _warm_up(codec, qualities[0])
    times = []
    for quality in qualities:
        data, encode = _shortest(partial(codec.encode, pixels, quality))
        _, decode = _shortest(partial(codec.decode, data))
        times.append(Time(codec.name, source.name, quality, encode, decode))
    return times


def _shortest(action: partial[bytes] | partial[Pixels]) -> tuple[bytes, float]:
    """What an action gives, and the seconds of the fastest of its repetitions."""
    result = b""
    seconds: list[float] = []
    while len(seconds) < REPETITIONS and sum(seconds) < ENOUGH:
        start = perf_counter()
        given = action()
        seconds.append(perf_counter() - start)
        result = given if isinstance(given, bytes) else result
    return result, min(seconds)


def peak_memory(pool: ProcessPoolExecutor, codec: MeasuredCodec, source: Source, quality: int) -> Memory | None:
    """What a codec adds at its peak, encoding and decoding in a fresh process each; None where that is not known.

    The processes of ``pool`` must serve one call each.
    """
    loaded, encode, data = pool.submit(_encode_peak, codec, source, quality).result()
    decode = pool.submit(_decode_peak, codec, data, quality).result()
    return Memory(loaded, encode, decode) if loaded else None


def _encode_peak(codec: MeasuredCodec, source: Source, quality: int) -> tuple[int, int, bytes]:
    """Resident bytes before encoding (0 where unknown), what encoding adds at its peak, and the file."""
    pixels = source.read()
    _warm_up(codec, quality)
    before = _forget_peak()
    data = codec.encode(pixels, quality)
    return before, _added(before), data


def _decode_peak(codec: MeasuredCodec, data: bytes, quality: int) -> int:
    _warm_up(codec, quality)
    before = _forget_peak()
    codec.decode(data)
    return _added(before)


def _warm_up(codec: MeasuredCodec, quality: int) -> None:
    codec.decode(codec.encode(np.zeros((64, 64, 3), np.uint8), quality))


def _forget_peak() -> int:
    """Set the peak of this process's memory back to what it has now, in bytes; 0 where that cannot be done."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return 0


def _added(before: int) -> int:
    return max(0, _status("VmHWM") - before) if before else 0


def _status(name: str) -> int:
    """An entry of the process's status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name + ":")).split()[1])
