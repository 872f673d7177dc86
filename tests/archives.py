"""Archives, made and looked into, where only the package's own models are installed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest
from click.testing import Result

from aecodec import payoff
from tests import commands
from tests.commands import GREY, save
from tests.conftest import TINY

ENVIRONMENT = {"AECODEC_MODELS": ""}


def cli(*arguments: object, code: int = 0) -> Result:
    """Run a command where only the package's own models are installed; never a traceback."""
    return commands.cli(*arguments, code=code, environment=ENVIRONMENT)


def compress(*arguments: object, code: int = 0) -> Result:
    return cli("compress", "in", "-r", "-o", "cells.zip", "--model", "mine.safetensors", *arguments, code=code)


@pytest.fixture
def folder(here: Path) -> Path:
    """``in``, with two pictures, and ``mine.safetensors``."""
    save(here / "in" / "one.png")
    save(here / "in" / "deep" / "er" / "two.png", GREY)
    shutil.copy(TINY, here / "mine.safetensors")
    return here


@pytest.fixture
def it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are embedded without a measurement."""
    monkeypatch.setattr(payoff, "payment", lambda *_: None)


def entries(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def write(path: Path, contents: Mapping[str, bytes], method: int = ZIP_STORED) -> None:
    with ZipFile(path, "w", method) as file:
        for name, data in contents.items():
            file.writestr(ZipInfo(name), data, method)
