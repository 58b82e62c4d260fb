"""Cut a graph at its inputs and keep what the outputs need: ``strip_unused``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from pbslim.analysis.endpoints import require_nodes
from pbslim.analysis.inputs import Input, SeveralOutputsError, expected_dtype, fed_values
from pbslim.dtypes import DTYPES, FLOAT, DType, Shape
from pbslim.errors import UsageError, counted
from pbslim.ir import AttrValue, Graph, Value
from pbslim.ir.extraction import extract_sub_graph, needed_nodes
from pbslim.ops.families import FEEDABLE
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Context, Transform
from pbslim.rewrite.cutting import cut
from pbslim.wire.given import Names, changes_graph, names


class TensorFlowType(Protocol):
    """A ``tf.DType``."""

    @property
    def as_datatype_enum(self) -> int:
        """The number of the type."""
        ...


TypeNumber: TypeAlias = int | TensorFlowType
"""The number of a data type (1 is float), or TensorFlow's object for it."""


@changes_graph
def strip_unused(
    input_graph_def: Graph,
    input_node_names: Names,
    output_node_names: Names,
    placeholder_type_enum: TypeNumber | Sequence[TypeNumber] | None = None,
) -> StepResult:
    """Make the inputs placeholders and drop every node that no output needs, in place.

    A ``GraphDef`` message, bytes or a path instead of a `Graph` stays as it is, and the changed graph is given
    back.

    Args:
        input_node_names: names of nodes; each becomes a Placeholder, with the static shape that it carries if any.
        output_node_names: names of nodes. What they do not need may be broken.
        placeholder_type_enum: the number of the new placeholders' data type (1 is float), or one number an input.
            Each has the type that its readers expect if this is None. An input that already is a placeholder always
            keeps its type, which its readers rely on.

    Raises:
        UsageError: a name is not in the graph or names a tensor, or a type is not known.
        PbslimError: what is left of the graph is broken.
    """
    graph, asked_inputs = input_graph_def, names(input_node_names, "inputs")
    types = _types(placeholder_type_enum, len(asked_inputs))
    inputs = require_nodes(graph, asked_inputs, "input")
    outputs = require_nodes(graph, names(output_node_names, "outputs"), "output")

    def strip(graph: Graph, context: Context) -> None:
        if len(types) > len(inputs):
            context.note(
                f"{counted(len(types), 'type')} given for {counted(len(inputs), 'input')}; the first of them count"
            )
        asked = dict(reversed(list(zip(inputs, types, strict=False))))  # where a name comes twice the first type counts
        needed = needed_nodes(graph, outputs, asked)
        try:
            values = fed_values(graph, map(Input, asked), needed)
        except SeveralOutputsError as error:
            raise UsageError(f"{str(error).partition(';')[0]}; name one node per tensor") from None
        for_all = not isinstance(placeholder_type_enum, Sequence) and len(asked) > 1
        attrs: dict[Value, dict[str, AttrValue]] = {}
        for each, value in values.items():
            dtype = _type_of(value, asked[each.node], expected_dtype(value, needed), context, for_all=for_all)
            attrs[value] = {"dtype": dtype, **_shape_attrs(value)}
        cut(graph, attrs)
        extract_sub_graph(graph, outputs)

    step = Transform("strip_unused", strip, "exact")()
    return pipeline.run(graph, [step], inputs, outputs)[0]


def _types(asked: TypeNumber | Sequence[TypeNumber] | None, count: int) -> list[DType | None]:
    given = list(asked) if isinstance(asked, Sequence) else [asked] * count
    numbers = [each if each is None or isinstance(each, int) else each.as_datatype_enum for each in given]
    if len(numbers) < count:
        raise UsageError(
            f"{counted(len(numbers), 'type')} for {counted(count, 'input')}; give one type, or one per input"
        )
    for number in numbers:
        if number is not None and number not in DTYPES:
            known = ", ".join(f"{dtype.number} {dtype}" for dtype in DTYPES.values() if not dtype.is_ref)
            raise UsageError(f"no data type has the number {number} (known: {known})")
    return [None if number is None else DTYPES[number] for number in numbers]


def _type_of(value: Value, asked: DType | None, expected: DType | None, context: Context, *, for_all: bool) -> DType:
    """The type of the new placeholder; one that is asked `for_all` inputs is not meant where another is expected."""
    given = value.node.dtype_attr("dtype") if value.node.op in FEEDABLE else None
    if given and asked and given is not asked:
        context.note(f"input '{value.node.name}' is a placeholder of type {given} and stays one")
    elif for_all and asked and expected and asked is not expected:
        context.note(f"input '{value.name}' is {expected} to those that read it, not {asked}")
        return expected
    return given or asked or expected or FLOAT


def _shape_attrs(value: Value) -> dict[str, AttrValue]:
    """What the node says of the shape, no more, as in the original."""
    attrs: dict[str, AttrValue] = {}
    if "shape" in value.node.attrs and (shape := value.node.attr("shape", Shape)):
        attrs["shape"] = shape
    notes = value.node.attr("_output_shapes", tuple, ())
    if value.port < len(notes):
        attrs["_output_shapes"] = (notes[value.port],)
    return attrs
