"""The README's table and plot are written by a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from aecodec.evaluation import plots
from aecodec.evaluation.extra import BenchError
from aecodec.evaluation.results import write_results
from aecodec.weights import describe, find
from tests.measured import results, rows

README = Path(__file__).parent.parent / "README.md"
BEGIN, END, CELLS = "<!-- benchmarks -->", "<!-- /benchmarks -->", "<!-- cells -->"


def test_readme_says_of_cells_what_its_card_says(benchmark: Callable[[str], ModuleType]) -> None:
    readme = benchmark("readme")
    text = README.read_text(encoding="utf-8")
    assert readme.rewrite(text, "cells", readme.verdict_section(find("cells"))) == text
    results = describe(find("cells")).results
    assert f"| `cells` | {results['held_out_bpp']:.3f} |" in text


def test_readme_is_written_between_the_markers(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    readme = benchmark("readme")
    path, found = tmp_path / "README.md", tmp_path / "results.json"
    write_results(found, results(*rows("aecodec x", 0.5), *rows("JPEG", 1)))
    path.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nbetween\n\n{CELLS}\n<!-- /cells -->\n\nafter\n")
    for _ in range(2):  # the second time changes nothing
        readme.main(["--results", str(found), "--readme", str(path)])
        text = path.read_text()
        assert text.startswith(f"# Before\n\n{BEGIN}\n![")
        assert f"{END}\n\nbetween\n\n{CELLS}\nOn " in text
        assert text.endswith("<!-- /cells -->\n\nafter\n")
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
