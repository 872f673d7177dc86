"""The command info: what files are, by their headers. Imports no PyTorch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from aecodec.cli.failures import Failures, clean, named
from aecodec.cli.find import files_below
from aecodec.cli.options import files_argument
from aecodec.cli.sources import Files
from aecodec.cli.text import plural, printable
from aecodec.errors import ModelError
from aecodec.format.archive import Archive, is_archive, opened
from aecodec.format.container import VERSION, Coding, Header, Tag, intact, parse_header, section_sizes


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
        """Width times height of all pictures together."""
        return self.width * self.height * (self.pictures or 1)


@dataclass(frozen=True)
class ModelUse:
    """A model that an archive's files were made with."""

    id: str
    files: int
    name: str | None  # where the weights are at hand
    embedded_bytes: int | None
    packaged: bool  # comes with aecodec

    def __str__(self) -> str:
        """The model's name and id, how many files it has made, and where its weights are, in one line."""
        name = f"{self.name} {self.id}" if self.name else self.id
        if self.embedded_bytes is not None:
            where = f"weights embedded, {self.embedded_bytes} bytes"
        else:
            where = "in the package" if self.packaged else "weights not embedded"
        return f"{name} ({plural(self.files, 'file')}, {where})"


@click.command()
@files_argument("paths", "PATH...")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
@clean
def info(paths: Sequence[Path], as_json: bool) -> None:
    """Show what .aec files, archives of them or weights files are, without decoding them.

    Of a folder, all such files below it.
    """
    failures, records = Failures(), []
    files = files_below(paths, failures)
    for path in files:
        with failures.caught():
            records.append(_describe(path))
    if as_json:
        click.echo(json.dumps(records, indent=2, default=asdict))
    elif records:
        click.echo("\n\n".join(_lines(record) for record in records))
    failures.end()


def _lines(record: Mapping[str, object]) -> str:
    return "\n".join(
        f"{printable(key.replace('_', ' '))}: {printable(_text(value))}"
        for key, value in record.items()
        if value is not None and key != "entries"  # of an archive; many, and in the JSON
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in value.items() if v != "")
    return str(value)


def _describe(path: Path) -> dict[str, object]:
    """What a file is. Raises AecError, naming it."""
    if path.suffix == ".safetensors":
        return _weights(path)
    return _archive(path) if is_archive(path) else _picture(path)


def _weights(path: Path) -> dict[str, object]:
    from aecodec.weights import describe  # NumPy

    card = describe(path)
    encode, decode, prior = card.kilo_macs
    macs = {"encode": round(encode, 2), "decode": round(decode, 2), "of_which_entropy_model": round(prior, 2)}
    return {"file": str(path), **asdict(card), "thousand_multiply_adds_per_pixel": macs}


def _picture(path: Path) -> dict[str, object]:
    files = Files()
    data = files.read(path)
    with named(path):
        header, sizes = parse_header(data), section_sizes(data)
    latents = header.coding == Coding.LATENTS
    return {
        "file": str(path),
        "format_version": VERSION,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "pictures": header.count,
        "coding": header.coding.name.lower(),
        "quality": header.quality / 100 if latents else None,
        "model": header.model_id.hex() if latents else None,
        "model_name": (_model_name(header, files.models(path, header)) or "not here") if latents else None,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height * (header.count or 1)), 4),
        "sections": {Tag(tag).name.lower() if tag in set(Tag) else str(tag): size for tag, size in sizes.items()},
        "checksum": "right" if intact(data) else "wrong",
    }


def _model_name(header: Header, models: Sequence[Path]) -> str | None:
    """The name of the model that a file was made with, where it is at hand."""
    from aecodec.weights import describe, find_by_id  # NumPy

    with suppress(ModelError):
        return describe(find_by_id(header.model_id, models)).name
    return None


def _archive(path: Path) -> dict[str, object]:
    """What an archive holds, by the headers of its entries. Raises as :func:`opened`, and for what is no .aec file."""
    with opened(path) as archive:
        headers = {entry: _header(archive, entry) for entry in archive.pictures}
        models = _models(archive, headers)
        entries = [_entry(archive, entry, header) for entry, header in headers.items()]
    size, pixels = path.stat().st_size, sum(entry.pixels for entry in entries)
    return {
        "file": str(path),
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


def _header(archive: Archive, entry: Path) -> Header:
    with named(entry):
        return parse_header(archive.head(entry))


def _entry(archive: Archive, entry: Path, header: Header) -> Entry:
    return Entry(
        entry.relative_to(archive.path).as_posix(),
        header.width,
        header.height,
        header.count,
        header.model_id.hex() if header.coding == Coding.LATENTS else None,
        archive.size(entry),
    )


def _models(archive: Archive, headers: Mapping[Path, Header]) -> list[ModelUse]:
    """Those that pictures were made with, and those whose weights are there for nothing."""
    from aecodec.weights import packaged_ids  # NumPy

    made_with = {h.model_id.hex(): h for h in headers.values() if h.coding == Coding.LATENTS}
    used = Counter(h.model_id.hex() for h in headers.values() if h.coding == Coding.LATENTS)
    embedded = {weights.id: weights for weights in archive.weights}
    packaged = {identity.hex() for identity in packaged_ids()} if used else set()
    beside = Files().models_beside(archive.path)
    return [
        ModelUse(
            model,
            used[model],
            embedded[model].name if model in embedded else _model_name(made_with[model], beside),
            embedded[model].bytes if model in embedded else None,
            model in packaged,
        )
        for model in sorted(used | dict.fromkeys(embedded, 0))
    ]
