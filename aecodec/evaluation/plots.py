"""Plots of a summary: rate against distortion, and speed. SVG for pages, PNG for everything else."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aecodec.evaluation.extra import optional
from aecodec.evaluation.metrics import Metric
from aecodec.evaluation.summary import Scored, Summary

OURS = ("#d1242f", "#bf3989", "#9a6700")
COLOURS = ("#6e7781", "#0969da", "#8250df", "#1a7f37", "#bc4c00", "#0a9396", "#7d4e00", "#9aa4af", "#3d6b1f", "#b0509a")
MARKERS = "osDv^<>PXd"
DASHES = ((4, 2), (1, 1.5), (6, 2, 1, 2))  # of published curves, in units of the line's width
INK = "#010203"  # of text and axes; replaced in pages, where it follows their colour
USUAL = 0.1  # bits per pixel; logarithmic plots begin here, or where the curves do if that is more
TICKS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12)  # bits per pixel


@dataclass(frozen=True)
class Style:
    """How a codec is drawn: ours thick and red, rivals with markers, published ones thin and dashed."""

    name: str
    colour: str
    width: float
    marker: str = ""
    dashes: tuple[float, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Keywords for :meth:`matplotlib.axes.Axes.plot`."""
        line = (0, self.dashes) if self.dashes else "-"
        size = 5 if self.width > 2 else 4
        above = {"zorder": 5} if self.width > 2 else {}
        look = {"color": self.colour, "linewidth": self.width, "linestyle": line}
        return {**look, "marker": self.marker or None, "markersize": size, "label": self.name, **above}


def styles(scored: Sequence[Scored]) -> tuple[Style, ...]:
    """A style for each codec, the same in every plot."""
    found = []
    ours = measured = published = 0
    for each in scored:
        if each.ours:
            found.append(Style(each.name, OURS[ours % len(OURS)], 2.6, "o"))
            ours += 1
        elif each.published:
            dashes = DASHES[published // len(COLOURS) % len(DASHES)]
            name = f"{each.name} (published)"
            found.append(Style(name, COLOURS[published % len(COLOURS)], 0.9, dashes=dashes))
            published += 1
        else:
            colour, marker = COLOURS[measured % len(COLOURS)], MARKERS[measured % len(MARKERS)]
            found.append(Style(each.name, colour, 1.4, marker))
            measured += 1
    return tuple(found)


def rate_distortion(
    summary: Summary, metric: Metric, logarithmic: bool, published: bool = True, legend: bool = True
) -> Any:
    """A matplotlib figure of the mean curves by a metric; None where there are none.

    Pages have a legend of their own, beside the plot rather than in it.
    """
    shown = [
        (style, curve, each)
        for style, each in zip(styles(summary.scored), summary.scored, strict=True)
        if (curve := each.curve(metric)) and (published or not each.published)
    ]
    measured = [curve for _, curve, each in shown if not each.published]
    if not measured:
        return None
    figure, axes = _figure((8.4, 5.2) if legend else (6.0, 4.4))
    for style, curve, _ in shown:
        axes.plot(curve.rates, curve.scores, **style.arguments())
    leading = [curve for _, curve, each in shown if each.ours] or measured
    highest = 1.15 * max(curve.rates[-1] for curve in leading)
    lowest = max(0.9 * min(curve.rates[0] for curve in measured), min(USUAL, 0.3 * highest))
    axes.set_xlim(lowest if logarithmic else 0, highest)
    scores = [p.score for curve in measured for p in curve.points if lowest <= p.bpp <= highest]
    margin = 0.04 * (max(scores) - min(scores))
    axes.set_ylim(min(scores) - margin, max(scores) + margin)
    if logarithmic:
        axes.set_xscale("log")
        ticks = [tick for tick in TICKS if lowest <= tick <= highest]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    rate = "bits per pixel" + (" (logarithmic)" if logarithmic else "")
    axes.set(xlabel=rate, ylabel=f"{metric.label} ({metric.unit.strip()})" if metric.unit else metric.label)
    axes.grid(alpha=0.25)
    if legend:
        figure.legend(loc="outside right upper", fontsize=8, labelcolor=INK, framealpha=0)
    return figure


def speed(summary: Summary) -> Any:
    """A matplotlib figure of speeds at about equal PSNR, a row a codec; None where no times were measured."""
    lossy = [each for each in summary.speeds if each.psnr is not None]
    if not lossy:
        return None
    figure, axes = _figure((6.0, 1.2 + 0.3 * len(lossy)))
    rows = range(len(lossy))
    for task, marker in (("encode", "<"), ("decode", ">")):
        axes.plot([getattr(each, task) for each in lossy], rows, linestyle="", marker=marker, markersize=8, label=task)
    axes.set_yticks(rows, [each.name for each in lossy])
    axes.invert_yaxis()
    axes.set(xlabel="megapixels per second", xscale="log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside upper right", ncols=2, fontsize=9, labelcolor=INK, framealpha=0)
    return figure


def svg(figure: Any, salt: str, inline: bool = True) -> str:
    """SVG with text as text, the same for the same figure; ``salt`` keeps the ids of several in one page apart.

    ``inline``: text and axes take the colour of the page, which shows through; else it is a file with a white ground.
    """
    matplotlib = optional("matplotlib")
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(file, format="svg", transparent=inline, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    if not inline:
        return text.replace(INK, "#1f2328")
    return text[text.index("<svg") :].replace(INK, "currentColor")


def png(figure: Any) -> bytes:
    """Bytes of a figure as PNG on white."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()


def _figure(size: tuple[float, float]) -> tuple[Any, Any]:
    figure = optional("matplotlib.figure").Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.tick_params(colors=INK, which="both")
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(INK)
    return figure, axes
