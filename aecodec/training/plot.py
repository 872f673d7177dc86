"""A picture of a run: loss, rate and distortion, and BD-rate over time, drawn from its log."""

from __future__ import annotations

from pathlib import Path

from aecodec.training.log import read


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
