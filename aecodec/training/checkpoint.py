"""Checkpoints of a training run: everything needed to go on at the next step, as safetensors (no pickle)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from aecodec.errors import ModelError
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


def save_checkpoint(
    path: Path, model: Model, average: dict[str, Tensor], optimizer: Optimizer, progress: Progress
) -> None:
    """Write beside ``path``, then rename: a kill at any moment leaves a whole checkpoint."""
    tensors = {f"model/{n}": p.detach() for n, p in model.named_parameters()}
    tensors |= {f"average/{n}": t for n, t in average.items()}
    tensors |= {f"optimizer/{n}": t for n, t in optimizer.state().items()}
    metadata = {"config": json.dumps(config_fields(model.config)), "progress": json.dumps(asdict(progress))}
    beside = path.with_name(path.name + ".part")
    save_file({n: t.contiguous().cpu() for n, t in tensors.items()}, beside, metadata)
    os.replace(beside, path)


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
            names = file.keys()
            for name in names:
                group, _, rest = name.partition("/")
                groups[group][rest] = file.get_tensor(name)
        model = Model(config)
        model.load_state_dict(groups["model"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: not a training checkpoint ({error})") from error
    return model, groups["average"], groups["optimizer"], progress
