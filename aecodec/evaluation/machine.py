"""The machine that something was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The machine and the system on which something was measured."""

    cpu: str
    cores: int
    system: str


def machine() -> Machine:
    """The machine that this process runs on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return Machine(model, os.cpu_count() or 1, f"{platform.system()} {platform.machine()}")
