"""What an installed package needs beside its modules."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_folder_of_assets_is_installed() -> None:
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    folders = [path for path in (ROOT / "aecodec").rglob("assets") if path.is_dir()]
    assert folders
    for folder in folders:
        package = ".".join(folder.parent.relative_to(ROOT).parts)
        assert f'"{package}": ["assets/*"]' in setup
