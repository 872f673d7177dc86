"""Checkpoints of a training run: everything needed to go on at the next step, as safetensors (no pickle)."""

from __future__ import annotations

import glob
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from aecodec.errors import ModelError
from aecodec.files import write_atomically
from aecodec.networks.config import config_fields, config_of
from aecodec.networks.model import Model
from aecodec.training.optimizer import Optimizer


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    seconds: float = 0.0
    pixels: int = 0
    fine_tuning: bool = False  # the run began with a trained model
    origin: str = ""  # name and id of that model
    machine: str = ""  # that took the last step


SHARD_BYTES = 15 * 2**20  # of tensors in one file


def save_checkpoint(
    path: Path, model: Model, average: dict[str, Tensor], optimizer: Optimizer, progress: Progress
) -> None:
    """Write the checkpoint; what is beyond SHARD_BYTES goes into further files beside ``path``, which names them.

    That one is renamed into its place at the end: a kill at any moment leaves a whole checkpoint.
    """
    tensors = {f"model/{n}": p.detach() for n, p in model.named_parameters()}
    tensors |= {f"average/{n}": t for n, t in average.items()}
    tensors |= {f"optimizer/{n}": t for n, t in optimizer.state().items()}
    first, *rest = _shards({n: t.contiguous().cpu() for n, t in tensors.items()})
    names = [f"{path.stem}-{progress.step}-{i}{path.suffix}" for i in range(1, len(rest) + 1)]
    for name, shard in zip(names, rest, strict=True):
        save_file(shard, path.with_name(name))
    metadata = {"config": json.dumps(config_fields(model.config)), "progress": json.dumps(asdict(progress))}
    write_atomically(path, save(first, metadata | {"shards": json.dumps(names)}), overwrite=True)
    for old in path.parent.glob(f"{glob.escape(path.stem)}-*{path.suffix}"):
        if old.name not in names:
            old.unlink()


def _shards(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors in as few groups of at most SHARD_BYTES as their order allows."""
    shards: list[dict[str, Tensor]] = [{}]
    left = SHARD_BYTES
    for name, tensor in tensors.items():
        if shards[-1] and tensor.nbytes > left:
            shards.append({})
            left = SHARD_BYTES
        shards[-1][name] = tensor
        left -= tensor.nbytes
    return shards


@torch.no_grad()
def load_checkpoint(path: Path) -> tuple[Model, dict[str, Tensor], dict[str, Tensor], Progress]:
    """Model, averaged weights, optimizer state and progress.

    Raises ModelError where the file is not a checkpoint of this program.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        config = config_of(json.loads(metadata["config"]))
        progress = Progress(**json.loads(metadata["progress"]))
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for name in (path.name, *json.loads(metadata.get("shards", "[]"))):
            for key, tensor in load_file(path.parent / Path(name).name).items():
                group, _, rest = key.partition("/")
                groups[group][rest] = tensor
        model = Model(config)
        model.load_state_dict(groups["model"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: not a training checkpoint ({error})") from error
    return model, groups["average"], groups["optimizer"], progress
