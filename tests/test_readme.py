"""The README's table and plot are written by a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from aecodec.evaluation import plots
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.results import write_results
from tests.measured import results, rows


def test_readme_is_written_between_the_markers(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    readme = benchmark("readme")
    path, found = tmp_path / "README.md", tmp_path / "results.json"
    write_results(found, results(*rows("aecodec x", 0.5), *rows("JPEG", 1)))
    path.write_text(f"# Before\n\n{readme.BEGIN}\nold\n{readme.END}\n\nafter\n")
    for _ in range(2):  # the second time changes nothing
        readme.main(["--results", str(found), "--readme", str(path)])
        text = path.read_text()
        assert text.startswith(f"# Before\n\n{readme.BEGIN}\n![")
        assert text.endswith(f"{readme.END}\n\nafter\n")
        assert "old" not in text
        assert "| **aecodec x** | -50.0 % |" in text
    assert "at equal SSIMULACRA2, aecodec x takes 50 % fewer bytes than JPEG" in text
    plot = (tmp_path / "docs" / "kodak.svg").read_text()
    assert plot.startswith("<?xml")
    assert plots.INK not in plot


def test_readme_without_markers_is_left_alone(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    readme = benchmark("readme")
    path, found = tmp_path / "README.md", tmp_path / "results.json"
    write_results(found, results(*rows("JPEG", 1)))
    path.write_text("nothing")
    with pytest.raises(BenchError, match=r"README\.md: no lines"):
        readme.main(["--results", str(found), "--readme", str(path)])
    assert path.read_text() == "nothing"
