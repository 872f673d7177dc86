"""What to make of which files: decided, with all that can be known to go wrong, before anything is done."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from aecodec.cli.find import Finder
from aecodec.cli.sources import STREAM
from aecodec.errors import AecError, OutputError
from aecodec.folders import HEIF, Passed

# Suffixes of what neither this program nor a folder is, beyond those that Python's table of media types knows.
_OTHERS = frozenset({".7z", ".cbz", ".idx", ".npy", ".npz", ".rar", ".safetensors", ".tgz", ".zst"})


@dataclass(frozen=True)
class Task:
    """One file to make of another."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Naming:
    """How targets are called: like their sources, with another suffix."""

    suffix: str
    beside: str = ""  # goes before the suffix where a target stands beside its source

    def target(self, place: Path, beside: bool) -> Path:
        """The target of a file, whose suffix is replaced, and one before it that says the same is not repeated."""
        stem = place.stem.removesuffix(self.suffix) or place.stem
        return place.with_name(f"{stem}{self.beside * beside}{self.suffix}")

    def distinct(self, place: Path, beside: bool) -> Path:
        """The target where another file has the same but for its suffix: the suffix is kept."""
        return place.with_name(f"{place.name}{self.beside * beside}{self.suffix}")


@dataclass(frozen=True)
class Plan:
    """What to do, what not, and what cannot be done."""

    tasks: list[Task]
    passed: Passed = field(default_factory=Passed)
    failures: list[AecError] = field(default_factory=list)


def plan(
    sources: Sequence[Path],
    output: Path | None,
    naming: Naming,
    suffixes: Collection[str],
    *,
    recursive: bool = False,
    into_folder: bool = False,
    ignored: Collection[str] = (),
) -> Plan:
    """What to make of ``sources``: files, and with ``recursive`` folders, whose files of ``suffixes`` are taken.

    Targets stand beside their sources or, with ``output``, in that folder, where the tree of a source folder is
    mirrored. A single source file may have a file as its output, unless ``into_folder``. A source named twice is taken
    once. Files of suffixes that are ``ignored`` are passed over without a word. Raises ImageError for folders where
    ``recursive`` is not given, OutputError for an output that cannot be meant.
    """
    single = len(sources) == 1 and not os.path.isdir(sources[0]) and not into_folder
    to_file = output is not None and single and not os.path.isdir(output)
    if output is not None and not to_file:
        refuse_as_folder(output, into_folder)
    found = Finder(suffixes, ignored)
    for source in sources:
        found.take(source, recursive)
    if output is not None and to_file:
        return Plan([Task(sources[0], output)], found.passed, found.failures)
    tasks, failures = targets(found.places, output, naming)
    return Plan(tasks, found.passed, [*found.failures, *failures])


def plan_stream(sources: Sequence[Path], output: str | None) -> Task | None:
    """The task where standard input or output takes the place of a file. Raises UsageError for more than one source."""
    if STREAM not in sources and output != str(STREAM):
        return None
    if len(sources) > 1:
        raise click.UsageError("'-' goes with one source only")
    return Task(sources[0], Path(output) if output else STREAM)


def names_folder(output: str | None) -> bool:
    """Whether an output is written as a folder, with a separator at its end."""
    return output is not None and output.endswith(("/", os.sep))


def refuse_as_folder(output: Path, certain: bool = False) -> None:
    """Raise OutputError for a name that cannot be meant as that of a folder, unless it is ``certain`` to be one."""
    if os.path.isdir(output):
        return
    if os.path.exists(output):
        raise OutputError(f"{output}: not a folder, but there are several files to write")
    if not certain and (output.suffix.lower() == ".aec" or is_of_other_kind(output)):
        raise OutputError(f"{output}: the name of a file, but there are several to write; for a folder write {output}/")


def is_of_other_kind(path: Path) -> bool:
    """Whether a name has the suffix of pictures, archives, documents or anything else that is known."""
    suffix = path.suffix.lower()
    if suffix in ("", ".aec"):  # most targets: to ask Pillow for all it knows would take a tenth of a second
        return False
    import mimetypes

    from PIL import Image

    known = mimetypes.MimeTypes()  # Python's own table, on every machine the same
    media_type = known.types_map[True].get(suffix) or known.types_map[False].get(suffix)
    return (
        media_type not in (None, "application/octet-stream")
        or suffix in _OTHERS | HEIF | known.encodings_map.keys()
        or suffix in Image.registered_extensions()
    )


def targets(
    places: Sequence[tuple[Path, Path]], output: Path | None, naming: Naming
) -> tuple[list[Task], list[AecError]]:
    """Tasks for files and their places below ``output``; where it is None, targets stand beside their sources.

    Files whose targets differ only in the suffix of their sources keep that suffix. What still has the target of an
    earlier one, or another's source for a target, is left out, and said. A target that is its own source is left to
    the conversion, which knows better what is wrong with that file.
    """

    def tasks(name: Callable[[Path, bool], Path]) -> list[Task]:
        return [Task(p, name(p, True) if output is None else output / name(below, False)) for p, below in places]

    failures: list[AecError] = []
    short, distinct = tasks(naming.target), tasks(naming.distinct)
    firsts = _firsts(distinct, failures)
    counts = Counter(_identity(short[i]) for i in firsts)
    chosen = [short[i] if counts[_identity(short[i])] == 1 else distinct[i] for i in firsts]
    originals = {os.path.realpath(task.source) for task in chosen}
    possible = []
    for task in (chosen[i] for i in _firsts(chosen, failures)):
        if _identity(task) in originals and task.target != task.source:
            said = f"{task.target}: made of {task.source}, would overwrite a source; choose another with -o"
            failures.append(OutputError(said))
        else:
            possible.append(task)
    return possible, failures


def _firsts(tasks: Sequence[Task], failures: list[AecError]) -> list[int]:
    """Which tasks are the first with their target; of the others it is said."""
    made_of: dict[str, Task] = {}
    for task in tasks:
        first = made_of.setdefault(_identity(task), task)
        if first is not task:
            both = f"{first.source} and {task.source}"
            failures.append(OutputError(f"{task.source}: {task.target.name} would be made of both {both}"))
    return [i for i, task in enumerate(tasks) if made_of[_identity(task)] is task]


def _identity(task: Task) -> str:
    return os.path.realpath(task.target)
