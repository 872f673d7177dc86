"""The README's plot and tables, from the committed results and the cards of the models: nothing in them is typed.

    python benchmarks/readme.py [--results benchmarks/kodak/results.json] [--readme README.md]

Rewrites what stands between the lines ``<!-- benchmarks -->`` and ``<!-- /benchmarks -->``, likewise ``cells``, what
training said of that model at its end; and docs/kodak.svg beside.
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
from aecodec.weights import describe, find

ROOT = Path(__file__).parent.parent
OTHERS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "photo": "`photo`"}  # names of the verdict's results
NAMED = ("JPEG", "WebP m6", "AVIF s6", "JPEG XL e7")  # in words; all are in the table
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
        headline(results, summary, NAMED),
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


def verdict_section(path: Path) -> str:
    """What a model's card says of it, in Markdown."""
    card, size = describe(path), path.stat().st_size
    found = card.results
    rows = [[f"`{card.name}`", f"{found['held_out_bpp']:.3f}", ""]]
    for key, name in OTHERS.items():
        rate, gain = found.get(f"held_out_bpp_{key}"), found.get(f"held_out_bd_rate_{key}_percent")
        rows.append([name, "-" if rate is None else f"{rate:.3f}", "-" if gain is None else f"{gain:+.1f} %"])
    paid = found.get("paid_after_pictures")
    payment = "does not pay for itself" if paid is None else f"has paid for itself after {paid:,.0f} pictures"
    lines = [
        f"On {found['held_out_pictures']:.0f} pictures held out, at the same quality for all, "
        f"{found['held_out_psnr_db']:.1f} dB PSNR:",
        "",
        *markdown_table(["", "bits per pixel", f"bytes of `{card.name}` against it (BD-rate)"], rows),
        "",
        f"The weights file ({size / 1e6:.2f} MB) {payment}, against the best of these.",
    ]
    return "\n".join(lines)


def rewrite(text: str, name: str, inserted: str) -> str:
    """The text with ``inserted`` between the marks of a name. Raises BenchError where there are none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise BenchError(f"no lines {begin} and {end} to write between")
    return f"{before}{begin}\n{inserted}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the README's results from the committed ones.")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "kodak" / "results.json")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    results = read_results(options.results)
    summary = summarise(results)
    try:
        text = rewrite(options.readme.read_text(encoding="utf-8"), "benchmarks", section(results, summary))
        text = rewrite(text, "cells", verdict_section(find("cells")))
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
