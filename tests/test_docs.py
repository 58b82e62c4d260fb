"""Every command in the documentation runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT, script

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"<!-- run -->\n```\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_every_block_is_run_or_output() -> None:
    opened = re.findall(r"(.*)\n```(\w*)\n(?:.*\n)*?```", README)
    assert len(opened) >= 5
    for before, language in opened:
        assert language == "python" or before in ("<!-- run -->", "<!-- test command -->", "<!-- output -->"), before


@pytest.mark.tensorflow
@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.split()[0])
def test_commands(block: str, here: Path) -> None:
    # The environment is here already; making another one is what .ci/run does.
    script = re.sub(r"^python3 -m venv .*&& \.venv/bin/python", "python", block)
    done = subprocess.run(["/bin/bash", "-euc", script], capture_output=True, text=True, cwd=here, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", PYTHON)
def test_python(block: str, here: Path) -> None:
    subprocess.run([sys.executable, "-c", block], check=True, cwd=here)
    assert (here / "rounded.pb").stat().st_size < (here / "examples" / "digits.pb").stat().st_size


def test_every_transform_is_described() -> None:
    from pbslim.passes import registry

    changelog = (ROOT / "CHANGELOG.md").read_text()
    for name in registry.names():
        assert f"`{name}`" in changelog
        manual = registry.find(name).manual
        assert re.match(r"[A-Z][^\n]+\n\nBefore::  .*\n(?:  .*\n)*After::   ", manual), name


def test_the_pages_of_the_transforms_are_current() -> None:
    folder = ROOT / "docs" / "transforms"
    written = {file.name: file.read_text() for file in folder.glob("*.md")}
    assert written == script("make_transform_pages").pages(), "run: python scripts/make_transform_pages.py"


def test_the_picture_of_the_rooms_is_current() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert script("draw_rooms").drawn(text) == text, "run: python scripts/draw_rooms.py"
