"""The README's plot and tables, from the committed results: nothing in them is typed.

    python benchmarks/readme.py [--results benchmarks/kodak/results.json] [--readme README.md]

Rewrites what stands between the lines ``<!-- benchmarks -->`` and ``<!-- /benchmarks -->``, and docs/kodak.svg beside.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aecodec.errors import AecError
from aecodec.evaluation import plots
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.report import headline, labels, markdown_table, percent
from aecodec.evaluation.results import Results, read_results, write_text
from aecodec.evaluation.summary import Summary, summarise

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
PLOT = Path("docs", "kodak.svg")


def section(results: Results, summary: Summary) -> str:
    """What stands between the markers, in Markdown."""
    speeds = {speed.name: speed for speed in summary.speeds}
    rows = []
    for i, each in enumerate(summary.measured):
        speed = speeds.get(each.name)
        times = [f"{speed.encode:.1f}", f"{speed.decode:.1f}"] if speed else ["-", "-"]
        rates = [percent(comparison.against_reference[i]) for comparison in summary.comparisons]
        rows.append([f"**{each.name}**" if each.ours else each.name, *rates, *times])
    timing = next((codec.timing for codec in results.codecs if codec.timing), None)
    where = ""
    if timing:
        where = f" on {timing.machine.cpu}, {timing.threads} thread{'s' * (timing.threads != 1)} for every codec"
    lines = [
        f"![Rate and distortion on {results.title}]({PLOT.as_posix()})",
        "",
        headline(results, summary),
        "",
        *markdown_table(["codec", *labels(summary), "encode Mpx/s", "decode Mpx/s"], rows),
        "",
        f"*{results.title}, {len(results.pictures)} pictures, real files with their headers. Percentages are BD-rates "
        f"against {summary.reference}, the mean difference of bytes at equal quality by each metric: negative is "
        "smaller. Times in process" + where + ". "
        "All of it, with pictures to compare, published points of other codecs and every single picture, is in "
        "[benchmarks/kodak/report.html](benchmarks/kodak/report.html).*",
    ]
    return "\n".join(lines)


def rewrite(text: str, inserted: str) -> str:
    """The text with ``inserted`` between the markers. Raises BenchError where there are no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"no lines {BEGIN} and {END} to write between")
    return f"{before}{BEGIN}\n{inserted}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the README's results from the committed ones.")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "kodak" / "results.json")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    results = read_results(options.results)
    summary = summarise(results)
    try:
        text = rewrite(options.readme.read_text(encoding="utf-8"), section(results, summary))
    except BenchError as error:
        raise BenchError(f"{options.readme}: {error}") from error
    figure = plots.rate_distortion(summary, summary.leading, True)
    if figure is not None:
        write_text(options.readme.parent / PLOT, plots.svg(figure, "readme", inline=False))
    write_text(options.readme, text)
    print(f"{options.readme}: written")


if __name__ == "__main__":
    try:
        main()
    except (AecError, OSError) as error:
        sys.exit(f"readme.py: {error}")
