"""Text for people. All that is shown goes through :func:`printable`: names and words in files may come from anyone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

ERASE = "\r\x1b[K"  # the line that the cursor is in


def printable(text: object) -> str:
    """Text on one line: what would end it, move the cursor, turn the direction or cannot be shown is escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(text)
    )


def say(text: object) -> None:
    """Show a line on stderr, on a terminal in the place of an unfinished one."""
    click.echo(f"{ERASE if sys.stderr.isatty() else ''}{printable(text)}", err=True)


def plural(count: int, what: str) -> str:
    """A number of things: ``1 file``, ``2 files``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines of text with the rows' cells in aligned columns."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def shown(path: Path) -> str:
    """The name of a file."""
    return "stdin" if path == Path("-") else printable(path)
