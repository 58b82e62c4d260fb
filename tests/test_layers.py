"""Imports point one way."""

from __future__ import annotations

import pytest

from tests.shared import script

ROOMS = script("draw_rooms")
FOUNDATION = {"cores", "errors", "dtypes", "kept", "lazy", "names", "_version"}
FACTS = FOUNDATION | {"ir", "wire", "ops", "analysis"}
ALLOWED = {
    "cores": set(),
    "errors": set(),
    "kept": {"errors"},
    "lazy": set(),
    "names": set(),
    "dtypes": {"errors"},
    "ir": FOUNDATION | {"ops"},
    "wire": FOUNDATION | {"ir", "ops"},  # bodies of functions name outputs
    "quant": FOUNDATION,
    "kernels": FOUNDATION,
    "ops": FOUNDATION,
    "analysis": FACTS | {"kernels"},
    "gradients": FOUNDATION | {"ir", "ops", "analysis"},
    "rewrite": FOUNDATION | {"ir", "ops", "analysis"},
    "passes": FOUNDATION | {"ir", "ops", "analysis", "rewrite"},
    "transforms": FACTS | {"quant", "kernels", "rewrite", "passes"},  # one reads checkpoints
    "engines": FACTS | {"kernels"},
    "verification": FACTS | {"passes", "transforms", "engines"},  # graphs are simplified before weights are compared
    "freezing": FACTS | {"rewrite", "passes", "transforms"},
    "compression": FACTS | {"quant", "gradients", "rewrite", "passes", "transforms", "engines", "verification"},
    "shrinking": FACTS | {"passes", "transforms", "engines", "verification", "compression"},
    "legacy": FACTS | {"quant", "kernels", "rewrite", "passes", "transforms", "freezing"},
    "report": FACTS | {"passes", "freezing", "engines", "verification", "compression", "shrinking"},
}


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below(layer: str) -> None:
    for file in ROOMS.rooms().get(layer, ()):
        assert ROOMS.imports(file.read_text()) <= ALLOWED[layer] | {layer}, file


def test_every_room_has_its_place() -> None:
    assert set(ROOMS.rooms()) - {"api", "cli"} <= set(ALLOWED)
