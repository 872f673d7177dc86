"""The command line. No codec logic; PyTorch is imported only by the commands that compute."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from aecodec import __version__
from aecodec.errors import AecError, ImageError, OutputError

if TYPE_CHECKING:
    from aecodec.images import Picture

MAX_PIXELS = 178_956_970
STREAM = Path("-")
F = TypeVar("F", bound=Callable[..., Any])

_path = click.Path(path_type=Path, allow_dash=True)


class _Failure(click.ClickException):
    """An error of ours, as one line."""

    def show(self, file: Any = None) -> None:
        click.echo(f"aecodec: {self.message}", err=True)


def _clean(command: F) -> F:
    """Turn the errors of a command into one line and an exit code."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except AecError as error:
            raise _Failure(str(error)) from error
        except MemoryError as error:
            raise _Failure("not enough memory") from error
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: no second complaint
            raise SystemExit(1) from None

    return wrapped  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aecodec")
def main() -> None:
    """A learned image codec, and the means to train one for your own pictures.

    Exit codes: 0 done; 1 something failed, with one line on stderr for each failure; 2 wrong usage. Sources are never
    changed or removed, and existing files are overwritten only with -f.
    """


def _files(name: str) -> Callable[[F], F]:
    return click.argument(name, nargs=-1, required=True, type=_path)


