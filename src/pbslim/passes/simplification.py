"""The transforms, as ``--transforms`` takes them, that make a graph simpler and leave its results as they are."""

from __future__ import annotations

CLEAN = """
strip_unused_nodes
repair_nodes
remove_nodes(op=Identity, op=CheckNumerics)
drop_idle_controls(ignore_errors=true)
prune_branches(ignore_errors=true)
remove_dropout
fold_constants(ignore_errors=true, max_growth_in_bytes=4096)
simplify_reshapes
remove_idle_nodes
"""

MERGE = "merge_duplicate_nodes\n"
"""Comes last: a batch norm is not folded into weights that something else reads as well."""

SIMPLIFY = CLEAN + "cancel_transposes\nfold_all_batch_norms\nsimplify_arithmetic\n" + MERGE
"""What the recipe ``optimize`` does, and what brings two graphs into one form before their weights are compared."""
