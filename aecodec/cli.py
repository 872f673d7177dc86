"""The command line. No codec logic; PyTorch is imported only by the commands that compute."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from aecodec import __version__
from aecodec.batch import STREAM, Convert, Result, convert_files, convert_stream, named, read_bytes
from aecodec.cli_errors import clean
from aecodec.cli_models import models
from aecodec.cli_train import train
from aecodec.container import MAX_PIXELS
from aecodec.errors import AecError
from aecodec.files import Task, plan

DEFAULT_QUALITY = 60.0
F = TypeVar("F", bound=Callable[..., Any])

_path = click.Path(path_type=Path, allow_dash=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aecodec")
def main() -> None:
    """A learned image codec, and the means to train one for your own pictures.

    Exit codes: 0 done; 1 something failed, with one line on stderr for each failure; 2 wrong usage; 130 interrupted.
    Sources are never changed or removed, and existing files are overwritten only with -f.
    """


def _files(name: str, shown: str) -> Callable[[F], F]:
    return click.argument(name, nargs=-1, required=True, type=_path, metavar=shown)


_max_pixels = click.option(
    "--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, show_default=True, help="Refuse larger pictures."
)
_models = click.option("--model", "models", multiple=True, type=_path, help="Weights file to look among; repeatable.")


def _common(command: F) -> F:
    """Options of compress and decompress."""
    for option in (
        click.option("-o", "--output", help="Target file, folder (for several sources), or - for stdout."),
        click.option("-r", "--recursive", is_flag=True, help="Take the files below folders."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing targets."),
        _max_pixels,
        click.option("--quiet", is_flag=True, help="No progress, no summary."),
    ):
        command = option(command)
    return command


@main.command()
@_files("sources", "SRC...")
@click.option(
    "-q", "--quality", type=click.FloatRange(1, 100), help=f"1 (small) to 100 (good).  [default: {DEFAULT_QUALITY:g}]"
)
@click.option("--bpp", type=click.FloatRange(0, min_open=True), help="Best quality within so many bits per pixel.")
@click.option("--target-size", type=click.IntRange(1), metavar="BYTES", help="Best quality within so many bytes.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--strip", is_flag=True, help="Leave out colour profile, Exif and XMP.")
@_common
@clean
def compress(
    sources: Sequence[Path],
    quality: float | None,
    bpp: float | None,
    target_size: int | None,
    model: str,
    strip: bool,
    output: str | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Compress pictures to .aec files, beside their sources or where -o says.

    SRC - is stdin. With several sources or a folder, -o is a folder.
    """
    if sum(option is not None for option in (quality, bpp, target_size)) > 1:
        raise click.UsageError("--quality, --bpp and --target-size exclude each other")
    from aecodec import images

    tasks = _plan(sources, output, recursive, images.suffixes() - {".aec"}, ".aec")
    from aecodec import load_codec  # after the plan: mistakes show at once

    codec = load_codec(model)

    def convert(data: bytes, _: Path) -> Result:
        picture = images.read(io.BytesIO(data), max_pixels)
        picture = picture.without_metadata() if strip else picture
        pixels = picture.width * picture.height
        target_bytes = target_size if bpp is None else int(bpp * pixels / 8)
        coded = codec.encode_picture(picture, quality or DEFAULT_QUALITY, target_bytes)
        return Result(coded, len(coded), pixels)

    _convert(sources, output, tasks, force, quiet, convert)


@main.command()
@_files("sources", "SRC...")
@click.option("--format", "kind", metavar="NAME", help="png, jpg, webp, ...  [default: by -o's suffix, else png]")
@_models
@_common
@clean
def decompress(
    sources: Sequence[Path],
    kind: str | None,
    models: Sequence[Path],
    output: str | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Restore pictures from .aec files, beside them or where -o says.

    SRC - is stdin. With several sources or a folder, -o is a folder.
    """
    from aecodec import images

    suffix = f".{kind.lower().removeprefix('.')}" if kind else ".png"
    tasks = _plan(sources, output, recursive, {".aec"}, suffix)
    formats = {task.target: images.format_of(suffix if kind else task.target.suffix or ".png") for task in tasks}
    from aecodec import decode_picture

    def convert(data: bytes, target: Path) -> Result:
        picture = decode_picture(data, models, max_pixels)
        restored = io.BytesIO()
        images.write(picture, restored, formats[target])
        return Result(restored.getvalue(), len(data), picture.width * picture.height)

    _convert(sources, output, tasks, force, quiet, convert)


def _plan(
    sources: Sequence[Path], output: str | None, recursive: bool, suffixes: Collection[str], new_suffix: str
) -> list[Task]:
    if STREAM not in sources and output != "-":
        into_folder = output is not None and output.endswith(("/", os.sep))
        return plan(sources, Path(output) if output else None, recursive, suffixes, new_suffix, into_folder)
    if len(sources) > 1:
        raise click.UsageError("'-' goes with one source only")
    return [Task(sources[0], Path(output) if output else STREAM)]


def _convert(
    sources: Sequence[Path], output: str | None, tasks: Sequence[Task], force: bool, quiet: bool, convert: Convert
) -> None:
    if STREAM in sources or output == "-":
        convert_stream(tasks[0], force, convert)
    else:
        convert_files(tasks, force, quiet, convert)


@main.command()
@_files("files", "FILE...")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
@clean
def info(files: Sequence[Path], as_json: bool) -> None:
    """Show what .aec files or weights files are, without decoding them."""
    failed, records = False, []
    for path in files:
        try:
            records.append(_describe(path))
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if as_json:
        click.echo(json.dumps(records, indent=2))
    elif records:
        click.echo("\n\n".join(_lines(record) for record in records))
    if failed:
        raise SystemExit(1)


def _lines(record: Mapping[str, object]) -> str:
    return "\n".join(f"{key.replace('_', ' ')}: {_text(value)}" for key, value in record.items() if value is not None)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in value.items() if v != "")
    return str(value)


def _describe(path: Path) -> dict[str, object]:
    if path.suffix == ".safetensors":
        from aecodec.weights import describe

        card = describe(path)
        encode, decode, prior = card.kilo_macs
        macs = {"encode": round(encode, 2), "decode": round(decode, 2), "of_which_entropy_model": round(prior, 2)}
        return {"file": click.format_filename(path), **asdict(card), "thousand_multiply_adds_per_pixel": macs}
    from aecodec.container import VERSION, Coding, Tag, intact, parse_header, section_sizes

    data = read_bytes(path)
    with named(path):
        header, sizes = parse_header(data), section_sizes(data)
    latents = header.coding == Coding.LATENTS
    return {
        "file": click.format_filename(path),
        "format_version": VERSION,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "coding": header.coding.name.lower(),
        "quality": header.quality / 100 if latents else None,
        "model": header.model_id.hex() if latents else None,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height), 4),
        "sections": {Tag(tag).name.lower() if tag in set(Tag) else str(tag): size for tag, size in sizes.items()},
        "checksum": "right" if intact(data) else "wrong",
    }


@main.command()
@_files("files", "FILE...")
@_models
@_max_pixels
@clean
def test(files: Sequence[Path], models: Sequence[Path], max_pixels: int) -> None:
    """Decode .aec files to nowhere and verify their checksums."""
    from aecodec import decode_picture

    failed = False
    for path in files:
        try:
            data = read_bytes(path)
            with named(path):
                decode_picture(data, models, max_pixels)
            click.echo(f"{click.format_filename(path)}: ok")
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if failed:
        raise SystemExit(1)


main.add_command(models)
main.add_command(train)
