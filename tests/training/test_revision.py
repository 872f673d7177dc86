"""The revision on a model's card."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aecodec.training import run


def test_no_program_of_another_checkout_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed below a checkout of somebody's, whose configuration names a program."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    subprocess.run([*git, "config", "core.fsmonitor", f"touch {tmp_path}/was-run"], check=True)
    module = tmp_path / "venv" / "lib" / "aecodec" / "training" / "run.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(run, "__file__", str(module))
    assert run._revision() == ""
    monkeypatch.setattr(run, "__file__", str(tmp_path / "aecodec" / "training" / "run.py"))
    assert run._revision()
    assert not (tmp_path / "was-run").exists()
