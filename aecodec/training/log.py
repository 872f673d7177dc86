"""The log of a run: a line of JSON for every record of the loop and every validation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aecodec.errors import OutputError


def append(path: Path, record: Mapping[str, object]) -> None:
    """Add a record, on a line of its own also where a killed run has left half a line. Raises OutputError."""
    try:
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read() != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(record).encode() + b"\n")
    except OSError as error:
        raise OutputError(f"{path}: cannot write ({error.strerror or error})") from error


def read(path: Path) -> list[dict[str, Any]]:
    """All whole records of a log."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:  # half a line
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
