"""A summary of a graph, as TensorFlow's ``summarize_graph`` prints it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pbslim.analysis.debug_text import tensor_text
from pbslim.dtypes import DType, Shape
from pbslim.errors import DecodeError, GraphError, PbslimError
from pbslim.ir import Graph, Node
from pbslim.ir.order import check, execution_order
from pbslim.ops.families import PLACEHOLDERS, VARIABLES
from pbslim.wire.files import GraphLike, load
from pbslim.wire.nodes import spelled_inputs

_NO_OUTPUTS = frozenset({"Const", "Assign", "NoOp", *PLACEHOLDERS, *VARIABLES})


@dataclass(frozen=True)
class Terminal:
    """A node that is fed, or a variable; `shape` is None when the node does not say."""

    name: str
    op: str
    dtype: DType | None
    shape: Shape | None


@dataclass
class Summary:
    """The facts.

    Attributes:
        inputs: placeholders, in file order.
        variables: in file order.
        outputs: name and op of the nodes that nothing reads, in file order.
        const_parameters: elements of all constants together.
        variable_parameters: elements of all variables of known shape together.
        control_edges: how many there are.
        devices: device → how many nodes ask for it, by name.
        ops: op → how often it occurs, functions included; the most frequent first, then by name.
        structure: with `structure`, a line for each node in execution order.
        unreadable: constants whose value cannot be decoded, and why.
    """

    inputs: list[Terminal] = field(default_factory=list)
    variables: list[Terminal] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    const_parameters: int = 0
    variable_parameters: int = 0
    control_edges: int = 0
    devices: dict[str, int] = field(default_factory=dict)
    ops: dict[str, int] = field(default_factory=dict)
    structure: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def summarize_graph(graph: GraphLike, *, structure: bool = False) -> Summary:
    """The facts about `graph`; of its constants nothing is read but, for the `structure`, the first three elements.

    Raises:
        GraphError: a node reads what does not exist, or there is a cycle.
    """
    graph = load(graph)
    _require_all_inputs(graph)
    found = Summary(
        inputs=[_terminal(node) for node in graph if node.op in PLACEHOLDERS],
        variables=[_terminal(node) for node in graph if node.op in VARIABLES],
        outputs=[(node.name, node.op) for node in graph if not node.readers and node.op not in _NO_OUTPUTS],
        devices=_ordered(Counter(node.device for node in graph if node.device)),
        ops=_by_frequency(graph),
    )
    found.variable_parameters = sum((each.shape and each.shape.size) or 0 for each in found.variables)
    for node in graph:
        found.control_edges += sum(text.startswith("^") for text in spelled_inputs(node))
        if node.op == "Const":
            try:
                found.const_parameters += node.tensor().size
            except PbslimError as error:
                found.unreadable[node.name] = str(error)
    if structure:
        check(graph)
        found.structure = [_line(node, found.unreadable) for node in execution_order(graph)]
    return found


def _require_all_inputs(graph: Graph) -> None:
    invalid = [
        f"Invalid input {value} for node {node.name}"
        for node in graph
        for value in dict.fromkeys(producer.name for producer in node.producers)
        if value not in graph
    ]
    if invalid:
        raise GraphError(f"{'; '.join(invalid)}: Invalid graph with inputs referring to nonexistent nodes")


def _terminal(node: Node) -> Terminal:
    return Terminal(
        node.name, node.op, node.dtype_attr("dtype"), node.shape_attr("shape") if "shape" in node.attrs else None
    )


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=str.encode)}


def _by_frequency(graph: Graph) -> dict[str, int]:
    counts = Counter(node.op for node in graph)
    for function in graph.library.functions.values():
        counts.update(function.ops)
    return dict(sorted(_ordered(counts).items(), key=lambda pair: -pair[1]))


def _line(node: Node, unreadable: dict[str, str]) -> str:
    line = f"{node.name} ({node.op}): [{', '.join(spelled_inputs(node))}]"
    if node.op == "Const" and node.name not in unreadable:
        try:
            line += f", value={tensor_text(node.tensor())}"
        except DecodeError as error:
            unreadable[node.name] = str(error)
    return line
