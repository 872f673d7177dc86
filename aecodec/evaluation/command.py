"""The work of ``aecodec bench``: measure, then write everything that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aecodec.evaluation import bench, plots
from aecodec.evaluation.crops import choose as choose_examples
from aecodec.evaluation.crops import make_examples
from aecodec.evaluation.measure import MeasuredCodec
from aecodec.evaluation.published import read_published
from aecodec.evaluation.report import html, markdown, read_matrix
from aecodec.evaluation.results import write_results, write_text
from aecodec.evaluation.scores import with_scores
from aecodec.evaluation.sources import find_sources
from aecodec.evaluation.summary import Summary, summarise


@dataclass(frozen=True)
class Request:
    """What to measure, on what, and where to write it."""

    folder: Path
    output: Path
    codecs: Sequence[MeasuredCodec]
    options: bench.BenchOptions
    title: str = ""
    limit: int | None = None
    published: Path | None = None
    matrix: Path | None = None
    scores: Path | None = None


def benchmark(request: Request, report: Callable[[str], None]) -> str:
    """Measure what is not measured yet and write the report's files; its summary in Markdown. Raises AecError."""
    published = read_published(request.published) if request.published else ()
    matrix = read_matrix(request.matrix) if request.matrix else None
    sources, failures = find_sources(request.folder, request.limit)
    for failure in failures:
        report(f"left out: {failure}")
    path = request.output / "results.json"
    title = request.title or request.folder.resolve().name
    results = bench.run(request.codecs, sources, path, request.options, title, report)
    if request.scores is not None:
        results = with_scores(results, request.scores)
    summary = summarise(results, published)
    write_results(path, results, _numbers(summary))
    text = markdown(results, summary)
    write_text(request.output / "summary.md", text)
    lossy = {each.name for each in summary.measured}
    shown = [codec for codec in request.codecs if codec.name in lossy]
    examples = []
    if shown:
        cache = request.output / "crops.json"
        examples = make_examples(choose_examples(sources, summary), shown, results, cache, report)
    write_text(request.output / "report.html", html(results, summary, examples, published, matrix))
    _draw(summary, request.output)
    return text


def _numbers(summary: Summary) -> dict[str, object]:
    """The summary for those who read the result file by other means: BD-rates in percent, and rates at scores."""
    return {
        "reference": summary.reference,
        "codecs": [each.name for each in summary.scored],
        "bd_rates": {
            each.metric.name: [rate.percent for rate in each.against_reference] for each in summary.comparisons
        },
        "levels": [
            {
                "metric": each.metric.name,
                "scores": each.metric.levels,
                "bpp": {row.name: row.values for row in each.rates},
            }
            for each in summary.levels
        ],
    }


def _draw(summary: Summary, output: Path) -> None:
    """The plots as PNG files."""
    for comparison in summary.comparisons:
        metric = comparison.metric
        _write(output / f"{metric.name.replace('_', '-')}.png", plots.rate_distortion(summary, metric, True))
    _write(output / "speed.png", plots.speed(summary))


def _write(path: Path, figure: object) -> None:
    if figure is not None:
        path.write_bytes(plots.png(figure))
