"""The command compress: plan, choose a model, convert."""

from __future__ import annotations

import io
import math
import os
import stat
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aecodec.cli.bulk import Bulk
from aecodec.cli.failures import clean, named
from aecodec.cli.options import ByteCount, FiniteRange, conversion_options, files_argument
from aecodec.cli.plan import Naming, Plan, Task, is_of_other_kind, names_folder, plan, plan_stream
from aecodec.cli.run import Convert, Manner, Result, Sizes, clear, convert_each, convert_files, convert_stream
from aecodec.cli.sources import STREAM, Files
from aecodec.cli.text import plural, say
from aecodec.errors import EffortWarning, ImageError, OutputError
from aecodec.files import Attributes, attributes_of, make_folder, new_file, refuse_existing
from aecodec.format.archive import SUFFIX, ArchiveWriter, check_name, weights_entry
from aecodec.format.container import Coding, parse_header
from aecodec.options import BEST_SCORE, DEFAULT_EFFORT, DEFAULT_MODEL, DEFAULT_QUALITY, Options
from aecodec.progress import Listener

if TYPE_CHECKING:
    from aecodec.codec import Codec

NAMING = Naming(".aec")


@dataclass(frozen=True)
class Settings:
    """How all pictures of one command are compressed."""

    model: str
    quality: float
    bpp: float | None
    target_size: int | None  # bytes
    score: float | None
    lossless: bool
    effort: int
    strip: bool
    max_pixels: int


