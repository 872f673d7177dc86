"""The command line: the group, and the commands that look at files. PyTorch is imported only where it computes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from aecodec import __version__
from aecodec.cli.archive import describe_archive, verify_archive
from aecodec.cli.batch import named, read_bytes
from aecodec.cli.bench import bench
from aecodec.cli.convert import compress, decompress, files_argument, max_pixels_option, models_option
from aecodec.cli.failures import clean
from aecodec.cli.models import models
from aecodec.cli.train import train
from aecodec.errors import AecError
from aecodec.format.archive import is_archive


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aecodec")
def main() -> None:
    """A learned image codec, and the means to train one for your own pictures.

    Exit codes: 0 done; 1 something failed, with one line on stderr for each failure; 2 wrong usage; 130 interrupted.
    Sources are never changed or removed, and existing files are overwritten only with -f.
    """


@main.command()
@files_argument("files", "FILE...")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
@clean
def info(files: Sequence[Path], as_json: bool) -> None:
    """Show what .aec files, archives of them or weights files are, without decoding them."""
    failed, records = False, []
    for path in files:
        try:
            records.append(_describe(path))
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if as_json:
        click.echo(json.dumps(records, indent=2, default=asdict))
    elif records:
        click.echo("\n\n".join(_lines(record) for record in records))
    if failed:
        raise SystemExit(1)


def _lines(record: Mapping[str, object]) -> str:
    return "\n".join(f"{key.replace('_', ' ')}: {_text(value)}" for key, value in record.items() if _shown(key, value))


def _shown(key: str, value: object) -> bool:
    return value is not None and key != "entries"  # of an archive; many, and in the JSON


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
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
    if is_archive(path):
        return describe_archive(path)
    from aecodec.format.container import VERSION, Coding, Tag, intact, parse_header, section_sizes

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
        "pictures": header.count,
        "coding": header.coding.name.lower(),
        "quality": header.quality / 100 if latents else None,
        "model": header.model_id.hex() if latents else None,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height * (header.count or 1)), 4),
        "sections": {Tag(tag).name.lower() if tag in set(Tag) else str(tag): size for tag, size in sizes.items()},
        "checksum": "right" if intact(data) else "wrong",
    }


@main.command()
@files_argument("files", "FILE...")
@models_option
@max_pixels_option
@clean
def test(files: Sequence[Path], models: Sequence[Path], max_pixels: int) -> None:
    """Decode .aec files, also those in archives, to nowhere and verify their checksums."""
    failed = False
    for path in files:
        try:
            if is_archive(path):
                if not verify_archive(path, models, max_pixels, _verify):
                    failed = True
                    continue
            else:
                data = read_bytes(path)
                with named(path):
                    _verify(data, models, max_pixels)
            click.echo(f"{click.format_filename(path)}: ok")
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if failed:
        raise SystemExit(1)


def _verify(data: bytes, models: Sequence[Path], max_pixels: int) -> None:
    from aecodec import decode_picture, decode_stack
    from aecodec.format.container import parse_header

    if parse_header(data).count is None:
        decode_picture(data, models, max_pixels)
    else:
        decode_stack(data, models=models, max_pixels=max_pixels)


main.add_command(bench)
main.add_command(compress)
main.add_command(decompress)
main.add_command(models)
main.add_command(train)
