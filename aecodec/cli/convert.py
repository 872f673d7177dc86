"""The commands compress and decompress. No codec logic; what files hold decides what is done with them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aecodec.cli.archive import (
    Chosen,
    archive_among,
    archive_target,
    choose_model,
    convert_to_archive,
    plan_entries,
    plan_restoring,
)
from aecodec.cli.batch import STREAM, Convert, Read, Result, convert_files, convert_stream, read_bytes
from aecodec.cli.failures import clean
from aecodec.errors import AecError, ImageError
from aecodec.files import Task, plan
from aecodec.format.container import HEADER_BYTES, MAX_PIXELS, check_pixels, parse_header
from aecodec.networks.config import DEFAULT_EFFORT

if TYPE_CHECKING:
    from aecodec.pictures.images import Picture

DEFAULT_QUALITY = 60.0
F = TypeVar("F", bound=Callable[..., Any])

_path = click.Path(path_type=Path, allow_dash=True)


def files_argument(name: str, shown: str) -> Callable[[F], F]:
    """One file or more, or - for stdin."""
    return click.argument(name, nargs=-1, required=True, type=_path, metavar=shown)


max_pixels_option = click.option(
    "--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, show_default=True, help="Refuse larger pictures."
)
models_option = click.option(
    "--model", "models", multiple=True, type=_path, help="Weights file to look among; repeatable."
)


def _common(command: F) -> F:
    """Options of compress and decompress."""
    for option in (
        click.option("-o", "--output", help="Target: a file, a folder (for several sources), or - for stdout."),
        click.option("-r", "--recursive", is_flag=True, help="Take the files below folders."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing targets."),
        max_pixels_option,
        click.option("--quiet", is_flag=True, help="No progress, no summary."),
    ):
        command = option(command)
    return command


@click.command()
@files_argument("sources", "SRC...")
@click.option(
    "-q", "--quality", type=click.FloatRange(1, 100), help=f"1 (small) to 100 (good).  [default: {DEFAULT_QUALITY:g}]"
)
@click.option("--bpp", type=click.FloatRange(0, min_open=True), help="Best quality within so many bits per pixel.")
@click.option("--target-size", type=click.IntRange(1), metavar="BYTES", help="Best quality within so many bytes.")
@click.option(
    "--effort",
    type=click.IntRange(0, 9),
    default=DEFAULT_EFFORT,
    show_default=True,
    help="Time to spend on smaller, better files.",
)
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--embed-model", is_flag=True, help="Put the weights into the archive, if that pays; see below.")
@click.option("--strip", is_flag=True, help="Leave out colour profile, Exif and XMP.")
@_common
@clean
def compress(
    sources: Sequence[Path],
    quality: float | None,
    bpp: float | None,
    target_size: int | None,
    effort: int,
    model: str,
    embed_model: bool,
    strip: bool,
    output: str | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Compress pictures to .aec files, beside their sources or where -o says.

    SRC - is stdin. With several sources or a folder, -o is a folder. An array of pictures of one size (.npy, .npz, IDX,
    gzipped or not) becomes one file, a stack.

    With -o NAME.zip all files go into one archive, a ZIP. --embed-model makes it open wherever aecodec is: by a
    measurement on some of the pictures, the archive has the weights of --model in it where that makes it smaller, and
    is compressed with the photo model to the same PSNR where it does not.
    """
    if sum(option is not None for option in (quality, bpp, target_size)) > 1:
        raise click.UsageError("--quality, --bpp and --target-size exclude each other")
    archive = archive_target(output)
    if embed_model and (archive is None or bpp or target_size):
        raise click.UsageError("--embed-model goes with an archive, -o NAME.zip, and not with --bpp or --target-size")
    from aecodec.pictures import arrays, images

    suffixes = images.suffixes() - {".aec"}
    if archive is None:
        tasks = _plan(sources, output, recursive, suffixes, ".aec")
    else:
        tasks = plan_entries(archive, sources, recursive, suffixes, force)
    from aecodec import encode_stack, load_codec  # after the plan: mistakes show at once

    chosen = Chosen(model, quality or DEFAULT_QUALITY)
    if embed_model:
        chosen = choose_model(tasks, chosen, max_pixels, quiet)
    codec = load_codec(chosen.model)

    def convert(data: bytes, _: Path) -> Result:
        if arrays.is_array_data(data):
            if bpp or target_size:
                raise ImageError("an array of pictures; --bpp and --target-size are for single ones, use --quality")
            pictures = arrays.load(io.BytesIO(data), "array")
            check_pixels(pictures.shape[2], pictures.shape[1], max_pixels, len(pictures))
            coded = encode_stack(pictures, chosen.quality, codec, effort=effort)
            return Result(coded, len(coded), pictures.shape[0] * pictures.shape[1] * pictures.shape[2])
        picture = images.read(io.BytesIO(data), max_pixels)
        picture = picture.without_metadata() if strip else picture
        pixels = picture.width * picture.height
        target_bytes = target_size if bpp is None else int(bpp * pixels / 8)
        coded = codec.encode_picture(picture, chosen.quality, target_bytes, effort=effort)
        return Result(coded, len(coded), pixels)

    if archive is None:
        _convert(sources, output, tasks, force, quiet, convert)
    else:
        convert_to_archive(archive, tasks, chosen.weights, force, quiet, convert)