@click.command()
@files_argument("sources", "SRC...", addresses=True)
@click.option(
    "-q", "--quality", type=FiniteRange(1, 100), help=f"1 (small) to 100 (good).  [default: {DEFAULT_QUALITY:g}]"
)
@click.option("--bpp", type=FiniteRange(0, min_open=True), help="Best quality within so many bits per pixel.")
@click.option(
    "--target-size", type=ByteCount(), metavar="BYTES", help="Best quality within so many bytes, for example 50k."
)
@click.option("--score", type=FiniteRange(max=BEST_SCORE), help="Lowest quality of this SSIMULACRA2, for example 80.")
@click.option("--lossless", is_flag=True, help="Every pixel as it is, also of 16 bits; needs no model.")
@click.option(
    "--effort",
    type=click.IntRange(0, 9),
    default=DEFAULT_EFFORT,
    show_default=True,
    help="Time to spend on smaller, better files.",
)
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--embed-model", is_flag=True, help="Put the weights into the archive, if that pays; see below.")
@click.option("--strip", is_flag=True, help="Leave out colour profile, Exif, XMP, IPTC and texts.")
@conversion_options
@clean
def compress(
    sources: Sequence[Path],
    quality: float | None,
    bpp: float | None,
    target_size: int | None,
    score: float | None,
    lossless: bool,
    effort: int,
    model: str,
    embed_model: bool,
    strip: bool,
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
    """Compress pictures to .aec files, beside their sources or where -o says.

    SRC - is stdin. With several sources or a folder, -o is a folder. An array of pictures of one size (.npy, .npz, IDX,
    gzipped or not) becomes one file, a stack. Of pictures that differ only in their suffix, such as a.png and a.jpg,
    the files keep it: a.png.aec and a.jpg.aec.

    With -o NAME.zip all files go into one archive, a ZIP. --embed-model makes it open wherever aecodec is: by a
    measurement on some of the pictures, the archive has the weights of --model in it where that makes it smaller, and
    is compressed with the photo model to the same PSNR where it does not.

    With addresses (s3://bucket/photos, globs and lists of them in a .txt file), --cluster or --shards, very many
    pictures are compressed, also those in .tar and Parquet files; a run that was killed goes on where it stopped.
    """
    if sum(option is not None for option in (quality, bpp, target_size, score)) + lossless > 1:
        raise click.UsageError("--quality, --bpp, --target-size, --score and --lossless exclude each other")
    bulk = Bulk(sources, output, cluster, shards, recursive, force, quiet)
    if bulk.wanted:
        from aecodec.cluster.coding import Compression, weights_bytes

        options = Options(quality, target_size, bpp, score, lossless, effort)
        return bulk.convert(lambda: Compression(weights_bytes(model), options, strip, max_pixels=max_pixels))
    archive = _archive(output)
    if embed_model and (archive is None or bpp or target_size or lossless or score is not None):
        others = "--bpp, --target-size, --score or --lossless"
        raise click.UsageError(f"--embed-model goes with an archive, -o NAME.zip, and not with {others}")
    quality = quality or DEFAULT_QUALITY
    settings = Settings(model, quality, bpp, target_size, score, lossless, effort, strip, max_pixels)
    manner = Manner(force, skip_existing, verbose, quiet)
    if (stream := plan_stream(sources, output)) and archive is None:
        _refuse_other_kinds(stream.target)
        convert_stream(stream, Files(), manner, _converter(settings))
    elif archive is None:
        convert_files(_plan(sources, output, recursive), Files(), manner, _converter(settings))
    else:
        todo = _plan_archive(archive, sources, recursive, force)
        weights = None
        if embed_model:
            settings, weights = _choose(todo.tasks, settings, quiet)
        _convert_to_archive(archive, todo, weights, manner, _converter(settings))


# Plan.


def _archive(output: str | None) -> Path | None:
    """The archive that -o names; None where it names something else, for example a folder."""
    if output is None or output.endswith(("/", os.sep)):
        return None
    target = Path(output)
    return target if target.suffix.lower() == SUFFIX and not os.path.isdir(target) else None


def _plan(sources: Sequence[Path], output: str | None, recursive: bool) -> Plan:
    target = Path(output) if output else None
    if target is not None and len(sources) == 1 and not os.path.isdir(sources[0]) and not names_folder(output):
        _refuse_other_kinds(target)
    return plan(
        sources, target, NAMING, suffixes(), recursive=recursive, into_folder=names_folder(output), ignored={".aec"}
    )


def _plan_archive(archive: Path, sources: Sequence[Path], recursive: bool, force: bool) -> Plan:
    """What to make of sources, with entries of the archive for targets. Raises as :func:`plan`."""
    if STREAM in sources:
        raise click.UsageError("'-' does not go into an archive")
    refuse_existing(archive, force)
    todo = plan(sources, Path(), NAMING, suffixes(), recursive=recursive, into_folder=True, ignored={".aec"})
    if os.path.realpath(archive) in {os.path.realpath(task.source) for task in todo.tasks}:
        raise OutputError(f"{archive}: would overwrite a source; choose another with -o")
    return todo


def suffixes() -> set[str]:
    """Of the files in folders that are taken for pictures."""
    from aecodec.pictures import images

    return images.suffixes() - {".aec"}


def _refuse_other_kinds(target: Path) -> None:
    """Raise OutputError where an .aec file would get the name of a picture, or of anything else."""
    if not os.path.isdir(target) and is_of_other_kind(target):
        raise OutputError(f"{target}: what is written is an .aec file and no {target.suffix}; name it .aec")


# Choose.


def _choose(tasks: Sequence[Task], settings: Settings, quiet: bool) -> tuple[Settings, Path | None]:
    """With --embed-model: the model given and its weights, or the package's own, whatever takes fewer bytes."""
    from aecodec.payoff import payment
    from aecodec.weights import describe, find, packaged_ids

    path = find(settings.model)
    card = describe(path)
    if bytes.fromhex(card.id) in packaged_ids():
        if not quiet:
            say(f"the {card.name} model comes with aecodec; its weights are left out of the archive")
        return settings, None
    files = [task.source for task in tasks if os.path.isfile(task.source)]
    found = payment(files, path, settings.quality, settings.max_pixels) if files else None
    if found is not None and not found.pays:
        say(found)  # also where quiet: it is not what was asked for
        return replace(settings, model=DEFAULT_MODEL, quality=found.other.quality), None
    if found is not None and not quiet:
        say(found)
    return settings, path


# Convert.


def _converter(settings: Settings) -> Convert:
    """A function that compresses a source's bytes. Raises ModelError."""
    from aecodec.codec import encode, load_codec  # after the plan: mistakes show at once
    from aecodec.pictures import arrays, images
    from aecodec.stack import encode_stack

    codec = None if settings.lossless else load_codec(settings.model)
    sought = bool(settings.bpp or settings.target_size) or settings.score is not None
    goal = None if sought or settings.lossless else settings.quality
    if codec is not None:
        _say_where_effort_is_off(codec, settings.effort)  # also where quiet: it is not what was asked for

    def convert(data: bytes, _: Task, progress: Listener | None) -> Result:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EffortWarning)  # it has been said
            return compressed(data, progress)

    def compressed(data: bytes, progress: Listener | None) -> Result:
        if arrays.is_array_data(data):
            if sought:
                said = "--bpp, --target-size and --score are for single ones, use --quality"
                raise ImageError(f"an array of pictures; {said}")
            pictures = arrays.load(io.BytesIO(data), "array", max_pixels=settings.max_pixels)
            pixels = math.prod(pictures.shape[:3])
            model = codec or settings.model
            coded = encode_stack(
                pictures, goal, model, lossless=settings.lossless, effort=settings.effort, progress=progress
            )
        else:
            picture = images.read(io.BytesIO(data), settings.max_pixels, deep=settings.lossless)
            picture = picture.upright().without_metadata() if settings.strip else picture
            pixels = picture.width * picture.height
            if codec is None:
                coded = encode(picture, lossless=True, effort=settings.effort)
            else:
                size, bpp, score, effort = settings.target_size, settings.bpp, settings.score, settings.effort
                coded = codec.encode_picture(
                    picture, goal, size, bpp=bpp, score=score, effort=effort, progress=progress
                )
        return Result(coded, Sizes(pixels, len(data), len(coded), len(coded)), _how(coded))

    return convert


