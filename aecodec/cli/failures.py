"""How the commands fail: errors of ours as one line on stderr, and an exit code."""

from __future__ import annotations

import copy
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from aecodec.cli.text import plural, printable, say, shown
from aecodec.errors import AecError, LimitError, MetadataWarning, MissingModel, Notice, PixelLimit, TargetExists

F = TypeVar("F", bound=Callable[..., Any])

NO_MEMORY = "not enough memory"
ADVICE = {
    PixelLimit: "--max-pixels raises it",
    TargetExists: "choose another name with -o",
    MissingModel: (
        "give it with --model, or put it beside the file or into a folder that the environment variable "
        "AECODEC_MODELS names"
    ),
}


class _Failure(click.ClickException):
    """An error of ours, as one line."""

    def show(self, file: Any = None) -> None:
        say(f"aecodec: {self.message}")


class _Ended(KeyboardInterrupt):
    """A signal asked the program to end, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Failures:
    """Failures of single files, past which a command goes on. Each is said at once; a missing model only once."""

    def __init__(self) -> None:
        self.count = 0
        self._missing: dict[str, list[AecError]] = {}

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Go on past a failure within the block."""
        try:
            with memory_errors():
                yield
        except MissingModel as error:
            self.count += 1
            self._missing.setdefault(error.model_id, []).append(error)
        except AecError as error:
            self.add(error)

    def add(self, error: AecError) -> None:
        """Say and count a failure."""
        self.count += 1
        say(f"aecodec: {_with_advice(error)}")

    def say_what_is_missing(self) -> None:
        """Name the models that files needed and that are not here."""
        for first, *others in self._missing.values():
            too = f"; {plural(len(others), 'other file')} {'need' if others[1:] else 'needs'} it, too" if others else ""
            say(f"aecodec: {first}{too}; {ADVICE[MissingModel]}")
        self._missing.clear()

    def end(self) -> None:
        """End the command with exit code 1 if anything failed."""
        self.say_what_is_missing()
        if self.count:
            raise SystemExit(1)


def clean(command: F) -> F:
    """Turn the errors of a command into one line and an exit code. SIGTERM and SIGHUP end it as Ctrl-C does."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            with _notices_as_lines(quiet=bool(options.get("quiet"))), _signals_as_interrupts(), memory_errors():
                command(*arguments, **options)
            sys.stdout.flush()
        except AecError as error:
            raise _Failure(_with_advice(error)) from error
        except KeyboardInterrupt as error:
            say("aecodec: interrupted")
            raise SystemExit(128 + (error.number if isinstance(error, _Ended) else signal.SIGINT)) from None
        except BrokenPipeError:
            _forget_stdout()  # nobody reads on, and nobody needs to hear of it
            raise SystemExit(1) from None
        except OSError as error:
            if error.filename is None:
                _forget_stdout()
            raise _Failure(f"{error.filename or 'stdout'}: {error.strerror or error}") from error

    return wrapped  # type: ignore[return-value]


@contextmanager
def named(source: Path) -> Iterator[None]:
    """Let errors begin with the source's name, and what is left out of it be said in such a line, too."""
    try:
        with memory_errors(), _said_of(source):
            yield
    except AecError as error:
        of_source = copy.copy(error)
        of_source.args = (f"{shown(source)}: {error}",)
        raise of_source from error


@contextmanager
def _notices_as_lines(quiet: bool) -> Iterator[None]:
    """Say what is passed over and the like in lines, where ``quiet`` is not asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # what matters of them comes as an error
        warnings.simplefilter("ignore" if quiet else "always", Notice)
        show = warnings.showwarning

        def say_notices(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, Notice):
                say(f"aecodec: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = say_notices
        yield


@contextmanager
def _said_of(source: Path) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MetadataWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, MetadataWarning):
            say(f"aecodec: {shown(source)}: {warning.message}")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Let it be an error of ours where memory does not suffice, whichever library says so and however."""
    try:
        yield
    except MemoryError as error:
        raise LimitError(NO_MEMORY) from error
    except RuntimeError as error:
        if any(word in str(error) for word in ("memory", "alloc", "start new thread")):  # PyTorch's, C++'s, Python's
            raise LimitError(NO_MEMORY) from error
        raise


def _with_advice(error: AecError) -> str:
    """A failure in words, with the options that help."""
    advice = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), None)
    return printable(f"{error}; {advice}" if advice else error)


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let signals that end a program do so by an exception, so that nothing unfinished is left behind."""
    previous: dict[int, Any] = {}

    def end(number: int, _: FrameType | None) -> None:
        for each in previous:
            signal.signal(each, signal.SIG_IGN)  # what cleans up is not to be interrupted
        raise _Ended(number)

    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # else ignored, as nohup does
                previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)


def _forget_stdout() -> None:
    """Keep what is still in the buffer from being flushed, and failing again, when the program ends."""
    with suppress(io.UnsupportedOperation):  # a stream of Python's rather than the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
