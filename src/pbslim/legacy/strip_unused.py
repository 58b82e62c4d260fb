"""Cut a graph at its inputs and keep what the outputs need: ``strip_unused``."""

from __future__ import annotations

from collections.abc import Sequence

from pbslim import ops
from pbslim.analysis.endpoints import require_nodes
from pbslim.dtypes import DTYPES, FLOAT, DType, Shape
from pbslim.errors import UsageError
from pbslim.ir import AttrValue, Graph, Node
from pbslim.legacy.subgraphs import extract_sub_graph
from pbslim.ops.families import FEEDABLE
from pbslim.passes import pipeline
from pbslim.passes.pipeline import PlannedStep, StepResult
from pbslim.passes.registry import Context, Transform


def strip_unused(
    graph: Graph,
    input_node_names: Sequence[str],
    output_node_names: Sequence[str],
    placeholder_type_enum: int | Sequence[int] | None = None,
) -> StepResult:
    """Make the inputs placeholders and drop every node that no output needs, in place.

    Args:
        input_node_names: names of nodes; each becomes a Placeholder, with the static shape that it carries if any.
        output_node_names: names of nodes. What they do not need may be broken.
        placeholder_type_enum: the number of the new placeholders' data type (1 is float), or one number an input.
            Each keeps the type that the node gives if this is None. An input that already is a placeholder always
            keeps its type, which its readers rely on.

    Raises:
        UsageError: a name is not in the graph or names a tensor, or a type is not known.
        PbslimError: what is left of the graph is broken.
    """
    types = _types(placeholder_type_enum, len(input_node_names))
    inputs = require_nodes(graph, input_node_names, "input")
    outputs = require_nodes(graph, output_node_names, "output")

    def strip(graph: Graph, context: Context) -> None:
        if len(types) > len(inputs):
            context.note(f"there are {len(types)} types for {len(inputs)} inputs; the first of them count")
        wanted = reversed(list(zip(inputs, types, strict=False)))
        for name, asked in dict(wanted).items():  # where a name comes twice the first type counts
            _make_placeholder(graph[name], asked, context)
        extract_sub_graph(graph, outputs)

    step = PlannedStep(Transform("strip_unused", strip, "exact"), {})
    return pipeline.run(graph, [step], inputs, outputs)[0]


def _types(asked: int | Sequence[int] | None, count: int) -> list[DType | None]:
    numbers: list[int | None] = [asked] * count if asked is None or isinstance(asked, int) else list(asked)
    if len(numbers) < count:
        raise UsageError(f"{len(numbers)} types for {count} inputs; give one type or one an input")
    for number in numbers:
        if number is not None and number not in DTYPES:
            known = ", ".join(f"{dtype.number} {dtype}" for dtype in DTYPES.values() if not dtype.is_ref)
            raise UsageError(f"no data type has the number {number} (known: {known})")
    return [None if number is None else DTYPES[number] for number in numbers]


def _make_placeholder(node: Node, asked: DType | None, context: Context) -> None:
    if any(value.uses for value in node.outputs if value.port):
        raise UsageError(f"input '{node.name}' has several outputs that are read; name one node per tensor")
    given = (ops.output_dtypes(node.op, node.attrs) or (None,))[0]
    given = given.base if given else None
    dtype = asked or given or FLOAT
    if node.op in FEEDABLE and given and given is not dtype:
        context.note(f"input '{node.name}' is a placeholder of type {given} and stays one")
        dtype = given
    attrs: dict[str, AttrValue] = {"dtype": dtype}
    if isinstance(shape := node.attrs.get("shape"), Shape):
        attrs["shape"] = shape
    if "_output_shapes" in node.attrs:
        attrs["_output_shapes"] = node.attrs["_output_shapes"]
    node.become("Placeholder", attrs=attrs)