def _say_where_effort_is_off(codec: Codec, effort: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EffortWarning)
        codec.steps(effort)
    for warning in caught:
        say(f"aecodec: {warning.message}")


def _how(coded: bytes) -> str:
    header = parse_header(coded)
    return "lossless" if header.coding == Coding.LOSSLESS else f"quality {header.quality / 100:g}"


def _convert_to_archive(target: Path, todo: Plan, weights: Path | None, manner: Manner, convert: Convert) -> None:
    """Write an archive of what can be converted; none where nothing can. Exit code 1 if there was a failure."""
    sources = Files()
    clear([target.parent], manner)
    make_folder(target.parent)
    with new_file(target, manner.force, _attributes(todo.tasks)) as file, ArchiveWriter(file) as archive:
        if weights is not None:
            from aecodec.weights import describe, identify

            data = sources.read(weights)
            archive.add(weights_entry(describe(weights).name, identify(data)), data)

        def add(task: Task, progress: Listener | None) -> Result:
            entry, data, attributes = task.target.as_posix(), sources.read(task.source), sources.attributes(task.source)
            with named(task.source):
                check_name(entry)
                result = convert(data, task, progress)
            assert isinstance(result.data, bytes)
            archive.add(entry, result.data, attributes)
            return result

        totals = convert_each(todo, manner, add)
        if not totals.made:
            totals.report()  # which ends the block, and the file with it
    size = target.stat().st_size  # with all that is not pictures
    totals.sizes = replace(totals.sizes, bytes_out=size, coded_bytes=size)
    totals.report(f"{target}: {plural(totals.made, 'file')}")


def _attributes(tasks: Sequence[Task]) -> Attributes:
    """Of an archive: as open as the least open of its pictures."""
    mode = Attributes().mode
    for task in tasks:
        with suppress(OSError):  # that it cannot be read will be said
            mode &= attributes_of(task.source).mode
    return Attributes(mode | stat.S_IRUSR | stat.S_IWUSR)
