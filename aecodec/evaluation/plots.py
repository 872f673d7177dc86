"""Plots of a summary: rate against distortion, and time against rate. SVG for pages, PNG for everything else."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from aecodec.evaluation.curves import Curve
from aecodec.evaluation.extra import optional
from aecodec.evaluation.speeds import Speed
from aecodec.evaluation.summary import Scored, Summary

METRICS = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA2"}
OURS = ("#d1242f", "#bf3989", "#9a6700")
COLOURS = ("#6e7781", "#0969da", "#8250df", "#1a7f37", "#bc4c00", "#0a9396", "#7d4e00", "#9aa4af")
MARKERS = "osDv^<>P"
CROWD = 12  # curves; the legend of more stands below the plot
INK = "#010203"  # of text and axes; replaced in pages, where it follows their colour


def rate_distortion(summary: Summary, metric: str, logarithmic: bool, published: bool = True) -> Any:
    """A matplotlib figure of the mean curves by ``psnr``, ``ms_ssim`` or ``ssimulacra2``; None where there are none."""
    shown = [each for each in summary.scored if getattr(each, metric) and (published or not each.published)]
    measured = [each for each in shown if not each.published]
    if not measured:
        return None
    figure, axes = _figure((8.4, 5.2 if len(shown) <= CROWD else 6.8))
    for each, style in zip(shown, _styles(shown), strict=True):
        curve: Curve = getattr(each, metric)
        axes.plot(curve.rates, curve.psnrs, **style, label=each.name + (" (published)" if each.published else ""))
    leading = [getattr(each, metric) for each in measured if each.ours] or [getattr(each, metric) for each in measured]
    highest = 1.15 * max(curve.rates[-1] for curve in leading)
    lowest = 0.9 * min(getattr(each, metric).rates[0] for each in measured)
    axes.set_xlim(lowest if logarithmic else 0, highest)
    scores = [p.psnr for each in measured for p in getattr(each, metric).points if p.bpp <= highest]
    margin = 0.04 * (max(scores) - min(scores))
    axes.set_ylim(min(scores) - margin, max(scores) + margin)
    if logarithmic:
        axes.set_xscale("log")
        ticks = [t for t in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12) if lowest <= t <= highest]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
    axes.set(xlabel="bits per pixel" + (" (logarithmic)" if logarithmic else ""), ylabel=METRICS[metric])
    axes.grid(alpha=0.25)
    look = {"fontsize": 7, "labelcolor": INK, "framealpha": 0}
    if len(shown) <= CROWD:
        axes.legend(loc="lower right", **look)
    else:
        figure.legend(loc="outside lower center", ncols=3, **look)
    return figure


def speed(summary: Summary) -> Any:
    """A matplotlib figure of speed against rate at about equal PSNR; None where no times were measured."""
    lossy = [each for each in summary.speeds if each.psnr is not None]
    if not lossy:
        return None
    figure, pair = _figure((8.4, 4.2), 2)
    for axes, task in zip(pair, ("encode", "decode"), strict=True):
        for each, style in zip(lossy, _styles(lossy), strict=True):
            value = getattr(each, task)
            axes.plot([each.bpp], [value], **{**style, "linestyle": "", "markersize": 8})
            axes.annotate(each.name, (each.bpp, value), (6, 5), textcoords="offset points", fontsize=8, color=INK)
        axes.set(xlabel="bits per pixel", ylabel="megapixels per second", yscale="log", title=task)
        axes.margins(x=0.3, y=0.15)
        axes.grid(alpha=0.25)
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
    """PNG on white."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()


def _figure(size: tuple[float, float], columns: int = 1) -> tuple[Any, Any]:
    figure = optional("matplotlib.figure").Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, columns)
    for each in axes if columns > 1 else [axes]:
        for spine in each.spines.values():
            spine.set_color(INK)
        each.tick_params(colors=INK, which="both")
        for text in (each.xaxis.label, each.yaxis.label, each.title):
            text.set_color(INK)
    return figure, axes


def _styles(shown: Sequence[Scored] | Sequence[Speed]) -> list[dict[str, Any]]:
    """Ours thick and red, rivals with markers, published ones thin and dashed."""
    styles: list[dict[str, Any]] = []
    ours = measured = published = 0
    for each in shown:
        if each.ours:
            colour = OURS[ours % len(OURS)]
            styles.append({"color": colour, "linewidth": 2.6, "marker": "o", "markersize": 5, "zorder": 5})
            ours += 1
        elif isinstance(each, Scored) and each.published:
            colour = COLOURS[published % len(COLOURS)]
            dashes = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))[published // len(COLOURS) % 3]
            styles.append({"color": colour, "linewidth": 0.9, "linestyle": dashes})
            published += 1
        else:
            style = {"color": COLOURS[measured % len(COLOURS)], "marker": MARKERS[measured % len(MARKERS)]}
            styles.append({**style, "linewidth": 1.4, "markersize": 4})
            measured += 1
    return styles
