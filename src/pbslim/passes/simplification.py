"""The transforms, as ``--transforms`` takes them, that make a graph simpler and leave its results as they are."""

from __future__ import annotations

_FOLD = "fold_constants(ignore_errors=true, max_growth_in_bytes=4096)\n"

CLEAN = f"""
strip_unused_nodes
repair_nodes
remove_nodes(op=Identity, op=CheckNumerics)
drop_idle_controls(ignore_errors=true)
prune_branches(ignore_errors=true)
remove_dropout
{_FOLD}simplify_reshapes
remove_idle_nodes
"""

MERGE = "merge_duplicate_nodes\n"
"""Comes after batch norms: none is folded into weights that something else reads as well."""

SIMPLIFY = CLEAN + "cancel_transposes\nfold_all_batch_norms\nsimplify_arithmetic\n" + MERGE + _FOLD
"""What the recipe ``optimize`` does, and what brings two graphs into one form before their weights are compared.

It folds twice: where the same weights were transposed in many places, the results are one constant only once merged.
"""
