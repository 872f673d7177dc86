"""The command line: the group of all commands."""

from __future__ import annotations

import click

from aecodec import __version__
from aecodec.cli.bench import bench
from aecodec.cli.compress import compress
from aecodec.cli.decompress import decompress
from aecodec.cli.duplicates import duplicates
from aecodec.cli.evaluate import evaluate
from aecodec.cli.features import features
from aecodec.cli.info import info
from aecodec.cli.label import label
from aecodec.cli.map import map_pictures
from aecodec.cli.models import models
from aecodec.cli.sample import sample
from aecodec.cli.score import score
from aecodec.cli.test import test
from aecodec.cli.train import train


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aecodec")
def main() -> None:
    """A learned image codec, and the means to train one for your own pictures.

    Exit codes: 0 done; 1 something failed, with one line on stderr for each failure; 2 wrong usage; 128 and the number
    of a signal that ended it, 130 after Ctrl-C. Sources are never changed or removed, and existing files are
    overwritten only with -f.
    """


_FILES = (compress, decompress, info, test, bench, evaluate, models, train)
_USES = (score, features, label, sample, map_pictures, duplicates)

for command in (*_FILES, *_USES):
    main.add_command(command)
