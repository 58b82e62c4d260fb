"""The recipes that people know from the Graph Transform Tool, under simple names."""

from __future__ import annotations

from pbslim.errors import UsageError

_CLEAN = """
strip_unused_nodes
remove_nodes(op=Identity, op=CheckNumerics, functions=true)
fold_constants(ignore_errors=true, max_growth_in_bytes=4096, drop_idle_controls=true, prune_branches=true,
               functions=true)
"""
# One range for a whole tensor suits weights as they were trained. With the scales of a batch norm in them, channels
# differ so much that the small ones are lost (MobileNet V2 gives other answers), so fused ones stay where it is lossy.
_LOSSY = (
    _CLEAN
    + """fold_batch_norms(keep_coarse=true, functions=true)
fold_old_batch_norms(keep_coarse=true, functions=true)
"""
)

RECIPES = {
    "optimize": _CLEAN + "fold_batch_norms(algebraic=true, functions=true)\n",
    "round": _LOSSY + "round_weights(num_steps=256, keep_coarse=true, functions=true)\n",
    "eight-bit": _LOSSY + "quantize_weights(keep_coarse=true, functions=true)\n",
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
