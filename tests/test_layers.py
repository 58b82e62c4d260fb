"""Imports point one way."""

from __future__ import annotations

import ast

import pytest

from tests.shared import ROOT

PACKAGE = ROOT / "src" / "pbslim"
FOUNDATION = {"errors", "dtypes", "_version"}
ALLOWED = {
    "errors": set(),
    "dtypes": {"errors"},
    "ir": FOUNDATION | {"ops"},
    "wire": FOUNDATION | {"ir", "ops"},  # bodies of functions name outputs
    "quant": FOUNDATION,
    "kernels": FOUNDATION,
    "ops": FOUNDATION,
    "rewrite": FOUNDATION | {"ir"},
    "passes": FOUNDATION | {"ir", "rewrite", "ops"},
    "transforms": FOUNDATION | {"ir", "wire", "rewrite", "passes", "quant", "kernels", "ops"},  # one reads checkpoints
    "engines": FOUNDATION | {"ir", "wire", "ops", "kernels"},
    "report": FOUNDATION | {"ir", "wire", "ops", "passes", "rewrite", "transforms"},
    "recipes": {"errors"},
    "tools": FOUNDATION
    | {"ir", "wire", "quant", "kernels", "ops", "passes", "rewrite", "transforms", "report", "recipes"},
    "verification": FOUNDATION | {"ir", "wire", "passes", "report", "engines"},
}


def _imports(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pbslim"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("pbslim.")}
    return found


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below(layer: str) -> None:
    files = list((PACKAGE / layer).rglob("*.py")) or [PACKAGE / f"{layer}.py"]
    for file in files:
        assert _imports(file.read_text()) <= ALLOWED[layer] | {layer}, file
