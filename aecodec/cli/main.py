"""The command line: the group of all commands."""

from __future__ import annotations

from importlib import import_module

import click

from aecodec import __version__

# Modules of this package that have a command of their own name, or one named otherwise. Each is imported when it is
# called, so that it does not wait for what only others need.
_MODULES = (
    *("compress", "decompress", "info", "test", "bench", "evaluate", "models", "train"),
    *("score", "features", "label", "sample", "map", "duplicates"),
)
_OBJECTS = {"map": "map_pictures"}


class Commands(click.Group):
    """Commands by the names of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"aecodec.cli.{cmd_name}")
        command: click.Command = getattr(module, _OBJECTS.get(cmd_name, cmd_name))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aecodec")
def main() -> None:
    """A learned image codec, and the means to train one for your own pictures.

    Exit codes: 0 done; 1 something failed, with one line on stderr for each failure; 2 wrong usage; 128 and the number
    of a signal that ended it, 130 after Ctrl-C. Sources are never changed or removed, and existing files are
    overwritten only with -f.
    """
