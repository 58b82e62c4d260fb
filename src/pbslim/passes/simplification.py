"""The transforms, as ``--transforms`` takes them, that make a graph simpler and leave its results as they are."""

from __future__ import annotations

CLEAN = """
strip_unused_nodes
remove_nodes(op=Identity, op=CheckNumerics)
drop_idle_controls(ignore_errors=true)
prune_branches(ignore_errors=true)
fold_constants(ignore_errors=true, max_growth_in_bytes=4096)
"""

SIMPLIFY = CLEAN + "fold_all_batch_norms\n"
"""What the recipe ``optimize`` does, and what brings two graphs into one form before their weights are compared."""
