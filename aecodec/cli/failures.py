"""How the commands fail: errors of ours as one line on stderr, and an exit code."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

import click

from aecodec.errors import AecError

F = TypeVar("F", bound=Callable[..., Any])


class _Failure(click.ClickException):
    """An error of ours, as one line."""

    def show(self, file: Any = None) -> None:
        click.echo(f"aecodec: {self.message}", err=True)


class _Interrupted(_Failure):
    exit_code = 130


def clean(command: F) -> F:
    """Turn the errors of a command into one line and an exit code."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="PIL")  # what matters of them comes as an error
                command(*arguments, **options)
            sys.stdout.flush()
        except AecError as error:
            raise _Failure(str(error)) from error
        except MemoryError as error:
            raise _Failure("not enough memory") from error
        except KeyboardInterrupt:
            raise _Interrupted("interrupted") from None
        except BrokenPipeError:
            _forget_stdout()  # nobody reads on, and nobody needs to hear of it
            raise SystemExit(1) from None
        except OSError as error:
            if error.filename is None:
                _forget_stdout()
            raise _Failure(f"{error.filename or 'stdout'}: {error.strerror or error}") from error

    return wrapped  # type: ignore[return-value]


def _forget_stdout() -> None:
    """Keep what is still in the buffer from being flushed, and failing again, when the program ends."""
    with suppress(io.UnsupportedOperation):  # a stream of Python's rather than the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