def _common(command: F) -> F:
    """Options of compress and decompress."""
    for option in (
        click.option("-o", "--output", type=_path, help="Target file, folder for several sources, or - for stdout."),
        click.option("-r", "--recursive", is_flag=True, help="Take the files below folders."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing targets."),
        click.option("--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, help="Refuse larger pictures."),
        click.option("--quiet", is_flag=True, help="No progress, no summary."),
    ):
        command = option(command)
    return command


@main.command()
@_files("sources")
@click.option("-q", "--quality", type=click.FloatRange(1, 100), help="1 (small) to 100 (good).  [default: 60]")
@click.option("--bpp", type=click.FloatRange(0, min_open=True), help="Best quality within so many bits per pixel.")
@click.option("--target-size", type=click.IntRange(1), metavar="BYTES", help="Best quality within so many bytes.")
@click.option("--model", default="photo", show_default=True, help="Name of an installed model, or a weights file.")
@click.option("--strip", is_flag=True, help="Leave out colour profile, Exif and XMP.")
@_common
@_clean
def compress(
    sources: Sequence[Path],
    quality: float | None,
    bpp: float | None,
    target_size: int | None,
    model: str,
    strip: bool,
    output: Path | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Compress pictures to .aec files."""
    if sum(option is not None for option in (quality, bpp, target_size)) > 1:
        raise click.UsageError("--quality, --bpp and --target-size exclude each other")
    from aecodec import images
    from aecodec.codec import DEFAULT_QUALITY, load_codec
    from aecodec.files import plan

    codec = load_codec(model)

    def convert(data: BinaryIO, _: Path) -> Result:
        picture = images.read(data, max_pixels)
        picture = picture.without_metadata() if strip else picture
        pixels = picture.width * picture.height
        target_bytes = target_size if bpp is None else int(bpp * pixels / 8)
        coded = codec.encode_picture(picture, quality or DEFAULT_QUALITY, target_bytes)
        return Result(coded, len(coded), pixels)

    if _is_stream(sources, output):
        _convert_stream(sources[0], output or STREAM, force, convert)
        return
    suffixes = images.suffixes() - {".aec"}
    _convert_files(plan(sources, output, recursive, suffixes, ".aec"), force, quiet, convert)


@main.command()
@_files("sources")
@click.option("--format", "kind", metavar="NAME", help="png, jpg, webp, ...  [default: by -o's suffix, else png]")
@click.option("--model", "models", multiple=True, type=_path, help="Weights file to look among; may be repeated.")
@_common
@_clean
def decompress(
    sources: Sequence[Path],
    kind: str | None,
    models: Sequence[Path],
    output: Path | None,
    recursive: bool,
    force: bool,
    max_pixels: int,
    quiet: bool,
) -> None:
    """Restore pictures from .aec files."""
    from aecodec import images
    from aecodec.codec import decode_picture
    from aecodec.files import plan

    def convert(data: BinaryIO, target: Path) -> Result:
        coded = data.read()
        picture = decode_picture(coded, models, max_pixels)
        restored = io.BytesIO()
        images.write(picture, restored, images.format_of(f".{kind}" if kind else target.suffix or ".png"))
        return Result(restored.getvalue(), len(coded), picture.width * picture.height)

    if _is_stream(sources, output):
        _convert_stream(sources[0], output or STREAM, force, convert)
        return
    suffix = f".{kind.lower()}" if kind else ".png"
    images.format_of(suffix)
    _convert_files(plan(sources, output, recursive, {".aec"}, suffix), force, quiet, convert)


@dataclass(frozen=True)
class Result:
    """What a conversion made: the bytes to write, the size of the .aec file, and the pixels in it."""

    data: bytes
    coded_bytes: int
    pixels: int


Convert = Callable[[BinaryIO, Path], Result]


def _is_stream(sources: Sequence[Path], output: Path | None) -> bool:
    if STREAM not in sources and output != STREAM:
        return False
    if len(sources) > 1:
        raise click.UsageError("'-' goes with one source only")
    return True


def _convert_stream(source: Path, target: Path, force: bool, convert: Convert) -> None:
    """Convert with standard input or output at one end or both."""
    from aecodec.files import write_atomically

    if target == STREAM and sys.stdout.isatty():
        raise OutputError("refusing to write binary data to a terminal; use -o FILE")
    data = io.BytesIO(sys.stdin.buffer.read()) if source == STREAM else _opened(source)
    result = _named("stdin" if source == STREAM else str(source), convert, data, target)
    if target == STREAM:
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(target, result.data, force)


def _convert_files(tasks: Sequence[Any], force: bool, quiet: bool, convert: Convert) -> None:
    """Convert file by file, going on past failures; exit code 1 if there was one."""
    from aecodec.files import write_atomically

    began, done, failed = time.perf_counter(), list[Result](), 0
    hidden = quiet or len(tasks) < 2 or not sys.stderr.isatty()
    with click.progressbar(tasks, file=sys.stderr, hidden=hidden) as bar:
        for task in bar:
            try:
                if task.target.exists() and not force:
                    raise OutputError(f"{task.target}: exists already; -f overwrites it")
                result = _named(str(task.source), convert, _opened(task.source), task.target)
                try:
                    task.target.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise OutputError(f"{task.target}: cannot write ({error.strerror})") from error
                write_atomically(task.target, result.data, force)
                done.append(result)
            except (AecError, MemoryError) as error:
                failed += 1
                click.echo(f"aecodec: {error or 'not enough memory'}", err=True)
    if not quiet and done:
        _summarize(tasks, done, failed, time.perf_counter() - began)
    if failed:
        raise SystemExit(1)


def _summarize(tasks: Sequence[Any], done: Sequence[Result], failed: int, seconds: float) -> None:
    pixels, coded = sum(r.pixels for r in done), sum(r.coded_bytes for r in done)
    name = f"{len(done)} files" if len(tasks) > 1 else str(tasks[0].target)
    text = f"{name}: {pixels / 1e6:.2f} megapixels, {coded} bytes, {8 * coded / pixels:.3f} bpp, {seconds:.1f} s"
    click.echo(text + (f"; {failed} failed" if failed else ""), err=True)


def _opened(path: Path) -> BinaryIO:
    try:
        return io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ImageError(f"{path}: cannot read ({error.strerror})") from error


def _named(name: str, convert: Convert, data: BinaryIO, target: Path) -> Result:
    """Convert; errors begin with the source's name."""
    try:
        return convert(data, target)
    except AecError as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        raise AecError(f"{name}: not enough memory") from error


@main.command()
@_files("files")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
@_clean
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
    else:
        for record in records:
            click.echo("\n".join(f"{key.replace('_', ' ')}: {_text(value)}" for key, value in record.items()))
    if failed:
        raise SystemExit(1)


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
        return {"file": str(path), **asdict(card), "thousand_multiply_adds_per_pixel": macs}
    from aecodec.container import VERSION, Coding, Tag, intact, parse_header, section_sizes

    data = _opened(path).read()
    try:
        header, sizes = parse_header(data), section_sizes(data)
    except AecError as error:
        raise type(error)(f"{path}: {error}") from error
    record: dict[str, object] = {
        "file": str(path),
        "format_version": VERSION,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "coding": header.coding.name.lower(),
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height), 4),
        "sections": {Tag(tag).name.lower() if tag in set(Tag) else str(tag): size for tag, size in sizes.items()},
        "checksum": "right" if intact(data) else "wrong",
    }
    if header.coding == Coding.LATENTS:
        record |= {"quality": header.quality / 100, "model": header.model_id.hex()}
    return record


@main.command()
@_files("files")
@click.option("--model", "models", multiple=True, type=_path, help="Weights file to look among; may be repeated.")
@click.option("--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, help="Refuse larger pictures.")
@_clean
def test(files: Sequence[Path], models: Sequence[Path], max_pixels: int) -> None:
    """Decode .aec files to nowhere and verify their checksums."""
    from aecodec.codec import decode_picture

    def check(data: BinaryIO, _: Path) -> Result:
        coded = data.read()
        picture: Picture = decode_picture(coded, models, max_pixels)
        return Result(b"", len(coded), picture.width * picture.height)

    failed = False
    for path in files:
        try:
            _named(str(path), check, _opened(path), path)
            click.echo(f"{path}: ok")
        except AecError as error:
            failed = True
            click.echo(f"aecodec: {error}", err=True)
    if failed:
        raise SystemExit(1)


@main.command()
@click.argument("pictures", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Weights file.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long to train.  [default: 60]")
@click.option("--steps", type=click.IntRange(1), help="Train for so many steps instead.")
@click.option("--resume", is_flag=True, help="Go on with the run in the run folder.")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Checkpoint, log and plot.  [default: OUTPUT.run]"
)
@click.option(
    "--validation", type=click.Path(path_type=Path, exists=True), help="Held-out pictures.  [default: a part]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(1), help="CPU threads, each with its part of a batch.  [default: cores]")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Crops a step.")
@click.option("--crop", type=click.IntRange(64), default=256, show_default=True, help="Side of a crop; multiple of 64.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--name", default="", help="Name of the model.  [default: that of the weights file]")
@click.option("--data", default="", help="Description of the training data for the model's card.")
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing weights file.")
@_clean
def train(
    pictures: Path,
    output: Path,
    minutes: float | None,
    steps: int | None,
    resume: bool,
    folder: Path | None,
    validation: Path | None,
    device: str,
    workers: int | None,
    batch: int,
    crop: int,
    seed: int,
    name: str,
    data: str,
    licence: str,
    force: bool,
) -> None:
    """Train a codec on the pictures below a folder."""
    if minutes is not None and steps is not None:
        raise click.UsageError("--minutes and --steps exclude each other")
    if crop % 64:
        raise click.UsageError("--crop must be a multiple of 64")
    if output.exists() and not (force or resume):
        raise OutputError(f"{output}: exists already; -f overwrites it")
    import torch

    from aecodec.training.loop import TrainOptions
    from aecodec.training.run import Job, train_folder

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options = TrainOptions(
        minutes=None if steps else minutes or 60.0,
        steps=steps,
        batch=batch,
        crop=crop,
        workers=1 if device == "cuda" else min(batch, workers or os.cpu_count() or 1),
        device=device,
        seed=seed,
    )
    folder = folder or output.with_suffix(".run")
    job = Job(pictures, output, folder, validation, name, data, licence)
    card = train_folder(job, options, resume=resume, report=lambda text: click.echo(text, err=True))
    click.echo(f"{output}: model {card.name} {card.id}, {card.training.steps} steps, {card.training.minutes} minutes")
