"""Inputs of a graph: how a user names them, and what the graph says of the tensors that are to be fed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pbslim import ops
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import DType, Shape
from pbslim.errors import TransformError, UsageError, counted
from pbslim.ir import Graph, Node, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import ancestors, reachable
from pbslim.names import node_name
from pbslim.ops.families import SOURCES
from pbslim.ops.shape_inference import ShapeError, merge

_SPEC = re.compile(r"\^?([^:\[\]]+)(?::([0-9]+))?(?::([A-Za-z]\w*))?(?:\[([^\[\]]*)\])?")
_UNKNOWN_DIMS = ("?", "-1", "none")
_MOST = (1 << 63) - 1


class SeveralOutputsError(TransformError):
    """More outputs of an input's node are needed than are named."""


@dataclass(frozen=True)
class Input:
    """A tensor that is to be fed, as a user names it.

    Attributes:
        node: the name of its node.
        port: the number of its output; None for the one that is read.
        dtype, shape: what it is fed with; None for what the graph says.
    """

    node: str
    port: int | None = None
    dtype: DType | None = None
    shape: Shape | None = None

    @property
    def says(self) -> bool:
        """Whether it says anything of type or shape."""
        return self.dtype is not None or self.shape is not None

    @property
    def tensor(self) -> str:
        """Its tensor name, ``node`` or ``node:port``."""
        return f"{self.node}:{self.port}" if self.port else self.node

    def __str__(self) -> str:
        parts = [self.node, "" if self.port is None else f":{self.port}", f":{self.dtype}" if self.dtype else ""]
        return "".join(parts) + ("" if self.shape is None or self.shape.rank is None else str(self.shape))

    @classmethod
    def named(cls, tensor: str) -> Input:
        """The input with this tensor name, as the graph has it."""
        port = tensor.partition(":")[2]
        return cls(node_name(tensor), int(port) if port.isdecimal() else None)

    @classmethod
    def parse(cls, text: str) -> Input:
        """The input that ``NAME[:PORT][:DTYPE][SHAPE]`` stands for, such as ``images:float[?,224,224,3]``.

        Raises:
            UsageError: it is not of this form, or the type is not known.
        """
        found = _SPEC.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"input '{text}': write NAME[:PORT][:DTYPE][SHAPE], such as images:float[?,224,224,3]")
        name, port, dtype, dims = found.groups()
        return cls(
            name.strip(),
            None if port is None else int(port),
            None if dtype is None else DType.parse(dtype.lower()),
            None if dims is None else Shape(tuple(_dim(each, text) for each in dims.split(",") if dims.strip())),
        )


def _dim(text: str, whole: str) -> int:
    dim = text.strip().lower()
    if dim in _UNKNOWN_DIMS:
        return -1
    if not dim.isdecimal() or int(dim) > _MOST:
        raise UsageError(f"input '{whole}': '{dim}' is not a dimension; write a whole number, or ? if it is not known")
    return int(dim)


def fed_values(graph: Graph, inputs: Iterable[Input], needed: Collection[Node]) -> dict[Input, Value]:
    """The value that each input stands for; its node must be in the graph.

    Outputs that only nodes read which are not `needed` do not count.

    Raises:
        SeveralOutputsError: another output of such a node is needed as well.
        TransformError: a node does not have the output that is named.
    """
    found: dict[Input, Value] = {}
    named: dict[Node, set[int]] = {}
    for each in inputs:
        node = graph[each.node]
        read = _read_ports(node, needed)
        port = each.port if each.port is not None else read[0] if len(read) == 1 else 0
        count = ops.output_count(node.op, node.attrs)
        if port and count is not None and port >= count:
            raise TransformError(f"input '{each.tensor}': {node.op} has {counted(count, 'output')}")
        found[each] = node.output(port)
        named.setdefault(node, set()).add(port)
    for node, ports in named.items():
        read = _read_ports(node, needed)
        if not ports.issuperset(read):
            tensors = ", ".join(f"{node.name}:{port}" for port in read)
            raise SeveralOutputsError(f"input '{node.name}' has several outputs that are read; name each: {tensors}")
    return found


def _read_ports(node: Node, readers: Collection[Node]) -> list[int]:
    return [value.port for value in node.outputs if any(use.node in readers for use in value.uses)]


def expected_dtype(value: Value, readers: Collection[Node]) -> DType | None:
    """The type that `readers` expect of `value`; where they do not say or disagree, the one that its node gives.

    Returns:
        None when neither is known, as for ops that are not in the op table.
    """
    expected: set[DType] = set()
    for use in value.uses:
        dtypes = ops.input_dtypes(use.node.op, use.node.attrs) if use.node in readers else None
        if dtypes and use.slot < len(dtypes):
            expected.add(dtypes[use.slot].base)
    if len(expected) == 1:
        return expected.pop()
    given = ops.output_dtype(value.node.op, value.node.attrs, value.port)
    return given.base if given else None


def known_shape(value: Value, shapes: StaticShapes) -> Shape:
    """The shape of `value` as inferred, made more precise by ``_output_shapes``, on which TensorFlow relies as well."""
    inferred, notes = shapes.of(value), value.node.attr("_output_shapes", tuple, ())
    if value.port >= len(notes) or not isinstance(notes[value.port], Shape):
        return inferred
    try:
        return merge(inferred, notes[value.port])
    except ShapeError:
        return inferred


def fits(a: Shape, b: Shape) -> bool:
    """Whether one tensor can have both shapes."""
    try:
        merge(a, b)
    except ShapeError:
        return False
    return True


def how_to_cut(sources: Sequence[Input]) -> str:
    """What to tell a user whose graph an input pipeline feeds, by what `pipeline_inputs` finds."""
    asked = " ".join(f"--input {each}" for each in sources)
    return f"the graph is fed by '{sources[0].node}'; to feed it yourself, cut it there: {asked}"


def pipeline_inputs(graph: Graph, outputs: Iterable[str], inputs: Iterable[str] = ()) -> list[Input]:
    """The tensors to cut at, where `outputs` need what an input pipeline brings (queues, iterators, readers).

    Where such a tensor goes through a placeholder with a default, that is the one.

    Args:
        outputs, inputs: tensor names; what lies before an input does not count.
    """
    fed = {graph[node_name(name)] for name in inputs}
    roots = [graph[node_name(name)] for name in outputs]
    if not has_ops(graph, SOURCES):
        return []
    needed = reachable(roots, lambda node: () if node in fed or node.op in SOURCES else node.producers)
    if not any(node.op in SOURCES and node not in fed for node in needed):
        return []
    shapes = StaticShapes(graph)
    found = [node for node in graph if node in needed and node not in fed and node.op in SOURCES]
    through = [
        node
        for node in graph
        if node in needed and node.op == "PlaceholderWithDefault" and not ancestors([node]).isdisjoint(found)
    ]
    upstream = ancestors(through)
    nodes = [*through, *(node for node in found if node not in upstream)]
    values = [value for node in nodes for value in node.outputs if any(use.node in needed for use in value.uses)]
    return [
        Input(value.node.name, value.port or None, expected_dtype(value, needed), known_shape(value, shapes))
        for value in values
    ]
