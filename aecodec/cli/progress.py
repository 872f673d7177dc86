"""What is being worked on, on one line of a terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import click

from aecodec.cli.text import ERASE, printable
from aecodec.progress import Listener

PERIOD = 0.5  # seconds
PATIENCE = 1.0  # seconds; how far a file is, is shown of those that take longer


class Progress:
    """A line that says which of ``total`` files is being worked on, for how long, and how long the others may take.

    It is redrawn while a file is worked on: one large picture may take a minute, and says how much of it is done.
    ``shown`` is whether it is wanted; where stderr is no terminal there is none.
    """

    def __init__(self, total: int, shown: bool = True) -> None:
        self._total = total
        self._shown = shown and sys.stderr.isatty()
        self._begun = 0
        self._name, self._share = "", 0.0  # of the file that is being worked on
        self._began = self._since = time.monotonic()
        self._ended = threading.Event()
        self._drawing = threading.Lock()
        self._thread = threading.Thread(target=self._redraw, daemon=True)

    def __enter__(self) -> Progress:
        if self._shown:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._ended.set()
            self._thread.join()
            with self._drawing:
                click.echo(ERASE, nl=False, err=True)

    def begin(self, name: object) -> Listener | None:
        """The next file is being worked on; what is returned is to be told how much of it is done, unless None."""
        self._begun += 1
        self._name, self._share, self._since = printable(name), 0.0, time.monotonic()
        if not self._shown:
            return None
        self._draw()
        return self.listen

    def listen(self, share: float) -> None:
        """So much of the file is done."""
        self._share = max(self._share, share)  # threads do not speak in order

    def _redraw(self) -> None:
        while not self._ended.wait(PERIOD):
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"{ERASE}{str(self)[:width]}", nl=False, err=True)

    def __str__(self) -> str:
        """What is shown: the file's name, its share and seconds, how many are done and what time is left."""
        now = time.monotonic()
        text = self._name
        if now - self._since >= PATIENCE:
            text = f"{self._done()}{now - self._since:.0f} s  {text}"  # long names are cut off
        if self._total == 1:
            return text
        done = self._begun - 1
        left = (now - self._began) / done * (self._total - done) if done else 0.0
        about = f", about {_duration(left)} left" if left >= 2 else ""
        return f"{self._begun}/{self._total}{about}  {text}"

    def _done(self) -> str:
        """How much of the file is done, if that was told; of what comes after the model, such as PNG, nothing is."""
        if self._share > 0.999:
            return "finishing  "
        return f"{100 * self._share:.0f} %  " if self._share else ""


def watched(paths: Sequence[Path], quiet: bool) -> Iterator[Path]:
    """The paths one by one, each shown while it is worked on."""
    with Progress(len(paths), not quiet and len(paths) > 1) as progress:
        for path in paths:
            progress.begin(path)
            yield path


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
