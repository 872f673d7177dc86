"""Measure codecs on a folder of pictures, and go on where an earlier run stopped.

Two passes: sizes and scores, in several processes; then times and memory, with nothing else running. The result file is
written after every picture of a codec, so a run can be stopped at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from aecodec.errors import AecError
from aecodec.evaluation.extra import BenchError, version
from aecodec.evaluation.machine import machine
from aecodec.evaluation.measure import MeasuredCodec, Measurement, round_trip, score
from aecodec.evaluation.metrics import METRICS, MS_SSIM, PSNR, SSIMULACRA2, Metric
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.results import CodecRecord, Results, Time, Timing, read_results, write_results
from aecodec.evaluation.sources import Source
from aecodec.evaluation.timing import peak_memory, processes, time_codec
from aecodec.sampling import evenly

Report = Callable[[str], None]


@dataclass(frozen=True)
class BenchOptions:
    """How to measure: ``jobs`` processes for the scores, ``threads`` for each codec, ``timed`` pictures for times.

    With ``retime``, times and memory are measured again even where they are known. ``keep`` is a folder for the
    restored pictures, as PNG files, see :func:`kept`.
    """

    jobs: int = 1
    threads: int = 1
    timed: int = 8
    metrics: tuple[Metric, ...] = (SSIMULACRA2, PSNR, MS_SSIM)
    retime: bool = False
    keep: Path | None = None


@dataclass(frozen=True)
class Scoring:
    """What is still to be measured of a codec on a picture: metrics at a quality."""

    quality: int
    metrics: tuple[Metric, ...]


def measure_picture(
    codec: MeasuredCodec, source: Source, scorings: Sequence[Scoring], keep: Path | None = None
) -> list[Measurement]:
    """Code and restore a picture at each quality, and score what is restored."""
    original = source.read()
    rows = []
    for scoring in scorings:
        restored = round_trip(codec, original, scoring.quality)
        if keep is not None:
            path = kept(keep, codec.name, source.name, scoring.quality)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(restored.pixels).save(path, compress_level=1)
        rows.append(score(codec, original, scoring.quality, restored, scoring.metrics, source.name))
    return rows


def kept(folder: Path, codec: str, image: str, quality: float) -> Path:
    """Where a restored picture is kept: ``FOLDER/CODEC/QUALITY/IMAGE.png``."""
    return folder / codec.replace("/", "_") / f"{quality:g}" / f"{image}.png"


def run(
    codecs: Sequence[MeasuredCodec],
    sources: Sequence[Source],
    path: Path,
    options: BenchOptions,
    title: str,
    report: Report,
) -> Results:
    """Measure what ``path`` does not hold yet, and write it there. Raises BenchError."""
    known = read_results(path) if path.exists() else Results(title)
    results = _reusable(known, codecs, sources, title, options)
    with processes(options.jobs, options.threads) as pool:
        for rows in _measure(pool, codecs, sources, results, options, report):
            results = replace(results, rows=_merged(results.rows, rows))
            write_results(path, results)
    results = _stamped(results, options.threads)
    with processes(1, options.threads) as pool:
        for times in _time(pool, codecs, sources, results, options, report):
            results = replace(results, times=(*results.times, *times))
            write_results(path, results)
    with processes(1, options.threads, alone=True) as pool:
        for codec in _remember(pool, codecs, sources, results, report):
            others = tuple(codec if codec.name == other.name else other for other in results.codecs)
            results = replace(results, codecs=others)
            write_results(path, results)
    results = _sorted(results, codecs)
    write_results(path, results)
    return results


def _reusable(
    known: Results, codecs: Sequence[MeasuredCodec], sources: Sequence[Source], title: str, options: BenchOptions
) -> Results:
    """What of an earlier run holds for these codecs and pictures; its codecs are those of this run."""
    here, today = machine(), date.today().isoformat()
    earlier = {record.name: record for record in known.codecs}
    records, same, timed = [], set(), set()
    for codec in codecs:
        model = codec.id if isinstance(codec, Aecodec) else ""
        record = CodecRecord(codec.name, codec.settings, codec.versions, model, today)
        found = earlier.get(codec.name)
        if found is not None and _identity(found) == _identity(record):
            same.add(record.name)
            record = found
        taken = record.timing
        if taken is not None and (taken.machine, taken.threads) == (here, options.threads) and not options.retime:
            timed.add(record.name)
        else:
            record = replace(record, timing=None, memory=None)
        records.append(record)
    digests = {picture.name: picture.sha256 for picture in known.pictures}
    images = {source.name for source in sources if digests.get(source.name) == source.picture.sha256}
    qualities = {(codec.name, quality) for codec in codecs for quality in codec.qualities}
    rows = [r for r in known.rows if r.codec in same and r.image in images and (r.codec, r.quality) in qualities]
    metrics = {metric.name: version(metric.distribution) for metric in options.metrics if metric.distribution}
    kept_metrics = {name: number for name, number in known.metrics.items() if metrics.get(name, number) == number}
    return Results(
        title,
        tuple(source.picture for source in sources),
        tuple(records),
        kept_metrics | metrics,
        tuple(_without(row, known.metrics.keys() - kept_metrics.keys()) for row in rows),
        tuple(t for t in known.times if t.codec in timed and t.image in images and (t.codec, t.quality) in qualities),
    )


def _without(row: Measurement, metrics: Collection[str]) -> Measurement:
    """A row without the scores of these metrics; what was restored exactly keeps them."""
    nothing: dict[str, Any] = dict.fromkeys(metrics)
    return row if row.psnr is None else replace(row, **nothing)


def _identity(codec: CodecRecord) -> tuple[object, ...]:
    return codec.settings, dict(codec.versions), codec.model


def _stamped(results: Results, threads: int) -> Results:
    """With where and when the times are taken that are missing yet."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    timing = Timing(machine(), threads, round(load, 2), date.today().isoformat())
    codecs = (codec if codec.timing else replace(codec, timing=timing) for codec in results.codecs)
    return replace(results, codecs=tuple(codecs))


