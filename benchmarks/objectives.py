"""What each objective brings: models trained alike but for it, measured for what it is supposed to do.

    python benchmarks/objectives.py FOLDER [--steps 600] [-o benchmarks/results/objectives.json]

A tenth of the pictures is held out. All models start alike and see the same batches. Not a comparison of good models
(they are small, and the steps are few) but of objectives.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aecodec.codec import Codec
from aecodec.evaluation.curves import Curve, CurveError, bd_rate, mean_curve
from aecodec.evaluation.measure import MeasuredCodec, round_trip, score
from aecodec.evaluation.ours import Aecodec
from aecodec.evaluation.rivals import JPEG
from aecodec.networks.config import ConvolutionalConfig
from aecodec.networks.model import Model, to_network
from aecodec.training.data import Crops, load_source, split
from aecodec.training.export import export
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import PLAIN, Noise, Objective, add_noise, jacobian_norm, rate_distortion
from aecodec.training.validation import codec_of

Pixels = npt.NDArray[np.uint8]

CONFIG = ConvolutionalConfig(
    channels=48, latent_channels=64, analysis_blocks=1, synthesis_blocks=1, hyper_channels=16, hyper_width=32,
    context_width=48,
)  # fmt: skip
QUALITIES = (1, 20, 40, 60, 80, 100)
NOISES = (10, 20)
SIDE = 256


@dataclass(frozen=True)
class Trained:
    """A model and its codec."""

    name: str
    model: Model
    codec: Codec

    def measured(self) -> Aecodec:
        """As a codec to measure."""
        return Aecodec(self.codec, self.name, effort=0, qualities=QUALITIES)


def train(name: str, objective: Objective, crops: Crops, steps: int) -> Trained:
    options = TrainOptions(minutes=None, steps=steps, batch=8, crop=crops.size, workers=1, objective=objective)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        trainer = Trainer(options, crops, CONFIG, Path(folder) / "checkpoint.safetensors")
        for _ in range(steps):
            trainer.step(executor)
    model = trainer.averaged_model()
    return Trained(name, model, codec_of(export(model, torch.from_numpy(crops.batch(0, 32)[0])), CONFIG))


def curve(codec: MeasuredCodec, inputs: list[Pixels], targets: list[Pixels]) -> Curve:
    """Mean rate of coded inputs, and mean PSNR to the targets."""
    rows = [
        score(codec, target, quality, round_trip(codec, pixels, quality), image=str(i))
        for i, (pixels, target) in enumerate(zip(inputs, targets, strict=True))
        for quality in codec.qualities
    ]
    return mean_curve(codec.name, rows)


def noisy(pictures: list[Pixels], level: float) -> list[Pixels]:
    generator = torch.Generator().manual_seed(0)
    return [add_noise(torch.from_numpy(p)[None], Noise((level, level)), generator)[0].numpy() for p in pictures]


def at_rate(curve: Curve, bpp: float) -> float:
    """PSNR at a rate, linear in its logarithm."""
    points = sorted(curve.points, key=lambda p: p.bpp)
    return float(np.interp(np.log(bpp), np.log([p.bpp for p in points]), [p.score for p in points]))


def saved(reference: Curve, other: Curve) -> float | None:
    try:
        return bd_rate(reference, other)
    except CurveError:
        return None


@torch.no_grad()
def code_statistics(trained: Trained, pictures: list[Pixels]) -> dict[str, float]:
    """Share of symbols that are zero, squared change of the scaled latents per grey level, both at quality 60."""
    q, zeros, changes = torch.tensor([59 / 99]), [], []
    gain = trained.model.gains.forward_gain(q)
    for pixels in pictures:
        x = to_network(torch.from_numpy(pixels)[None])
        code = trained.model.analysis(x) * gain
        zeros.append(float(code.round().eq(0).float().mean()))
        changes.append(float(jacobian_norm(trained.model, x, code, gain, torch.Generator().manual_seed(0))))
    return {"zeros": float(np.mean(zeros)), "change": float(np.mean(changes) / code.numel())}


@torch.no_grad()
def bound(trained: Trained, pictures: list[Pixels], quality: float) -> tuple[float, float]:
    """Bits per pixel that the variational bound promises, and those of real files."""
    q = torch.tensor([(quality - 1) / 99])
    promised = [
        float(rate_distortion(trained.model, torch.from_numpy(p)[None], q, torch.Generator().manual_seed(0)).bpp)
        for p in pictures
    ]
    real = [8 * len(trained.codec.encode(p, quality, effort=0)) / (SIDE * SIDE) for p in pictures]
    return float(np.mean(promised)), float(np.mean(real))


def main() -> None:
    parser = argparse.ArgumentParser(description="What each objective brings.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "objectives.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    training, held = split(load_source(options.folder), 0.1)
    crops = Crops(training, 128)
    clean = [np.ascontiguousarray(p.pixels[:SIDE, :SIDE]) for p in held if min(p.pixels.shape[:2]) >= SIDE][:12]
    if not clean:
        raise SystemExit(f"objectives.py: {options.folder}: no held-out picture of at least {SIDE} x {SIDE}")
    plain = train("plain", PLAIN, crops, options.steps)
    denoising = train("denoising", Objective(noise=Noise((0, 25))), crops, options.steps)
    result: dict[str, object] = {"steps": options.steps, "config": asdict(CONFIG), "pictures": len(clean)}

    print("| noise | rate | plain | denoising | JPEG |\n|---:|---:|---:|---:|---:|")
    rows = []
    for level in (0, *NOISES):
        inputs = noisy(clean, level) if level else clean
        curves = [curve(codec, inputs, clean) for codec in (plain.measured(), denoising.measured(), JPEG)]
        for bpp in (0.25, 0.5, 1.0):
            values = [at_rate(c, bpp) for c in curves]
            rows.append({"noise": level, "bpp": bpp, "plain": values[0], "denoising": values[1], "jpeg": values[2]})
            print(f"| {level} | {bpp} | " + " | ".join(f"{value:.2f} dB" for value in values) + " |")
    result["denoising"] = rows

    reference = curve(plain.measured(), clean, clean)
    kinds = [plain] + [
        train(name, replace(PLAIN, **{name: strength}), crops, options.steps)  # type: ignore[arg-type]
        for name, strength in (("sparsity", 0.3), ("contraction", 200.0))
    ]
    print("\n| objective | zero symbols | change per grey level | BD-rate against plain |\n|---|---:|---:|---:|")
    statistics = []
    for each in kinds:
        row = code_statistics(each, clean)
        rate = saved(reference, curve(each.measured(), clean, clean))
        statistics.append({"objective": each.name, **row, "bd_rate": rate})
        shown = "-" if rate is None else f"{rate:+.1f} %"
        print(f"| {each.name} | {row['zeros']:.1%} | {row['change']:.2e} | {shown} |")
    result["codes"] = statistics

    promised, real = bound(plain, clean, 60)
    print(f"\nvariational bound {promised:.4f} bpp, files {real:.4f} bpp ({real / promised - 1:+.1%})")
    result["bound"] = {"promised": promised, "files": real}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
