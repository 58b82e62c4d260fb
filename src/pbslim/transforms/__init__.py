"""The transforms, one public name a module. Importing this package registers them all."""

from pbslim.transforms import (
    fold_batch_norms,
    fold_constants,
    fold_old_batch_norms,
    merge_duplicate_nodes,
    quantize_weights,
    remove_attribute,
    remove_control_dependencies,
    remove_device,
    remove_nodes,
    round_weights,
    sort_by_execution_order,
    strip_unused_nodes,
)

__all__ = [
    "fold_batch_norms",
    "fold_constants",
    "fold_old_batch_norms",
    "merge_duplicate_nodes",
    "quantize_weights",
    "remove_attribute",
    "remove_control_dependencies",
    "remove_device",
    "remove_nodes",
    "round_weights",
    "sort_by_execution_order",
    "strip_unused_nodes",
]
