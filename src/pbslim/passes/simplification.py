"""The transforms, as ``--transforms`` takes them, that make a graph simpler and leave its results as they are."""

from __future__ import annotations

CLEAN = """
strip_unused_nodes
remove_nodes(op=Identity, op=CheckNumerics, functions=true)
fold_constants(ignore_errors=true, max_growth_in_bytes=4096, drop_idle_controls=true, prune_branches=true,
               functions=true)
simplify_reshapes(functions=true)
remove_idle_nodes(functions=true)
"""

MERGE = "merge_duplicate_nodes(functions=true)\n"
"""Comes last: a batch norm is not folded into weights that something else reads as well."""

SIMPLIFY = CLEAN + "fold_batch_norms(algebraic=true, functions=true)\n" + MERGE
"""What the recipe ``optimize`` does, and what brings two graphs into one form before their weights are compared."""
