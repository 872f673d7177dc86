"""Two processes that train together take the steps of one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from aecodec.errors import DataError
from aecodec.training.distributed import Ranks, _lots
from aecodec.training.loop import Trainer
from tests.training.rank import OF_EIGHT, crops
from tests.training_data import SMALL


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def start(*arguments: object) -> list[subprocess.Popen[str]]:
    """Two processes, as torchrun starts them."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.rank", *map(str, arguments)]
    return [
        subprocess.Popen(command, env=os.environ | common | {"RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]


def advance(trainer: Trainer, steps: int) -> None:
    with ThreadPoolExecutor(2) as executor:
        for _ in range(steps):
            trainer.step(executor)


def test_two_halves_of_a_batch_are_the_batch_and_one_process_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "two.safetensors"
    ended = [(process.communicate()[1], process.returncode) for process in start(path, 3)]
    assert [code for _, code in ended] == [0, 0], ended
    options = replace(OF_EIGHT, workers=2)
    whole = Trainer(options, crops(), SMALL, tmp_path / "one.safetensors")
    advance(whole, 5)
    resumed = Trainer(options, crops(), SMALL, path)
    assert resumed.progress.step == 3
    advance(resumed, 2)
    for name, parameter in resumed.model.named_parameters():
        torch.testing.assert_close(parameter, dict(whole.model.named_parameters())[name], msg=name)
        torch.testing.assert_close(resumed.average[name], whole.average[name], msg=name)


def test_a_lost_process_ends_the_other_with_a_clear_error(tmp_path: Path) -> None:
    first, second = start(tmp_path / "c.safetensors", 100, 1)
    message = first.communicate()[1]
    second.communicate()
    assert (first.returncode, second.returncode) == (1, 9)
    assert "process 0 of 2: lost another one" in message and "--resume" in message


def test_a_batch_that_cannot_be_shared() -> None:
    with pytest.raises(DataError, match="a batch of 8 cannot be shared by 3"):
        Ranks(0, 3).part(torch.zeros(8, 2))


def test_matrices_are_dealt_out_evenly() -> None:
    like = {name: torch.zeros(size) for name, size in {"a": 9, "b": 5, "c": 4, "d": 1, "e": 1}.items()}
    assert _lots(like, 2) == [["a", "d"], ["b", "c", "e"]]
