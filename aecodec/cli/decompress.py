"""The command decompress. What files hold decides what is made of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aecodec.cli.bulk import Bulk
from aecodec.cli.failures import clean
from aecodec.cli.options import conversion_options, files_argument, models_option
from aecodec.cli.plan import Naming, Plan, Task, names_folder, plan, plan_stream, refuse_as_folder, targets
from aecodec.cli.run import Convert, Manner, Result, Sizes, convert_files, convert_stream
from aecodec.cli.sources import STREAM, ArchiveFiles, Files, Sources, archive_files
from aecodec.errors import AecError, ImageError
from aecodec.format.archive import is_archive
from aecodec.format.container import parse_header
from aecodec.progress import Listener

if TYPE_CHECKING:
    from aecodec.pictures.images import Picture

RESTORED = ".restored"  # in the names of what stands beside its .aec file, so that it cannot be the original


@dataclass(frozen=True)
class Wanted:
    """What to make of .aec files."""

    suffix: str  # of pictures
    as_pictures: bool  # stacks, too: a folder of pictures rather than an array
    picture: int | None  # of stacks only this one
    quality: int | None
    max_pixels: int


@click.command()
@files_argument("sources", "SRC...", addresses=True)
@click.option("--format", "kind", metavar="NAME", help="png, jpg, webp, ...  [default: by -o's suffix, else png]")
@click.option(
    "-q", "--quality", type=click.IntRange(1, 100), help="Of a format with losses (jpg, webp, avif), as it counts it."
)
@click.option("--picture", type=click.IntRange(0), metavar="K", help="Of a stack only picture K, counted from 0.")
@models_option
@conversion_options
@clean
def decompress(
    sources: Sequence[Path],
    kind: str | None,
    quality: int | None,
    picture: int | None,
    models: Sequence[Path],
    output: str | None,
    recursive: bool,
    force: bool,
    skip_existing: bool,
    cluster: str | None,
    shards: str | None,
    max_pixels: int,
    verbose: bool,
    quiet: bool,
) -> None:
    """Restore pictures from .aec files, beside them or where -o says.

    SRC - is stdin. photo.aec becomes photo.restored.png, so that the original may lie there. With several sources, a
    folder or an archive, -o is a folder, and photo.aec becomes photo.png in it; cells.zip becomes cells.restored/. A
    stack becomes an array (.npy, or what the suffix of -o says: .npz, .idx, .idx.gz), or with --format a folder of
    pictures. Addresses, --cluster and --shards are as for compress.
    """
    suffix = f".{kind.lower().removeprefix('.')}" if kind else ".png"
    bulk = Bulk(sources, output, cluster, shards, recursive, force, quiet)
    if bulk.wanted:
        from aecodec.cluster.coding import Decompression, weights_bytes

        if picture is not None or quality is not None:
            raise click.UsageError("--picture and --quality do not go with addresses, --cluster or --shards")
        return bulk.convert(lambda: Decompression(tuple(map(weights_bytes, models)), suffix, max_pixels))
    wanted = Wanted(suffix, kind is not None, picture, quality, max_pixels)
    manner = Manner(force, skip_existing, verbose, quiet)
    if any(map(is_archive, sources)):
        if len(sources) > 1:
            raise click.UsageError("an archive is restored by itself, not with other sources")
        if output == str(STREAM):
            raise click.UsageError("an archive is restored to a folder, not to stdout")
        with archive_files(sources[0], models) as entries:
            todo = _plan_archive(entries, output, wanted)
            convert_files(todo, entries, manner, _converter(entries, wanted))
        return
    files = Files(models)
    if stream := plan_stream(sources, output):
        convert_stream(stream, files, manner, _converter(files, wanted))
    else:
        todo = _plan(sources, output, recursive, files, wanted)
        convert_files(todo, files, manner, _converter(files, wanted))


# Plan.


def _plan(sources: Sequence[Path], output: str | None, recursive: bool, files: Files, wanted: Wanted) -> Plan:
    from aecodec.pictures import images

    images.format_of(wanted.suffix)  # a mistake shows at once
    target = Path(output) if output else None
    todo = plan(
        sources,
        target,
        Naming(wanted.suffix, RESTORED),
        {".aec"},
        recursive=recursive,
        into_folder=names_folder(output),
        ignored=images.suffixes() | {".safetensors"},
    )
    return replace(
        todo, tasks=[task if task.target == target else _by_content(task, files, wanted) for task in todo.tasks]
    )


def _plan_archive(entries: ArchiveFiles, output: str | None, wanted: Wanted) -> Plan:
    """Tasks of an archive's entries; without ``output`` their folder is named like the archive. Raises OutputError."""
    from aecodec.pictures import images

    images.format_of(wanted.suffix)
    archive = entries.archive
    folder = Path(output) if output else archive.path.with_name(f"{archive.path.stem}{RESTORED}")
    refuse_as_folder(folder, certain=output is None or names_folder(output))
    places = [(entry, entry.relative_to(archive.path)) for entry in archive.pictures]
    tasks, failures = targets(places, folder, Naming(wanted.suffix))
    return Plan([_by_content(task, entries, wanted) for task in tasks], failures=failures)


