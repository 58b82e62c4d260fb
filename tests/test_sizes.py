"""One idea a module, one thought a function."""

from __future__ import annotations

import ast
from pathlib import Path

import pbslim

_SOURCE = Path(pbslim.__file__).parent
_MODULE_LINES, _FUNCTION_LINES = 400, 60


def test_no_module_is_long() -> None:
    long = {file.name: n for file in _SOURCE.rglob("*.py") if (n := len(file.read_text().splitlines())) > _MODULE_LINES}
    assert not long


def test_no_function_is_long_but_for_its_docstring() -> None:
    long = {
        f"{file.name}: {node.name}": lines
        for file in _SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := _lines(node)) > _FUNCTION_LINES
    }
    assert not long


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = function.body[0] if ast.get_docstring(function) else None
    last = function.end_lineno or function.lineno
    described = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return last - function.lineno + 1 - described
