"""Files that are closed with what needs them, without code in Python."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.kept import Kept
from pbslim.wire.sources import open_source

_SOURCE = Path(pbslim.__file__).parent


@pytest.mark.parametrize("what", ["an input", "kept arrays"])
def test_a_file_is_closed_with_what_needs_it(tmp_path: Path, what: str) -> None:
    (tmp_path / "f").write_bytes(b"some bytes")
    free = os.dup(0)
    os.close(free)
    if what == "an input":
        owner: object = open_source(tmp_path / "f")
    else:
        owner = Kept(0)
        owner.append(np.ones(3))
    os.fstat(free)
    del owner
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(free)


def test_nothing_in_python_runs_when_something_goes() -> None:
    for file in _SOURCE.rglob("*.py"):
        functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
        assert "__del__" not in [node.name for node in functions], file
