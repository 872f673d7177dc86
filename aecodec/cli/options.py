"""Arguments and options that several commands have, and what their values may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from aecodec.format.container import MAX_PIXELS

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path, allow_dash=True)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class FiniteRange(click.FloatRange):
    """A range of numbers, without what is not a number or infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of this range.", param, ctx)
        return number


class ByteCount(click.ParamType):  # type: ignore[type-arg]  # generic in later versions
    """A number of bytes, such as 50000, 50k, 1.5MB or 48KiB."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+|\d*\.\d+)\s*(|[kmg]i?)b?", str(value).strip(), re.IGNORECASE | re.ASCII)
        size = int(float(match[1]) * _UNITS[match[2].lower()]) if match and len(match[1]) < 20 else 0
        if size < 1:
            self.fail(f"{value!r} is not a number of bytes, for example 50000, 50k or 1.5M.", param, ctx)
        return size


class PathOrAddress(click.Path):
    """A path, or an address like s3://bucket/folder, which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, str) and "://" in value else super().convert(value, param, ctx)


def files_argument(name: str, shown: str, addresses: bool = False) -> Callable[[F], F]:
    """One file or more, or - for stdin; where that can be, also addresses."""
    kind = PathOrAddress(path_type=Path, allow_dash=True) if addresses else PATH
    return click.argument(name, nargs=-1, required=True, type=kind, metavar=shown)


max_pixels_option = click.option(
    "--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, show_default=True, help="Refuse larger pictures."
)
models_option = click.option(
    "--model", "models", multiple=True, type=PATH, help="Weights file to look among; repeatable."
)


def _set_threads(_: click.Context, __: click.Parameter, count: int | None) -> None:
    if count is not None:
        from aecodec.threads import set_threads

        set_threads(count)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    expose_value=False,
    callback=_set_threads,
    help="How many threads compute; the result is the same.  [default: as many as there are processors]",
)


def conversion_options(command: F) -> F:
    """Options of compress and decompress."""
    for option in (
        click.option("-o", "--output", help="Target: a file, a folder (for several sources), or - for stdout."),
        click.option("-r", "--recursive", is_flag=True, help="Take the files below folders."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing targets."),
        click.option("--skip-existing", is_flag=True, help="Pass over files whose targets exist."),
        click.option("--cluster", metavar="ADDRESS", help="Work on a Ray cluster: local, auto or ray://HOST:10001."),
        click.option("--shards", type=click.Choice(["tar", "parquet"]), help="Write many pictures to a file."),
        max_pixels_option,
        threads_option,
        click.option("-v", "--verbose", is_flag=True, help="Say what became of each file."),
        click.option("--quiet", is_flag=True, help="No progress, no summary."),
    ):
        command = option(command)
    return command
