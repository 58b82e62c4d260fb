"""The recipes that people know from the Graph Transform Tool, as good as they can be and as they were."""

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
    "round": SIMPLIFY + "round_weights_per_channel(coarseness=0.04)\n",
    "eight-bit": SIMPLIFY + "quantize_weights_per_channel\n",
    "round-legacy": _LOSSY + "round_weights(num_steps=256, keep_coarse=true)\n",
    "eight-bit-legacy": _LOSSY + "quantize_weights(keep_coarse=true)\n",
}
"""Name → text for ``--transforms``; `shrink` runs it on bodies of functions as well.

Where it can run the graph on inputs, `shrink` does better than the last line of ``round`` and ``eight-bit``: it makes
up for the error of each weight in those that follow it, and in biases.
"""

SUMMARIES = {
    "optimize": "same results, fewer ops",
    "round": "255 levels per channel in plain floats, small when zipped",
    "eight-bit": "codes of a byte per channel, small as it is",
    "round-legacy, eight-bit-legacy": "those of the Graph Transform Tool, per tensor",
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
