"""The work of ``aecodec bench``: measure, then write everything that shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aecodec.evaluation import bench, plots
from aecodec.evaluation.crops import choose as choose_examples
from aecodec.evaluation.crops import make_examples
from aecodec.evaluation.published import read_published
from aecodec.evaluation.report import html, markdown, read_matrix
from aecodec.evaluation.results import write_results, write_text
from aecodec.evaluation.rivals import Rival
from aecodec.evaluation.sources import find_sources
from aecodec.evaluation.summary import Summary, summarise


@dataclass(frozen=True)
class Request:
    """What to measure, on what, and where to write it."""

    folder: Path
    output: Path
    rivals: Sequence[Rival]
    options: bench.Options
    title: str = ""
    limit: int | None = None
    published: Path | None = None
    matrix: Path | None = None


def benchmark(request: Request, report: Callable[[str], None]) -> str:
    """Measure what is not measured yet and write the report's files; its summary in Markdown. Raises AecError."""
    published = read_published(request.published) if request.published else ()
    matrix = read_matrix(request.matrix) if request.matrix else None
    sources, failures = find_sources(request.folder, request.limit)
    for failure in failures:
        report(f"left out: {failure}")
    path = request.output / "results.json"
    title = request.title or request.folder.resolve().name
    results = bench.run(request.rivals, sources, path, request.options, title, report)
    summary = summarise(results, published)
    write_results(path, results, _plain(summary))
    text = markdown(results, summary)
    write_text(request.output / "summary.md", text)
    lossy = {each.name for each in summary.scored if not each.published}
    shown = [rival for rival in request.rivals if rival.name in lossy]
    examples = []
    if shown:
        cache = request.output / "crops.json"
        examples = make_examples(choose_examples(sources, summary), shown, results, cache, report)
    write_text(request.output / "report.html", html(results, summary, examples, published, matrix))
    _draw(summary, request.output)
    return text


def _plain(summary: Summary) -> dict[str, object]:
    """The summary for those who read the result file: without the curves of others, and without NaN."""
    own = replace(summary, scored=tuple(each for each in summary.scored if not each.published))
    plain: dict[str, object] = json.loads(json.dumps(asdict(own)).replace("NaN", "null"))
    return plain


def _draw(summary: Summary, output: Path) -> None:
    """The plots as PNG files."""
    for metric in plots.METRICS:
        _write(output / f"{metric.replace('_', '-')}.png", plots.rate_distortion(summary, metric, True))
    _write(output / "speed.png", plots.speed(summary))


def _write(path: Path, figure: object) -> None:
    if figure is not None:
        path.write_bytes(plots.png(figure))
