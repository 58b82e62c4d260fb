"""Write out the attributes that a node leaves at their default.

Before::  LRN(x) {alpha=0.5}
After::   LRN(x) {alpha=0.5, beta=0.5, bias=1, depth_radius=5, T=float}

For tools that want to see every attribute. Older runtimes refuse a node with attributes they do not know: `version`
says which release of TensorFlow is to read the graph.
"""

from __future__ import annotations

import re

from pbslim import ops
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.ir.attributes import default_value
from pbslim.ops import MISSING
from pbslim.passes.registry import Context, transform

_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})+", re.ASCII)
_OLDEST = (1, 4)


@transform(effect="exact", in_functions=True)
def add_default_attributes(graph: Graph, context: Context, *, version: str = "1.15") -> None:
    """Give each node the attributes that it lacks and that have a default in TensorFlow `version`, such as ``2.4``.

    What a node has stays as it is. The definitions come from TensorFlow 1.4, 1.8, 1.12, 1.15, 2.1, 2.4, 2.8, 2.12
    and 2.21; of a release in between, the one before counts, so that no attribute is written too early. Nodes whose
    op that release does not know stay as they are, and so do calls of functions.

    Raises:
        UsageError: `version` is not a release from 1.4 on.
    """
    if not _VERSION.fullmatch(version) or _number(version) < _OLDEST:
        raise UsageError(f"'version' must be a release of TensorFlow from 1.4 on, such as 2.4, not '{version}'")
    release = _number(version)
    for node in graph:
        definition = ops.find(node.op)
        if node.op in graph.library.functions:
            context.skip(node.name, f"'{node.op}' is a function of the graph's own library")
        elif definition is None:
            context.skip(node.name, f"op '{node.op}' is not known")
        elif _number(definition.since) > release:
            context.skip(
                node.name, f"op '{node.op}' is newer than TensorFlow {version}; see version={definition.since}"
            )
        else:
            for name, attr in definition.attrs.items():
                if name not in node.attrs and attr.default is not MISSING and _number(attr.since) <= release:
                    node.set_attr(name, default_value(attr.default))


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:2]))
