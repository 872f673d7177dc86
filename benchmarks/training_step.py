"""Where the time of a training step goes, and what the worker threads bring.

    python benchmarks/training_step.py [--steps 10]

Pictures are scikit-image's; the model is the default one, batch and crop are those of the default run.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter

import skimage.data
import torch
from torch.profiler import ProfilerActivity, profile

from aecodec.networks.config import ConvolutionalConfig
from aecodec.training.bfloat16 import fastest_gradients
from aecodec.training.data import Crops
from aecodec.training.loop import Trainer, TrainOptions
from aecodec.training.objective import rate_distortion
from aecodec.training.pictures import TrainingPicture


def trainer(folder: Path, workers: int) -> Trainer:
    sources = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.rocket())
    pictures = [TrainingPicture(Path(f"{i}.png"), pixels) for i, pixels in enumerate(sources)]
    options = TrainOptions(minutes=None, steps=10_000, workers=workers)
    return Trainer(options, Crops(pictures, options.crop), ConvolutionalConfig(), folder / f"{workers}.safetensors")


def seconds_of_steps(run: Trainer, steps: int) -> list[float]:
    times = []
    with ThreadPoolExecutor(run.options.workers) as executor:
        for _ in range(steps + 2):
            began = perf_counter()
            run.step(executor)
            times.append(perf_counter() - began)
    return times[2:]


def parts(run: Trainer) -> dict[str, float]:
    """Seconds of the parts of a step, one thread, half a batch: what each of two workers does."""
    torch.set_num_threads(1)
    began = perf_counter()
    crops, quality = run.crops.batch(0, run.options.batch)
    batched = perf_counter()
    half = run.options.batch // 2
    pixels, q = torch.from_numpy(crops[:half]), torch.from_numpy(quality[:half])
    with fastest_gradients(pixels.device):
        loss = rate_distortion(run.model, pixels, q, torch.Generator().manual_seed(0)).loss.sum()
    forward = perf_counter()
    grads = torch.autograd.grad(loss, list(run.model.parameters()))
    backward = perf_counter()
    run.optimizer.step(list(grads), 1e-6)
    optimized = perf_counter()
    return {
        "crops": batched - began,
        "forward": forward - batched,
        "backward": backward - forward,
        "optimizer, one thread": optimized - backward,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Profile of a training step.")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cores = torch.get_num_threads()
        for workers in (1, cores):
            torch.set_num_threads(cores)
            times = seconds_of_steps(trainer(Path(folder), workers), options.steps)
            print(f"{workers} worker(s) on {cores} cores: {median(times):.3f} s a step")
        run = trainer(Path(folder), cores)
        pixels = run.options.batch * run.options.crop**2
        encode, decode, prior = run.model.config.kilo_macs_per_pixel()
        macs = 3e3 * (encode + decode - prior)
        print(f"{2e-9 * macs * pixels / median(times):.0f} GFLOP/s, counting backward as twice forward")
        parts(run)
        for name, value in parts(run).items():
            print(f"{name}: {value:.3f} s")
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            parts(run)
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40))


if __name__ == "__main__":
    main()
