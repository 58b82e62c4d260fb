"""The transforms, as ``--transforms`` takes them, that make a graph simpler and leave its results as they are."""

from __future__ import annotations

CLEAN = """
strip_unused_nodes
repair_nodes
remove_nodes(op=Identity, op=CheckNumerics, functions=true)
fold_constants(ignore_errors=true, max_growth_in_bytes=4096, drop_idle_controls=true, prune_branches=true,
               functions=true)
"""

SIMPLIFY = CLEAN + "fold_batch_norms(algebraic=true, functions=true)\n"
"""What the recipe ``optimize`` does, and what brings two graphs into one form before their weights are compared."""