def _by_content(task: Task, sources: Sources, wanted: Wanted) -> Task:
    """The task with the target that a stack has, where the source is one; what is wrong with a source shows later."""
    with suppress(AecError):
        if wanted.picture is None and parse_header(sources.head(task.source)).count is not None:
            return replace(task, target=task.target.with_suffix("" if wanted.as_pictures else ".npy"))
    return task


# Convert.


def _converter(sources: Sources, wanted: Wanted) -> Convert:
    """A function that restores what a source's bytes hold."""
    from aecodec.codec import decode_picture
    from aecodec.pictures import arrays, images
    from aecodec.stack import decode_stack

    def convert(data: bytes, task: Task, progress: Listener | None) -> Result:
        header, target = parse_header(data), task.target
        pixels, models = header.width * header.height, sources.models(task.source, header)

        def result(made: bytes | Mapping[str, bytes], pictures: int = 1) -> Result:
            size = len(made) if isinstance(made, bytes) else sum(map(len, made.values()))
            return Result(made, Sizes(pixels * pictures, len(data), size, len(data)))

        if header.count is None:
            if wanted.picture is not None or arrays.is_array(target):
                raise ImageError("a single picture, not a stack")
            write = _writer(target, wanted)
            return result(write(decode_picture(data, models, wanted.max_pixels, progress=progress)))
        if wanted.picture is not None:
            write = _writer(target, wanted)
            return result(write(images.from_array(decode_stack(data, wanted.picture, models, wanted.max_pixels))))
        if wanted.as_pictures:
            write = _writer(target, wanted)
            restored = decode_stack(data, None, models, wanted.max_pixels, progress=progress)
            digits = len(str(header.count - 1))
            files = {f"{i:0{digits}d}{wanted.suffix}": write(images.from_array(one)) for i, one in enumerate(restored)}
            return result(files, header.count)
        if target != STREAM and not arrays.is_array(target):
            raise ImageError("a stack of pictures, which becomes an array (.npy, .npz) or with --format a folder")
        array = io.BytesIO()
        restored = decode_stack(data, None, models, wanted.max_pixels, progress=progress)
        arrays.dump(restored, array, ".npy" if target == STREAM else target.name)
        return result(array.getvalue(), header.count)

    return convert


def _writer(target: Path, wanted: Wanted) -> Callable[[Picture], bytes]:
    """A function that writes pictures in the format that is wanted or that the target is named after."""
    from aecodec.pictures import images

    kind = images.format_of(wanted.suffix if wanted.as_pictures else target.suffix or wanted.suffix)

    def write(picture: Picture) -> bytes:
        stream = io.BytesIO()
        images.write(picture, stream, kind, wanted.quality)
        return stream.getvalue()

    return write
