"""Training on several devices, one process (rank) each: ``torchrun --nproc-per-node 8 -m aecodec train ...``.

As with DistributedDataParallel, every rank has the whole model and takes the same steps: it computes the gradients of
its part of the batch, and these are added up over all ranks. The number of ranks changes how fast a step is, not what
it does. Only rank 0 writes. DistributedDataParallel itself is not used: it wants gradients from ``backward``, which
worker threads cannot call side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from aecodec.errors import AecError, DataError

PATIENCE = timedelta(minutes=30)  # with a rank that is silent; rank 0 validates in that time

Result = TypeVar("Result")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; by itself, without :func:`joined`."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def part(self, whole: Tensor) -> Tensor:
        """This rank's part of a batch. Raises DataError for one that is no multiple of the ranks."""
        if len(whole) % self.count:
            raise DataError(
                f"a batch of {len(whole)} cannot be shared by {self.count} processes; give a --batch that can"
            )
        return whole.chunk(self.count)[self.rank]

    def add_up(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sums over all ranks, in one message. Raises AecError where a rank is lost."""
        if self.count == 1:
            return list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        self._together(lambda: dist.all_reduce(flat))
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]

    def share(
        self, work: Callable[[str], Tensor], like: Mapping[str, Tensor], run: Callable[..., Iterator[Tensor]] = map
    ) -> dict[str, Tensor]:
        """``work`` of each name, a tensor as large as the one in ``like``, of which every rank does a part.

        ``run`` is a ``map``. Raises AecError where a rank is lost.
        """
        if self.count == 1:
            return dict(zip(like, run(work, like), strict=True))
        own = _lots(like, self.count)[self.rank]
        done = dict(zip(own, run(work, own), strict=True))
        tensors = [done[name] if name in done else torch.zeros_like(tensor) for name, tensor in like.items()]
        return dict(zip(like, self.add_up(tensors), strict=True))

    def of_first(self, tensors: Sequence[Tensor]) -> None:
        """Take over what rank 0 has, in place. Raises AecError where a rank is lost."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        self._together(lambda: dist.broadcast(flat, 0))
        with torch.no_grad():
            for tensor, said in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(said.view_as(tensor))

    def agreed(self, number: float) -> float:
        """What rank 0 says; clocks differ. Raises AecError where a rank is lost."""
        if self.count == 1:
            return number
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        said = torch.tensor([number], dtype=torch.float64, device=device)
        self.of_first([said])
        return float(said)

    def _together(self, message: Callable[[], Result]) -> Result:
        try:
            return message()
        except RuntimeError as error:
            cause = str(error).strip().splitlines()[0]
            raise AecError(
                f"process {self.rank} of {self.count}: lost another one ({cause}); "
                "--resume goes on from the last checkpoint, with as many processes as there are then"
            ) from error


ALONE = Ranks()


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Meet the other processes that torchrun has started: by gloo on processors, by NCCL on GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def own_device() -> str:
    """The GPU of this process, among those of its machine."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def neighbours() -> int:
    """Processes on this machine, which share its processors."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _lots(like: Mapping[str, Tensor], count: int) -> list[list[str]]:
    """Names, dealt out so that every rank has about as much to do: the largest first, to who has least."""
    lots: list[list[str]] = [[] for _ in range(count)]
    loads = [0] * count
    for name in sorted(like, key=lambda name: -like[name].numel()):
        least = loads.index(min(loads))
        lots[least].append(name)
        loads[least] += like[name].numel()
    return lots