@click.command()
@files_argument("sources", "SRC...")
@click.option("--format", "kind", metavar="NAME", help="png, jpg, webp, ...  [default: by -o's suffix, else png]")
@click.option("--picture", type=click.IntRange(0), metavar="K", help="Of a stack only picture K, counted from 0.")
@models_option
@_common
@clean
def decompress(
    sources: Sequence[Path],
    kind: str | None,
    picture: int | None,
    models: Sequence[Path],
    output: str | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Restore pictures from .aec files, beside them or where -o says.

    SRC - is stdin. With several sources, a folder or an archive, -o is a folder. A stack becomes an array (.npy, or
    what the suffix of -o says: .npz, .idx, .idx.gz), or with --format a folder of pictures.
    """
    from aecodec.pictures import arrays, images

    suffix = f".{kind.lower().removeprefix('.')}" if kind else ".png"
    head: Read = _head
    read: Read = read_bytes
    if unpacked := click.get_current_context().with_resource(archive_among(sources, output)):
        archive, weights = unpacked
        tasks, head, read = plan_restoring(archive, output, suffix), archive.head, archive.read
        models = [*weights, *models]
    else:
        tasks = _plan(sources, output, recursive, {".aec"}, suffix)
    if picture is None:
        tasks = [
            _of_stack(task, kind is not None, head) if task.target != Path(output or "") else task for task in tasks
        ]
    formats = {
        task.target: images.format_of(suffix if kind else task.target.suffix or suffix)
        for task in tasks
        if not arrays.is_array(task.target)
    }
    from aecodec import decode_picture, decode_stack

    def convert(data: bytes, target: Path) -> Result:
        header = parse_header(data)
        pixels = header.width * header.height
        if header.count is None:
            if picture is not None or target not in formats:
                raise ImageError("a single picture, not a stack")
            return Result(_as_file(decode_picture(data, models, max_pixels), formats[target]), len(data), pixels)
        restored = decode_stack(data, picture, models, max_pixels)
        if picture is not None:
            return Result(_as_file(images.from_array(restored), formats[target]), len(data), pixels)
        if kind is None:
            array = io.BytesIO()
            arrays.dump(restored, array, target.name if arrays.is_array(target) else ".npy")
            return Result(array.getvalue(), len(data), pixels * header.count)
        digits = len(str(header.count - 1))
        files = {
            f"{i:0{digits}d}{suffix}": _as_file(images.from_array(one), formats[target])
            for i, one in enumerate(restored)
        }
        return Result(files, len(data), pixels * header.count)

    _convert(sources, output, tasks, force, quiet, convert, read)


def _as_file(picture: Picture, kind: str) -> bytes:
    from aecodec.pictures import images

    stream = io.BytesIO()
    images.write(picture, stream, kind)
    return stream.getvalue()


def _head(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.read(HEADER_BYTES)


def _of_stack(task: Task, as_folder: bool, head: Read) -> Task:
    """The task with the target that a stack has, where the source is one; what is wrong with a source shows later."""
    try:
        stack = parse_header(head(task.source)).count is not None
    except (OSError, AecError):
        return task
    return replace(task, target=task.target.with_suffix("" if as_folder else ".npy")) if stack else task


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
    sources: Sequence[Path],
    output: str | None,
    tasks: Sequence[Task],
    force: bool,
    quiet: bool,
    convert: Convert,
    read: Read = read_bytes,
) -> None:
    if STREAM in sources or output == "-":
        convert_stream(tasks[0], force, convert)
    else:
        convert_files(tasks, force, quiet, convert, read)
