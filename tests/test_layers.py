"""Imports point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.shared import ROOT

PACKAGE = ROOT / "src" / "pbslim"
FOUNDATION = {"errors", "dtypes", "lazy", "names", "_version"}
FACTS = FOUNDATION | {"ir", "wire", "ops", "analysis"}
ALLOWED = {
    "errors": set(),
    "lazy": set(),
    "names": set(),
    "dtypes": {"errors"},
    "ir": FOUNDATION | {"ops"},
    "wire": FOUNDATION | {"ir", "ops"},  # bodies of functions name outputs
    "quant": FOUNDATION,
    "kernels": FOUNDATION,
    "ops": FOUNDATION,
    "analysis": FACTS | {"kernels"},
    "rewrite": FOUNDATION | {"ir", "ops", "analysis"},
    "passes": FOUNDATION | {"ir", "ops", "analysis", "rewrite"},
    "transforms": FACTS | {"quant", "kernels", "rewrite", "passes"},  # one reads checkpoints
    "engines": FACTS | {"kernels"},
    "verification": FACTS | {"passes", "transforms", "engines"},  # graphs are simplified before weights are compared
    "freezing": FACTS | {"passes", "transforms"},
    "compression": FACTS | {"quant", "rewrite", "passes", "transforms", "engines", "verification"},
    "shrinking": FACTS | {"passes", "transforms", "engines", "verification", "compression"},
    "legacy": FACTS | {"quant", "kernels", "rewrite", "passes", "transforms"},
    "report": FACTS | {"passes", "engines", "verification", "compression", "shrinking"},
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


def _files(layer: str) -> list[Path]:
    module = PACKAGE / f"{layer}.py"
    return [module] if module.exists() else list((PACKAGE / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below(layer: str) -> None:
    for file in _files(layer):
        assert _imports(file.read_text()) <= ALLOWED[layer] | {layer}, file


def test_every_room_has_its_place() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__", "_version", "api", "cli"} <= set(ALLOWED)
