"""Which constants are stored in fewer bits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from pbslim.analysis.constants import constant
from pbslim.analysis.weight_sites import Site, find_sites
from pbslim.dtypes import FLOAT
from pbslim.ir import Graph, SplatTensor
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context
from pbslim.quant.half import as_half


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of the patterns, in which ``*`` stands for anything."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def weight_sites(graph: Graph, context: Context, minimum_size: int, keep: Sequence[str]) -> list[Site]:
    """The sites of `graph` that are large enough, are no output and fit no pattern of `keep`."""
    found = find_sites(graph, context.protected)
    return [site for site in found if site.size >= minimum_size and not matches(site.name, keep)]


def half_constants(
    graph: Graph, others: Collection[str], keep: Sequence[str] = (), minimum_size: int = 16
) -> dict[str, Array]:
    """Float constants that are not in `others`, by name as float16, where that is as good as exact.

    Args:
        minimum_size: elements that a constant must have; of less, float16 saves nothing.
    """
    found = {}
    for node in graph:
        if node.op != "Const" or node.name in others or node.controls or not node.data_readers:
            continue
        tensor = constant(node.output())
        if tensor is None or tensor.dtype is not FLOAT or isinstance(tensor, SplatTensor) or matches(node.name, keep):
            continue
        half = as_half(tensor.numpy()) if tensor.shape and tensor.size >= minimum_size else None
        if half is not None:
            found[node.name] = half
    return found
