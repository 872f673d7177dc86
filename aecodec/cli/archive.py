"""Archives on the command line: what compress, decompress, info and test do with them. Imports no PyTorch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from aecodec.cli.batch import STREAM, Convert, Result, convert_each, make_folder_for, named, read_bytes
from aecodec.errors import AecError, OutputError
from aecodec.files import Task, new_file, plan, refuse_collisions, refuse_existing
from aecodec.format.archive import SUFFIX, Archive, ArchiveWriter, check_name, is_archive, opened, weights_entry
from aecodec.format.container import Coding, parse_header

Verify = Callable[[bytes, Sequence[Path], int], None]  # of a file's bytes, weights files and the limit of pixels


@dataclass(frozen=True)
class Chosen:
    """What to compress with."""

    model: str
    quality: float
    weights: Path | None = None  # to embed


@dataclass(frozen=True)
class Entry:
    """A coded file in an archive, by its header."""

    file: str
    width: int
    height: int
    pictures: int | None  # of a stack
    model: str | None  # its id; None where coded without loss
    bytes: int

    @property
    def pixels(self) -> int:
        """Of all pictures."""
        return self.width * self.height * (self.pictures or 1)


@dataclass(frozen=True)
class ModelUse:
    """A model that an archive's files were made with."""

    id: str
    files: int
    name: str | None  # known of embedded weights only
    embedded_bytes: int | None
    packaged: bool  # comes with aecodec

    def __str__(self) -> str:
        """In words."""
        name = f"{self.name} {self.id}" if self.name else self.id
        if self.embedded_bytes is not None:
            where = f"weights embedded, {self.embedded_bytes} bytes"
        else:
            where = "in the package" if self.packaged else "weights not embedded"
        return f"{name} ({self.files} file{'s' * (self.files != 1)}, {where})"


def archive_target(output: str | None) -> Path | None:
    """The archive that -o names; None where it names something else, for example a folder."""
    if output is None or output.endswith(("/", os.sep)):
        return None
    target = Path(output)
    return target if target.suffix.lower() == SUFFIX and not target.is_dir() else None


def plan_entries(
    target: Path, sources: Sequence[Path], recursive: bool, suffixes: Collection[str], force: bool
) -> list[Task]:
    """What to make of sources, with entries of the archive for targets. Raises as :func:`plan`."""
    if STREAM in sources:
        raise click.UsageError("'-' does not go into an archive")
    refuse_existing(target, force)
    tasks = plan(sources, Path(), recursive, suffixes, ".aec", into_folder=True)
    if target.resolve() in {task.source.resolve() for task in tasks}:
        raise OutputError(f"{target}: would overwrite a source; choose another with -o")
    return tasks


def choose_model(tasks: Sequence[Task], given: Chosen, max_pixels: int, quiet: bool) -> Chosen:
    """With --embed-model: the model given and its weights, or the package's own, whatever takes fewer bytes."""
    from aecodec.codec import DEFAULT_MODEL
    from aecodec.payoff import payment
    from aecodec.weights import describe, find, packaged_ids

    path = find(given.model)
    card = describe(path)
    if bytes.fromhex(card.id) in packaged_ids():
        if not quiet:
            click.echo(f"the {card.name} model comes with aecodec; its weights are left out of the archive", err=True)
        return given
    found = payment([task.source for task in tasks], path, given.quality, max_pixels)
    if found is not None and not found.pays:
        click.echo(str(found), err=True)  # also where quiet: it is not what was asked for
        return Chosen(DEFAULT_MODEL, found.other.quality)
    if found is not None and not quiet:
        click.echo(str(found), err=True)
    return replace(given, weights=path)


