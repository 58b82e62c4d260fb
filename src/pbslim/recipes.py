"""The recipes that people know from the Graph Transform Tool, under simple names."""

from __future__ import annotations

from pbslim.errors import UsageError

_OPTIMIZE = """
strip_unused_nodes
remove_nodes(op=Identity, op=CheckNumerics)
fold_constants(ignore_errors=true, max_growth_in_bytes=4096, drop_idle_controls=true)
fold_batch_norms
fold_old_batch_norms
"""

RECIPES = {
    "optimize": _OPTIMIZE,
    "round": _OPTIMIZE + "round_weights(num_steps=256)\n",
    "eight-bit": _OPTIMIZE + "quantize_weights\n",
}
"""Name → text for ``--transforms``."""


def transforms_of(recipe: str) -> str:
    """The text of a recipe.

    Raises:
        UsageError: there is none of that name.
    """
    if recipe not in RECIPES:
        raise UsageError(f"unknown recipe '{recipe}' (known: {', '.join(RECIPES)})")
    return RECIPES[recipe]
