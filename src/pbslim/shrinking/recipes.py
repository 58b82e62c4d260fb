"""The recipes that people know from the Graph Transform Tool, under simple names."""

from __future__ import annotations

from pbslim.errors import UsageError
from pbslim.passes.simplification import CLEAN, MERGE, SIMPLIFY

# One range for a whole tensor suits weights as they were trained. With the scales of a batch norm in them, channels
# differ so much that the small ones are lost (MobileNet V2 gives other answers), so fused ones stay where it is lossy.
_LOSSY = (
    CLEAN
    + """fold_batch_norms(keep_coarse=true)
fold_old_batch_norms(keep_coarse=true)
"""
    + MERGE
)

RECIPES = {
    "optimize": SIMPLIFY,
    "round": _LOSSY + "round_weights(num_steps=256, keep_coarse=true)\n",
    "eight-bit": _LOSSY + "quantize_weights(keep_coarse=true)\n",
}
"""Name → text for ``--transforms``; `shrink` runs it on bodies of functions as well."""

SUMMARIES = {
    "optimize": "same results, fewer ops",
    "round": "256 levels per tensor, small when zipped",
    "eight-bit": "small as it is",
}
"""Name → what it is good for."""


def transforms_of(recipe: str) -> str:
    """The text of a recipe.

    Raises:
        UsageError: there is none of that name.
    """
    if recipe not in RECIPES:
        raise UsageError(f"unknown recipe '{recipe}' (known: {', '.join(RECIPES)})")
    return RECIPES[recipe]
