"""Measure codecs on a folder of pictures, and go on where an earlier run stopped.

Two passes: sizes and scores, in several processes; then times and memory, with nothing else running. The result file is
written after every picture of a codec, so a run can be stopped at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from aecodec.errors import AecError
from aecodec.evaluation.codecs import Model
from aecodec.evaluation.extra import BenchError, version
from aecodec.evaluation.metrics import as_rgb, ms_ssim, psnr, ssimulacra2
from aecodec.evaluation.results import Codec, Results, Row, Time, Timing, read_results, write_results
from aecodec.evaluation.rivals import Rival, machine
from aecodec.evaluation.sources import Source
from aecodec.evaluation.timing import peak_memory, processes, time_codec
from aecodec.sampling import evenly

METRICS = ("pytorch-msssim", "ssimulacra2")
Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to measure: ``jobs`` processes for the scores, ``threads`` for each codec, ``timed`` pictures for times.

    With ``retime``, times and memory are measured again even where they are known.
    """

    jobs: int = 1
    threads: int = 1
    timed: int = 8
    ssimulacra2: bool = True
    retime: bool = False


def measure_picture(rival: Rival, source: Source, qualities: Sequence[int], with_ssimulacra2: bool) -> list[Row]:
    """Code and restore a picture at each quality, and score what is restored. Exact pixels need no computing."""
    original = source.read()
    reference = as_rgb(original)
    rows = []
    for quality in qualities:
        data = rival.encode(original, quality)
        restored = as_rgb(rival.decode(data))
        if np.array_equal(reference, restored):
            rows.append(Row(rival.name, source.name, quality, len(data), None, 1.0, 100.0))
            continue
        scores = (
            psnr(reference, restored),
            ms_ssim(reference, restored),
            ssimulacra2(reference, restored) if with_ssimulacra2 else None,
        )
        rows.append(Row(rival.name, source.name, quality, len(data), *scores))
    return rows


def run(
    rivals: Sequence[Rival], sources: Sequence[Source], path: Path, options: Options, title: str, report: Report
) -> Results:
    """Measure what ``path`` does not hold yet, and write it there. Raises BenchError."""
    known = read_results(path) if path.exists() else Results(title)
    results = _reusable(known, rivals, sources, title, options)
    with processes(options.jobs, options.threads) as pool:
        for rows in _measure(pool, rivals, sources, results, options, report):
            results = replace(results, rows=(*results.rows, *rows))
            write_results(path, results)
    results = _stamped(results, options.threads)
    with processes(1, options.threads) as pool:
        for times in _time(pool, rivals, sources, results, options, report):
            results = replace(results, times=(*results.times, *times))
            write_results(path, results)
    with processes(1, options.threads, alone=True) as pool:
        for codec in _remember(pool, rivals, sources, results, report):
            others = tuple(codec if codec.name == other.name else other for other in results.codecs)
            results = replace(results, codecs=others)
            write_results(path, results)
    results = _sorted(results, rivals)
    write_results(path, results)
    return results


def _reusable(
    known: Results, rivals: Sequence[Rival], sources: Sequence[Source], title: str, options: Options
) -> Results:
    """What of an earlier run holds for these codecs and pictures; its codecs are those of this run."""
    metrics = {name: version(name) for name in METRICS if options.ssimulacra2 or name != "ssimulacra2"}
    here, today = machine(), date.today().isoformat()
    earlier = {codec.name: codec for codec in known.codecs if known.metrics == metrics}
    codecs, same, timed = [], set(), set()
    for rival in rivals:
        model = rival.id if isinstance(rival, Model) else ""
        codec = Codec(rival.name, rival.settings, rival.versions, model, today)
        found = earlier.get(rival.name)
        if found is not None and _identity(found) == _identity(codec):
            same.add(codec.name)
            codec = found
        taken = codec.timing
        if taken is not None and (taken.machine, taken.threads) == (here, options.threads) and not options.retime:
            timed.add(codec.name)
        else:
            codec = replace(codec, timing=None, memory=None)
        codecs.append(codec)
    digests = {picture.name: picture.sha256 for picture in known.pictures}
    images = {source.name for source in sources if digests.get(source.name) == source.picture.sha256}
    qualities = {(rival.name, quality) for rival in rivals for quality in rival.qualities}
    return Results(
        title,
        tuple(source.picture for source in sources),
        tuple(codecs),
        metrics,
        tuple(r for r in known.rows if r.codec in same and r.image in images and (r.codec, r.quality) in qualities),
        tuple(t for t in known.times if t.codec in timed and t.image in images and (t.codec, t.quality) in qualities),
    )