def _unscored(
    codecs: Sequence[MeasuredCodec], sources: Sequence[Source], known: Iterable[Measurement], options: BenchOptions
) -> list[tuple[MeasuredCodec, Source, list[Scoring]]]:
    """What rows lack, or the folder of restored pictures."""
    found = {(row.codec, row.image, row.quality): row for row in known}
    tasks = []
    for codec in codecs:
        for source in sources:
            scorings = []
            for quality in codec.qualities:
                metrics = _missing_metrics(found.get((codec.name, source.name, quality)), source, options.metrics)
                absent = options.keep is not None and not kept(options.keep, codec.name, source.name, quality).exists()
                if metrics or absent:
                    scorings.append(Scoring(quality, metrics))
            if scorings:
                tasks.append((codec, source, scorings))
    return tasks


def _missing_metrics(row: Measurement | None, source: Source, wanted: Sequence[Metric]) -> tuple[Metric, ...]:
    if row is None:
        return tuple(wanted)
    if row.psnr is None:  # restored exactly
        return ()
    size = source.picture.height, source.picture.width
    return tuple(metric for metric in wanted if row.score(metric) is None and metric.measurable(*size))


def _merged(rows: Iterable[Measurement], new: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The rows, with the scores of new ones added to them."""
    merged = {(row.codec, row.image, row.quality): row for row in rows}
    for row in new:
        before = merged.get((row.codec, row.image, row.quality))
        if before is not None and before.bytes == row.bytes:
            scores: dict[str, Any] = {
                metric.name: row.score(metric) for metric in METRICS if row.score(metric) is not None
            }
            row = replace(before, **scores)
        merged[row.codec, row.image, row.quality] = row
    return tuple(merged.values())


def _measure(
    pool: ProcessPoolExecutor,
    codecs: Sequence[MeasuredCodec],
    sources: Sequence[Source],
    results: Results,
    options: BenchOptions,
    report: Report,
) -> Iterator[list[Measurement]]:
    tasks = _unscored(codecs, sources, results.rows, options)
    futures = {pool.submit(measure_picture, *task, options.keep): task for task in tasks}
    for number, future in enumerate(as_completed(futures), 1):
        codec, source, _ = futures[future]
        with _named(codec, source):
            rows = future.result()
        yield rows
        report(f"scores {number}/{len(tasks)}: {codec.name}, {source.name}")


def _untimed(
    codecs: Sequence[MeasuredCodec], sources: Sequence[Source], known: Iterable[Time]
) -> list[tuple[MeasuredCodec, Source, list[int]]]:
    found = {(time.codec, time.image, time.quality) for time in known}
    tasks = []
    for codec in codecs:
        for source in sources:
            missing = [q for q in codec.qualities if (codec.name, source.name, q) not in found]
            if missing:
                tasks.append((codec, source, missing))
    return tasks


def _time(
    pool: ProcessPoolExecutor,
    codecs: Sequence[MeasuredCodec],
    sources: Sequence[Source],
    results: Results,
    options: BenchOptions,
    report: Report,
) -> Iterator[list[Time]]:
    tasks = _untimed(codecs, evenly(sources, options.timed), results.times)
    for number, (codec, source, qualities) in enumerate(tasks, 1):
        with _named(codec, source):
            times = pool.submit(time_codec, codec, source, qualities).result()
        yield times
        report(f"times {number}/{len(tasks)}: {codec.name}, {source.name}")


def _remember(
    pool: ProcessPoolExecutor,
    codecs: Sequence[MeasuredCodec],
    sources: Sequence[Source],
    results: Results,
    report: Report,
) -> Iterator[CodecRecord]:
    """Codecs whose memory is known now, on the largest picture."""
    largest = max(sources, key=lambda source: source.picture.pixels)
    for codec, record in zip(codecs, results.codecs, strict=True):
        if record.memory is None:
            middle = codec.qualities[len(codec.qualities) // 2]
            with _named(codec, largest):
                memory = peak_memory(pool, codec, largest, middle)
            yield replace(record, memory=memory)
            report(f"memory: {codec.name}")


@contextmanager
def _named(codec: MeasuredCodec, source: Source) -> Iterator[None]:
    """Say which codec failed on which picture."""
    try:
        yield
    except BrokenExecutor as error:
        raise BenchError(f"{source.path}: {codec.name} ended its process, perhaps out of memory") from error
    except (AecError, OSError, ValueError, RuntimeError) as error:
        raise BenchError(f"{source.path}: {codec.name} failed ({error})") from error


def _sorted(results: Results, codecs: Sequence[MeasuredCodec]) -> Results:
    """Rows and times in the order of codecs, pictures and qualities, however they came in."""
    places = {codec.name: i for i, codec in enumerate(codecs)}
    images = {picture.name: i for i, picture in enumerate(results.pictures)}

    def place(each: Measurement | Time) -> tuple[int, int, float]:
        return places[each.codec], images[each.image], each.quality

    return replace(results, rows=tuple(sorted(results.rows, key=place)), times=tuple(sorted(results.times, key=place)))
