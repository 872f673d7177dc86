"""The result file of a benchmark: what was measured, on what, with what.

JSON with one line per row, so that two versions of it can be compared. It is also the benchmark's memory: rows are used
again as long as the picture, the codec's settings, every library's version and, for times, the machine are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.machine import Machine
from aecodec.evaluation.measure import Measurement
from aecodec.evaluation.sources import PictureRecord
from aecodec.files import make_folder, write_atomically

VERSION = 3


@dataclass(frozen=True)
class Time:
    """Seconds that encoding and decoding a picture in memory took, the shortest of the repetitions."""

    codec: str
    image: str
    quality: int
    encode: float
    decode: float


@dataclass(frozen=True)
class Memory:
    """Bytes of memory: resident with the codec loaded, and what the largest picture added at its peak; Linux only."""

    loaded: int
    encode: int
    decode: int


@dataclass(frozen=True)
class Timing:
    """Where and when a codec's times were measured; ``load`` is the machine's average of the minute before."""

    machine: Machine
    threads: int
    load: float
    date: str


@dataclass(frozen=True)
class CodecRecord:
    """A codec as it was measured."""

    name: str
    settings: str
    versions: Mapping[str, str]
    model: str = ""
    date: str = ""
    timing: Timing | None = None
    memory: Memory | None = None


@dataclass(frozen=True)
class Results:
    """A result file. ``metrics`` are the metrics by name, with the versions of what computed them."""

    title: str
    pictures: tuple[PictureRecord, ...] = ()
    codecs: tuple[CodecRecord, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[Measurement, ...] = ()
    times: tuple[Time, ...] = ()

    def of(self, codec: str) -> tuple[Measurement, ...]:
        """The rows of one codec."""
        return tuple(row for row in self.rows if row.codec == codec)

    def times_of(self, codec: str) -> tuple[Time, ...]:
        """The times of one codec."""
        return tuple(time for time in self.times if time.codec == codec)


def read_results(path: Path) -> Results:
    """Read a result file. Raises BenchError where it is none, or of another version."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found["version"] != VERSION:
            raise BenchError(f"{path}: not a result file of version {VERSION}; remove it or choose another folder")
        return Results(
            found["title"],
            tuple(PictureRecord(**picture) for picture in found["pictures"]),
            tuple(_codec(codec) for codec in found["codecs"]),
            found["metrics"],
            tuple(Measurement(**row) for row in found["rows"]),
            tuple(Time(**time) for time in found["times"]),
        )
    except OSError as error:
        raise BenchError(f"{path}: cannot read ({error.strerror or error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(f"{path}: not a result file ({error}); remove it or choose another folder") from error


def write_results(path: Path, results: Results, summary: Mapping[str, Any] | None = None) -> None:
    """Write a result file, with a summary for those who read it by other means; it is not read back."""
    write_json(path, {"version": VERSION, **asdict(results), "summary": summary or {}})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with one line for every entry of its lists, all of it or nothing."""
    lines = [f" {json.dumps(key)}: {_lines(value)}" for key, value in content.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, all of it or nothing."""
    make_folder(path.parent)
    write_atomically(path, text.encode(), overwrite=True)


def _lines(value: Any) -> str:
    if isinstance(value, (list, tuple)) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(row, allow_nan=False)}" for row in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


def _codec(fields: Mapping[str, Any]) -> CodecRecord:
    timing, memory = fields["timing"], fields["memory"]
    if timing is not None:
        timing = Timing(**{**timing, "machine": Machine(**timing["machine"])})
    return CodecRecord(**{**fields, "timing": timing, "memory": None if memory is None else Memory(**memory)})
