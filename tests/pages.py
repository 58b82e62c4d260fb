"""The pages of the documentation, and what a reader does with each block of code in them.

The comment in the line before a block says what the block is:

- ``run``: commands, or Python; all blocks of a page are run one after the other in one folder with the examples.
  ``run with READER``: the same for what not everybody has (`READERS`). Python without a comment is run, too.
- ``file NAME``: the content of a file that later blocks use.
- ``prints``: what the block before prints, to the letter. ``output``: the same, but it varies (times, versions).
- ``by hand``: not run by a test; the text around it says what was tried.
- ``test command``: what continuous integration runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.shared import ROOT

PAGES = {str(path.relative_to(ROOT)): path for path in [*ROOT.glob("README*.md"), *sorted(ROOT.glob("docs/**/*.md"))]}
_BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S)
_MARK = re.compile(r"run(?: with (?P<reader>[\w.+ ]+))?|file (?P<file>[\w./]+)|prints|output|by hand|test command")
_SHOWN = ("text", "mermaid")
TENSORFLOW_1 = os.environ.get("PBSLIM_TENSORFLOW_1", "")
READERS: dict[str, Callable[[], object]] = {
    "tensorflow": lambda: find_spec("tensorflow"),
    "tensorflow 1": lambda: TENSORFLOW_1,
    "dask": lambda: find_spec("distributed"),
    "opencv": lambda: find_spec("cv2"),
    "openvino": lambda: find_spec("openvino"),
    "gcc": lambda: find_spec("tensorflow") and shutil.which("gcc"),
    "g++": lambda: find_spec("tensorflow") and shutil.which("g++"),
}
"""What some blocks need → whether it is here."""


@dataclass(frozen=True)
class Block:
    """A block of code and what is to be done with it."""

    mark: str
    language: str
    text: str

    @property
    def reader(self) -> str:
        """Who runs it; empty for everybody."""
        found = _MARK.fullmatch(self.mark)
        return (found and found["reader"]) or ""

    @property
    def file(self) -> str:
        """The file whose content it is, if it is one."""
        found = _MARK.fullmatch(self.mark)
        return (found and found["file"]) or ""

    @property
    def runs(self) -> bool:
        """Whether it is run."""
        return self.mark.startswith("run") or (self.language == "python" and not self.mark)

    @property
    def known(self) -> bool:
        """Whether anything says what is to be done with it."""
        return self.language in _SHOWN or self.runs or bool(_MARK.fullmatch(self.mark))


def blocks(page: str) -> list[Block]:
    """The blocks of code of a page."""
    return [
        Block(found["mark"] or "", found["language"], found["text"])
        for found in _BLOCK.finditer(PAGES[page].read_text())
    ]


def readings(wanted: Callable[[str], bool]) -> list[Any]:
    """Page and reader, for each of the pages that are `wanted`; translations have the blocks of their originals."""
    return [
        pytest.param(page, reader, marks=pytest.mark.tensorflow if reader else pytest.mark.slow)
        for page in PAGES
        if wanted(page) and not page.endswith(".zh.md")
        for reader in sorted({block.reader for block in blocks(page) if block.runs})
    ]


def play(page: str, folder: Path) -> None:
    """Do in `folder` what everybody can do of what `page` says, one block after the other."""
    (folder / "examples").symlink_to(ROOT / "examples")
    _do([block for block in blocks(page) if block.file], folder)
    _do(_of(page, ""), folder)


def play_with(page: str, reader: str, folder: Path) -> None:
    """Do in `folder`, where the page was played, what a reader can do."""
    _do(_of(page, reader), folder)


def _of(page: str, reader: str) -> list[Block]:
    """The blocks that a reader runs, each with what it prints."""
    found: list[Block] = []
    runner = None
    for block in blocks(page):
        runner = block.reader if block.runs else runner
        if runner == reader and (block.runs or block.mark == "prints"):
            found.append(block)
    return found


def _do(found: list[Block], folder: Path) -> None:
    printed = ""
    for block in found:
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.runs:
            printed = _run(block, folder)
        else:
            assert printed == block.text, block


def _run(block: Block, folder: Path) -> str:
    """What the block prints."""
    # The environment is here already; making another one is what .ci/run does.
    text = re.sub(r"^python3 -m venv .*&& \.venv/bin/python", "python", block.text)
    python = TENSORFLOW_1 if block.reader == "tensorflow 1" else sys.executable
    command = [python, "-c", text] if block.language == "python" else ["/bin/bash", "-euc", text]
    done = subprocess.run(
        command, cwd=folder, env=_environment(block, folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block.text}\n{done.stderr}"
    return done.stdout


def _environment(block: Block, folder: Path) -> dict[str, str]:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if block.reader == "tensorflow 1":
        env.pop("PYTHONPATH", None)
    gold = shutil.which("ld.gold")
    if block.reader in ("gcc", "g++") and gold:  # which reads TensorFlow's library much faster
        linkers = folder / "linkers"
        linkers.mkdir(exist_ok=True)
        (linkers / "ld").unlink(missing_ok=True)
        (linkers / "ld").symlink_to(gold)
        env["COMPILER_PATH"] = str(linkers)
    return env
