"""Values of options: numbers that are none, sizes with units."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from aecodec.cli.options import ByteCount
from tests.commands import cli, listing, save


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "NaN", "1e999"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "a.png", "-q"],
        ["compress", "a.png", "--bpp"],
        ["compress", "a.png", "--target-size"],
        ["train", ".", "-o", "x.safetensors", "--minutes"],
        ["train", ".", "-o", "x.safetensors", "--rate"],
        ["train", ".", "-o", "x.safetensors", "--objective", "sparse", "--strength"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_what_is_no_number_is_wrong_usage(here: Path, arguments: list[str], value: str) -> None:
    save(here / "a.png")
    assert "Usage: " in cli(*arguments, value, code=2).stderr
    assert listing(here) == {"a.png"}


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("50000", 50_000), ("50k", 50_000), ("50 kB", 50_000), ("1.5M", 1_500_000), ("48KiB", 49_152)],
)
def test_sizes(text: str, size: int) -> None:
    assert ByteCount().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["0", "-5", "", "k", "5x", "1e3", "0.1", "½", "9" * 400])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a number of bytes"):
        ByteCount().convert(text, None, None)