def _identity(codec: Codec) -> tuple[object, ...]:
    return codec.settings, dict(codec.versions), codec.model


def _stamped(results: Results, threads: int) -> Results:
    """With where and when the times are taken that are missing yet."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    timing = Timing(machine(), threads, round(load, 2), date.today().isoformat())
    codecs = (codec if codec.timing else replace(codec, timing=timing) for codec in results.codecs)
    return replace(results, codecs=tuple(codecs))


def _missing(
    rivals: Sequence[Rival], sources: Sequence[Source], known: Iterable[Row] | Iterable[Time]
) -> list[tuple[Rival, Source, list[int]]]:
    found = {(each.codec, each.image, each.quality) for each in known}
    tasks = []
    for rival in rivals:
        for source in sources:
            missing = [q for q in rival.qualities if (rival.name, source.name, q) not in found]
            if missing:
                tasks.append((rival, source, missing))
    return tasks


def _measure(
    pool: ProcessPoolExecutor,
    rivals: Sequence[Rival],
    sources: Sequence[Source],
    results: Results,
    options: Options,
    report: Report,
) -> Iterator[list[Row]]:
    tasks = _missing(rivals, sources, results.rows)
    futures = {pool.submit(measure_picture, *task, options.ssimulacra2): task for task in tasks}
    for number, future in enumerate(as_completed(futures), 1):
        rival, source, _ = futures[future]
        with _named(rival, source):
            rows = future.result()
        yield rows
        report(f"scores {number}/{len(tasks)}: {rival.name}, {source.name}")


def _time(
    pool: ProcessPoolExecutor,
    rivals: Sequence[Rival],
    sources: Sequence[Source],
    results: Results,
    options: Options,
    report: Report,
) -> Iterator[list[Time]]:
    tasks = _missing(rivals, evenly(sources, options.timed), results.times)
    for number, (rival, source, qualities) in enumerate(tasks, 1):
        with _named(rival, source):
            times = pool.submit(time_codec, rival, source, qualities).result()
        yield times
        report(f"times {number}/{len(tasks)}: {rival.name}, {source.name}")


def _remember(
    pool: ProcessPoolExecutor, rivals: Sequence[Rival], sources: Sequence[Source], results: Results, report: Report
) -> Iterator[Codec]:
    """Codecs whose memory is known now, on the largest picture."""
    largest = max(sources, key=lambda source: source.picture.pixels)
    for rival, codec in zip(rivals, results.codecs, strict=True):
        if codec.memory is None:
            middle = rival.qualities[len(rival.qualities) // 2]
            with _named(rival, largest):
                memory = peak_memory(pool, rival, largest, middle)
            yield replace(codec, memory=memory)
            report(f"memory: {rival.name}")


@contextmanager
def _named(rival: Rival, source: Source) -> Iterator[None]:
    """Say which codec failed on which picture."""
    try:
        yield
    except BrokenExecutor as error:
        raise BenchError(f"{source.path}: {rival.name} ended its process, perhaps out of memory") from error
    except (AecError, OSError, ValueError, RuntimeError) as error:
        raise BenchError(f"{source.path}: {rival.name} failed ({error})") from error


def _sorted(results: Results, rivals: Sequence[Rival]) -> Results:
    """Rows and times in the order of codecs, pictures and qualities, however they came in."""
    codecs = {rival.name: i for i, rival in enumerate(rivals)}
    images = {picture.name: i for i, picture in enumerate(results.pictures)}

    def place(each: Row | Time) -> tuple[int, int, int]:
        return codecs[each.codec], images[each.image], each.quality

    return replace(results, rows=tuple(sorted(results.rows, key=place)), times=tuple(sorted(results.times, key=place)))
