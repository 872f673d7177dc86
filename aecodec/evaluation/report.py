"""The report of a benchmark as one HTML file that needs no network, and its summary in Markdown."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from aecodec.evaluation import plots
from aecodec.evaluation.crops import Example
from aecodec.evaluation.extra import BenchError, optional
from aecodec.evaluation.metrics import PSNR, Metric
from aecodec.evaluation.published import Published
from aecodec.evaluation.results import Results
from aecodec.evaluation.summary import RATES, TIMED_PSNR, BdRate, Scored, Summary


@dataclass(frozen=True)
class MatrixRow:
    """A row of a matrix; None where there is no number."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Percent more bytes (negative: fewer), one row per model and one column per kind of pictures."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class Plot:
    """A plot of the page and what chooses it."""

    name: str
    svg: str


def read_matrix(path: Path) -> Matrix:
    """Read ``{"title", "note", "columns": [...], "rows": [{"name", "values": [...]}]}``. Raises BenchError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(MatrixRow(row["name"], tuple(row["values"])) for row in found["rows"])
        matrix = Matrix(found["title"], found.get("note", ""), tuple(found["columns"]), rows)
    except OSError as error:
        raise BenchError(f"{path}: cannot read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a matrix of results ({type(error).__name__}: {error})") from error
    if any(len(row.values) != len(matrix.columns) for row in matrix.rows):
        raise BenchError(f"{path}: rows of other lengths than its {len(matrix.columns)} columns")
    return matrix


def html(
    results: Results,
    summary: Summary,
    examples: Sequence[Example] = (),
    published: Sequence[Published] = (),
    matrix: Matrix | None = None,
) -> str:
    """The report as one page of HTML that needs no other file."""
    jinja = optional("jinja2")
    environment = jinja.Environment(autoescape=True, undefined=jinja.StrictUndefined)
    raw = sum(picture.pixels * picture.channels for picture in results.pictures)
    files = sum(picture.bytes for picture in results.pictures)
    page: str = environment.from_string(_asset("report.html.j2")).render(
        results=results,
        summary=summary,
        ours=summary.ours,
        headline=headline(results, summary),
        lossy_sources=lossy_sources(results),
        left_out=left_out(results, summary),
        plots=_plots(summary, bool(published)),
        metrics=[comparison.metric for comparison in summary.comparisons],
        labels=labels(summary),
        styles=plots.styles(summary.scored),
        speed_plot=_svg(plots.speed(summary), "speed"),
        published=published,
        examples=examples,
        rates=RATES,
        timed_psnr=TIMED_PSNR,
        threads=_threads(results),
        source_bpp=sum(8 * picture.bytes / picture.pixels for picture in results.pictures) / len(results.pictures),
        source_share=files / raw,
        source_formats=", ".join(sorted({picture.format for picture in results.pictures})),
        matrix=matrix,
        data=_data(examples),
        css=jinja.utils.markupsafe.Markup(_asset("report.css")),
        js=_asset("report.js"),
        slider_css=_asset("img-comparison-slider.css"),
        slider_js=_asset("img-comparison-slider.js"),
        slider_licence=_asset("img-comparison-slider.LICENSE"),
    )
    return page


def headline(results: Results, summary: Summary, against: Collection[str] = ()) -> str:
    """What our first model saves against each rival, wins and losses alike, by the leading metric and by PSNR.

    ``against``: names of the rivals to speak of, where not all.
    """
    count = len(results.pictures) - len(summary.left_out)
    start = f"On {'this picture' if count == 1 else f'these {count} pictures'}"
    leading = dict.fromkeys((summary.leading, PSNR))
    sentences = [text for metric in leading if (text := _saving(summary, metric, against))]
    if not sentences:
        return f"{start}, there is nothing to compare: no model, or no common range of quality."
    return f"{start}, {'. '.join([sentences[0], *(text[0].upper() + text[1:] for text in sentences[1:])])}."


def _saving(summary: Summary, metric: Metric, against: Collection[str]) -> str:
    """What our first model saves at equal quality by a metric; empty where nothing can be compared."""
    ours, comparison = summary.ours, summary.comparison(metric)
    if ours is None or comparison is None:
        return ""
    parts = [
        f"{abs(rate.percent):.0f} % {_direction(rate)} bytes than {each.name}"
        for each, rate in zip(summary.scored, comparison.ours_against, strict=True)
        if not each.ours and not each.published and rate.percent is not None
        if not against or each.name in against
    ]
    if not parts:
        return ""
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"at equal {metric.label}, {ours.name} takes {listed}"


def lossy_sources(results: Results) -> str:
    """A warning where sources may have lost something already; empty where none has."""
    names = [picture.name for picture in results.pictures if picture.lossy]
    if not names:
        return ""
    return (
        f"{len(names)} of {len(results.pictures)} pictures are in formats that are mostly lossy ({_some(names)}): they "
        "are coded lossy a second time here, which favours the codec that they come from."
    )


def left_out(results: Results, summary: Summary) -> str:
    """Which pictures are in no curve, and why; empty where all are."""
    names = summary.left_out
    if not names:
        return ""
    return (
        f"In no curve and no BD-rate: {len(names)} of {len(results.pictures)} pictures ({_some(names)}), which some "
        "codec restores exactly at half of its settings or more, so that there is no PSNR."
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def markdown(results: Results, summary: Summary) -> str:
    """The summary for terminals and READMEs."""
    lines = [f"# {results.title}", "", headline(results, summary)]
    for warning in (left_out(results, summary), lossy_sources(results)):
        lines += ["", warning] if warning else []
    if summary.comparisons:
        lines += ["", f"Bytes against {summary.reference} at equal quality (BD-rate) by", "", *bd_table(summary)]
    if summary.ours and len(summary.rivals) > 0:
        lines += ["", f"Bytes of {summary.ours.name} against each codec by", "", *saved_table(summary)]
    for levels in summary.levels:
        lines += ["", f"Bits per pixel at a mean {levels.metric.label} of", ""]
        lines += markdown_table(
            ["codec", *(f"{level:g}{levels.metric.unit}" for level in levels.metric.levels)],
            [[row.name, *("-" if value is None else f"{value:.3f}" for value in row.values)] for row in levels.rates],
        )
    if summary.lossless:
        rows = [[each.name, f"{each.bpp:.2f}", f"{100 * each.share:.1f} %"] for each in summary.lossless]
        lines += ["", *markdown_table(["without loss", "bpp", "of the raw bytes"], rows)]
    if summary.speeds:
        lines += ["", *speed_table(summary), "", f"Times: {_threads(results)}."]
    for savings in summary.savings:
        if summary.rivals and savings.pictures:
            wins = ", ".join(f"{n} against {name}" for n, name in zip(savings.wins, summary.rivals, strict=True))
            lines += ["", f"Of {len(savings.pictures)} pictures, fewer bytes by {savings.metric.label} on: {wins}."]
    return "\n".join(lines) + "\n"


def bd_table(summary: Summary) -> list[str]:
    """Lines of a Markdown table of BD-rates against the reference, a column a metric."""
    return _rate_table(summary, summary.scored, [each.against_reference for each in summary.comparisons])


def saved_table(summary: Summary) -> list[str]:
    """Lines of a Markdown table of BD-rates of our first model against each other codec that was measured."""
    others = [each for each in summary.measured if each is not summary.ours]
    return _rate_table(summary, others, [each.ours_against for each in summary.comparisons])


def _rate_table(summary: Summary, shown: Sequence[Scored], columns: Sequence[Sequence[BdRate]]) -> list[str]:
    rows = []
    for each in shown:
        rates = (column[summary.scored.index(each)] for column in columns)
        rows.append([each.name + (" (published)" if each.published else ""), *map(percent, rates)])
    return markdown_table(["codec", *labels(summary)], rows)


def labels(summary: Summary) -> list[str]:
    """The metrics, with the number of pictures where they are fewer than by others."""
    most = max((each.pictures for each in summary.comparisons), default=0)
    return [
        each.metric.label + (f" ({each.pictures} picture{'s' * (each.pictures != 1)})" if each.pictures < most else "")
        for each in summary.comparisons
    ]


def speed_table(summary: Summary) -> list[str]:
    """Lines of a Markdown table of speeds."""
    rows = [
        [
            each.name,
            "exact" if each.psnr is None else f"{each.psnr:.1f}",
            f"{each.bpp:.2f}",
            f"{each.encode:.1f}",
            f"{each.decode:.1f}",
        ]
        for each in summary.speeds
    ]
    return markdown_table(["codec", "PSNR dB", "bpp", "encode Mpx/s", "decode Mpx/s"], rows)


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table in Markdown, its first column to the left."""
    rule = "|---|" + "---:|" * (len(heads) - 1)
    return [f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def percent(rate: BdRate) -> str:
    """A BD-rate for a table; ``-`` where there is none."""
    return "-" if rate.percent is None else f"{rate.percent:+.1f} %"


def _direction(rate: BdRate) -> str:
    return "more" if (rate.percent or 0) > 0 else "fewer"


def _threads(results: Results) -> str:
    counts = sorted({codec.timing.threads for codec in results.codecs if codec.timing})
    return ", ".join(f"{count} thread{'s' if count != 1 else ''}" for count in counts) + " for every codec"


def _plots(summary: Summary, published: bool) -> list[Plot]:
    """Every combination of metric, axis and published points that there are curves for."""
    found = []
    for comparison in summary.comparisons:
        for axis in ("log", "linear"):
            for shown in ("no", "yes") if published else ("no",):
                name = f"{comparison.metric.name}-{axis}-{shown}"
                figure = plots.rate_distortion(summary, comparison.metric, axis == "log", shown == "yes", legend=False)
                if figure is not None:
                    found.append(Plot(name, _svg(figure, name)))
    return found


def _svg(figure: Any, salt: str) -> str:
    return "" if figure is None else plots.svg(figure, salt)


def _data(examples: Sequence[Example]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps({"examples": [asdict(example) for example in examples]}).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return resources.files("aecodec.evaluation").joinpath("assets", name).read_text(encoding="utf-8")
