"""Pictures of a run: loss, rate and distortion, and BD-rate over time, drawn from its log; and of a model's latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aecodec.training.log import read
from aecodec.uses.channels import BINS, DEVIATIONS, activity, dearest, deviations, maps
from aecodec.uses.meter import Measured

SHOWN = 16  # channels of a picture


def draw(log: Path, target: Path) -> bool:
    """Draw the JSON-lines ``log`` to the PNG ``target``; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    records = read(log)
    steps = [r for r in records if "loss" in r]
    validations = [r for r in records if "points" in r]
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    losses, curves, gains = figure.subplots(1, 3)
    losses.plot([r["seconds"] / 60 for r in steps], [r["loss"] for r in steps], linewidth=1)
    losses.set(xlabel="minutes", ylabel="loss", yscale="log", title="training loss")
    for number, record in enumerate(validations):
        shade = 0.85 * (1 - (number + 1) / len(validations))
        points = record["points"]  # "psnr" in logs of runs that began before scores by other metrics
        label = f"{record['seconds'] / 60:.0f} min"
        curves.plot(
            [p["bpp"] for p in points],
            [p.get("score", p.get("psnr")) for p in points],
            ".-",
            color=(shade,) * 3,
            label=label,
        )
    curves.set(xlabel="bits per pixel", ylabel="PSNR (dB)", title="validation")
    if validations:
        curves.legend(fontsize="x-small")
    measured = [r for r in validations if r["bd_rate"] is not None]
    gains.plot([r["seconds"] / 60 for r in measured], [r["bd_rate"] for r in measured], "o-")
    gains.set(xlabel="minutes", ylabel="BD-rate against JPEG (%)", title="validation")
    for axes in (losses, curves, gains):
        axes.grid(alpha=0.3)
    figure.savefig(target, dpi=110)
    return True


def draw_latents(measured: Measured, target: Path) -> bool:
    """Draw the latents of one picture to a PNG; False where matplotlib is not installed.

    Maps of the channels that have most bits, how far latents are from their predicted means beside the Gaussian that
    they are coded with, and how active all channels are.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(13, 5.2), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(1.2, 1))
    left, right = parts
    channels = dearest(measured, 0, SHOWN)
    grid = left.subplots(4, SHOWN // 4).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, channel, values in zip(grid, channels, maps(measured, 0, SHOWN), strict=False):
        most = max(1.0, float(np.abs(values).max()))
        axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
        bits = measured.bits[0][..., channel].sum()
        axes.set_title(f"{channel}: {bits:.0f} bits", fontsize="small")
    left.suptitle(f"latents of one picture at quality {measured.quality:g}, the dearest channels")
    histogram, active = right.subplots(2, 1)
    counts, width = deviations(measured), 2 * DEVIATIONS / BINS
    middles = (np.arange(BINS) + 0.5) * width - DEVIATIONS
    histogram.bar(middles, counts, width, label="coded latents")
    gauss = counts.sum() * width * np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi)
    histogram.plot(middles, gauss, "C3", label="prior")
    histogram.set(
        xlabel="(latent - mean) / scale", yscale="log", ylim=(0.8, None), title="what is coded, against the prior"
    )
    histogram.legend(fontsize="x-small")
    levels = np.sort(activity(measured))[::-1]
    active.bar(range(len(levels)), levels, 1.0)
    active.set(xlabel="channel, by activity", ylabel="mean absolute symbol", title="activity of each channel")
    figure.savefig(target, dpi=110)
    return True