def convert_to_archive(
    target: Path, tasks: Sequence[Task], weights: Path | None, force: bool, quiet: bool, convert: Convert
) -> None:
    """Write an archive of what can be converted; none where nothing can. Exit code 1 if there was a failure."""
    make_folder_for(target)
    with new_file(target, force) as file, ArchiveWriter(file) as archive:
        if weights is not None:
            from aecodec.weights import describe, identify

            data = read_bytes(weights)
            archive.add(weights_entry(describe(weights).name, identify(data)), data)

        def add(task: Task) -> tuple[int, Result]:
            entry, data = task.target.as_posix(), read_bytes(task.source)
            with named(task.source):
                check_name(entry)
                result = convert(data, task.target)
            assert isinstance(result.data, bytes)
            archive.add(entry, result.data)
            return len(data), result

        totals = convert_each(tasks, quiet, add)
        if not totals.files:
            totals.report(str(target), quiet)
    totals.bytes_out = target.stat().st_size  # with all that is not pictures
    totals.bits_coded = 8 * totals.bytes_out
    totals.report(f"{target}: {totals.files} file{'s' * (totals.files != 1)}", quiet)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Archive, list[Path]]]:
    """An open archive, and the weights in it as files; for the time of the block."""
    with opened(path) as archive, TemporaryDirectory(prefix="aecodec-") as folder:
        yield archive, archive.unpack_weights(Path(folder))


@contextmanager
def archive_among(sources: Sequence[Path], output: str | None) -> Iterator[tuple[Archive, list[Path]] | None]:
    """The archive to restore and its weights, where the sources are one archive."""
    if not any(map(is_archive, sources)):
        yield None
        return
    if len(sources) > 1:
        raise click.UsageError("an archive is restored by itself, not with other sources")
    if output == "-":
        raise click.UsageError("an archive is restored to a folder, not to stdout")
    with unpacked(sources[0]) as contents:
        yield contents


def plan_restoring(archive: Archive, output: str | None, suffix: str) -> list[Task]:
    """Tasks of an archive's entries; without ``output`` their folder is named like the archive. Raises OutputError."""
    folder = Path(output) if output else archive.path.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: not a folder, but an archive is restored to one")
    tasks = [Task(entry, (folder / entry.relative_to(archive.path)).with_suffix(suffix)) for entry in archive.pictures]
    refuse_collisions(tasks)
    return tasks


def describe_archive(path: Path) -> dict[str, object]:
    """What an archive holds, by the headers of its entries. Raises as :func:`opened`, and for what is no .aec file."""
    with opened(path) as archive:
        entries = [_entry(archive, entry) for entry in archive.pictures]
        models = _models(archive, entries)
    size, pixels = path.stat().st_size, sum(entry.pixels for entry in entries)
    return {
        "file": click.format_filename(path),
        "pictures": sum(entry.pictures or 1 for entry in entries),
        "stacks": sum(entry.pictures is not None for entry in entries) or None,
        "pixels": pixels,
        "bytes": size,
        "bpp": round(8 * size / pixels, 4) if pixels else None,
        "lossless_files": sum(entry.model is None for entry in entries) or None,
        "models": models,
        "opens_everywhere": all(model.packaged or model.embedded_bytes is not None for model in models),
        "entries": entries,
    }


def _entry(archive: Archive, entry: Path) -> Entry:
    with named(entry):
        header = parse_header(archive.head(entry))
    model = header.model_id.hex() if header.coding == Coding.LATENTS else None
    return Entry(
        entry.relative_to(archive.path).as_posix(),
        header.width,
        header.height,
        header.count,
        model,
        archive.size(entry),
    )


def _models(archive: Archive, entries: Sequence[Entry]) -> list[ModelUse]:
    """Those that pictures were made with, and those whose weights are there for nothing."""
    from aecodec.weights import packaged_ids  # NumPy

    used = Counter(entry.model for entry in entries if entry.model is not None)
    embedded = {weights.id: weights for weights in archive.weights}
    packaged = {identity.hex() for identity in packaged_ids()} if used else set()
    return [
        ModelUse(
            model,
            used[model],
            embedded[model].name if model in embedded else None,
            embedded[model].bytes if model in embedded else None,
            model in packaged,
        )
        for model in sorted(used | dict.fromkeys(embedded, 0))
    ]


def verify_archive(path: Path, models: Sequence[Path], max_pixels: int, verify: Verify) -> bool:
    """Verify every entry, naming those that are not right; whether all are."""
    failed = 0
    with unpacked(path) as (archive, weights):
        for entry in archive.pictures:
            try:
                data = archive.read(entry)
                with named(entry):
                    verify(data, [*weights, *models], max_pixels)
            except AecError as error:
                failed += 1
                click.echo(f"aecodec: {error}", err=True)
    return not failed
