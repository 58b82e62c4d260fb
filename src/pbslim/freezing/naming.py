"""What the inputs and outputs of a TensorFlow 2 model are called in its frozen graph.

Its graph has names for them that were generated. One that TensorFlow 1 wrote keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.errors import DecodeError
from pbslim.freezing.ends import Ends
from pbslim.ir import Graph, Node, Value

Naming = Literal["function", "graph", "signature"]
"""``function``: inputs as the signature has them, outputs ``Identity``, ``Identity_1`` ... in the order of their keys,
as TensorFlow's ``convert_variables_to_constants_v2`` names them. ``signature``: both as the signature has them.
``graph``: as in the graph of the SavedModel, ``serving_default_x`` and ``StatefulPartitionedCall:0``."""

NAMINGS: tuple[Naming, ...] = get_args(Naming)
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.\\/>-]")


def name_ends(graph: Graph, ends: Ends, names: Naming) -> None:
    """Give inputs and outputs their names; outputs become Identity nodes of their own."""
    if not ends.called or names == "graph":
        return
    inputs = {key: value.node for key, value in ends.inputs.items()}
    _rename(graph, {node: _allowed(key) for key, node in reversed(inputs.items())})
    for number, (key, value) in enumerate(sorted(ends.outputs.items())):
        wanted = _allowed(key) if names == "signature" else f"Identity_{number}" if number else "Identity"
        made = graph.add(graph.unique_name(f"{wanted}/output"), "Identity", [value], {"T": _dtype(value)})
        if wanted in graph and graph[wanted] in inputs.values():
            wanted = graph.unique_name(wanted)
        _rename(graph, {made: wanted})
        ends.outputs[key] = made.output()


def _allowed(key: str) -> str:
    """A key as the name of a node."""
    name = _FORBIDDEN.sub("_", key)
    return name if re.match(r"[A-Za-z0-9.]", name) else f".{name}"


def _dtype(value: Value) -> DType:
    dtype = ops.output_dtype(value.node.op, value.node.attrs, value.port)
    if dtype is None:
        raise DecodeError(f"the type of the output '{value.name}' is not known")
    return dtype.base


def _rename(graph: Graph, names: Mapping[Node, str]) -> None:
    """Rename nodes; others that have one of these names get a number."""
    taken = set(names.values())
    moved: dict[Node, str] = {}
    for name in taken:
        other = graph.get(name)
        if other is not None and other not in names:
            moved[other] = _free(graph, name, taken | set(moved.values()))
    graph.rename({**moved, **names})


def _free(graph: Graph, wanted: str, taken: Iterable[str]) -> str:
    number, used = 1, set(taken)
    while f"{wanted}_{number}" in used or f"{wanted}_{number}" in graph:
        number += 1
    return f"{wanted}_{number}"


def without_wrapper(graph: Graph, calls: Iterable[Node]) -> None:
    """Take the name of the inner call out of the names of nodes: a signature only calls the function that it is of."""
    for call in calls:
        prefix = f"{call.name}/{call.op}/"
        names: dict[Node, str] = {}
        taken = {node.name for node in graph}
        for node in graph:
            name = f"{call.name}/{node.name.removeprefix(prefix)}"
            if node.name.startswith(prefix) and name not in taken:
                names[node] = name
                taken.add(name)
        graph.rename(names)
