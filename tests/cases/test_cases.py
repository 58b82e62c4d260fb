"""The shared cases: small inputs on which pbslim once did something wrong, each with what is right.

``check.py`` beside them runs the commands; it is a process of its own, for the peak memory of a child is never told as
less than that of its parent.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import SHARED, needs_shared

CASES = SHARED / "cases"
SCRIPTS = Path(sys.executable).parent
FOLDERS = sorted(path.parent for path in CASES.glob("*/case.json"))

pytestmark = [
    pytest.mark.slow,
    needs_shared,
    pytest.mark.skipif(not (SCRIPTS / "pbslim").exists(), reason="pbslim's scripts are not beside this interpreter"),
]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    """What ``check.py`` says of each case that can be checked here."""
    names = [folder.name for folder in FOLDERS if not needs_tensorflow(folder) or has_tensorflow()]
    command = [sys.executable, str(CASES / "check.py"), "--bin", str(SCRIPTS)]
    halves = [names[::2], names[1::2]]
    running = [subprocess.Popen([*command, *half], stdout=subprocess.PIPE, text=True) for half in halves]
    lines = [line for process in running for line in process.communicate()[0].splitlines()]
    return {name: text for name, _, text in (line.partition(": ") for line in lines)}


def needs_tensorflow(folder: Path) -> bool:
    return bool(json.loads((folder / "case.json").read_text())["kind"] == "values")


def has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_was_wrong_is_right(folder: Path, verdicts: dict[str, str]) -> None:
    if needs_tensorflow(folder) and not has_tensorflow():
        pytest.skip("TensorFlow is not installed")
    assert verdicts.get(folder.name) == "ok"
