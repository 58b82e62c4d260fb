"""Keep only what the outputs need, cut the graph at the inputs, and make the inputs placeholders.

Before::  file ─► DecodeJpeg ─► resized ─► Conv2D ─► y ─► summary
After::                resized (Placeholder) ─► Conv2D ─► y
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pbslim.analysis.inputs import Input, expected_dtype, fed_values, fits, known_shape
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT, DType, Shape
from pbslim.errors import TransformError, UsageError
from pbslim.ir import AttrValue, Graph, Node, Value
from pbslim.ir.order import ancestors
from pbslim.passes.registry import Context, transform
from pbslim.rewrite.cutting import cut

_SCALARS_SINCE = 22
"""The first ``versions.producer`` with which an empty shape is that of a scalar; before, it is an unknown one."""


@transform(effect="exact")
def strip_unused_nodes(
    graph: Graph,
    context: Context,
    *,
    type: str | None = None,  # noqa: A002 - the reference's name
    shape: str | None = None,
    name: tuple[str, ...] = (),
    type_for_name: tuple[str, ...] = (),
    shape_for_name: tuple[str, ...] = (),
    input: tuple[str, ...] = (),  # noqa: A002 - one of the inputs
) -> None:
    """Remove all nodes that no output needs.

    An input that already is a Placeholder keeps its type and shape. Any other input is replaced by a Placeholder
    with the type that those who read it expect and the shape that is known from the graph, if any. `type` and `shape`
    say something else for all such inputs, `name`, `type_for_name` and `shape_for_name`, repeated and paired by
    position, for single ones. Dimensions are separated by commas; ``*`` and ``x`` between numbers are understood as
    commas, -1 is an unknown dimension.

    An input can be any output of a node, as in ``IteratorGetNext:1``. Each `input`, repeated as needed, says type,
    shape or both of one, for placeholders as well: ``images:float[?,224,224,3]``, ``IteratorGetNext:1:int64[?]``.

    Raises:
        TransformError: an output or something it needs is not in the graph, a type or shape cannot be read, or more
            outputs of an input's node are needed than are named.
    """
    if shape and ("*" in shape or "x" in shape):
        context.note(f'shape="{shape}": dimensions are separated by commas; read as {_shape(shape)}')
    inputs = _inputs(context.inputs, input)
    present = [each for each in inputs if each.node in graph]
    needed = _needed(graph, {each.node for each in present}, context.output_nodes)
    values = fed_values(graph, present, needed)
    replaced = {value: each for each, value in values.items() if value.node.op != "Placeholder" or each.says}
    if replaced:
        if len(name) != len(type_for_name) or len(name) != len(shape_for_name):
            raise TransformError("name, type_for_name and shape_for_name must be given equally often")
        by_name = dict(zip(name, zip(type_for_name, shape_for_name, strict=True), strict=True))
        declared = _Declared(type, shape, by_name, {Input.parse(text).node for text in input})
        forms = _Forms(graph, context, needed, declared)
        made = cut(graph, {value: forms.attrs(value, each) for value, each in replaced.items()})
        forms.drop_notes()
        needed.update(made.values())
        context.inputs = tuple(_renamed(each, values.get(each), made, context) for each in inputs)
    for node in {value.node for value in values.values()}:
        # what a placeholder waited for is gone, unless something else needs it
        node.set_controls(control for control in node.controls if control in needed)
    graph.erase(node for node in graph if node not in needed)


def _inputs(names: Collection[str], given: Collection[str]) -> list[Input]:
    """The inputs of the graph, with what is given of them; one that is only given is an input, too."""
    found = [Input.named(name) for name in names]
    for each in map(Input.parse, given):
        same = [k for k, other in enumerate(found) if other.node == each.node]
        if len(same) > 1:
            same = [k for k in same if (found[k].port or 0) == (each.port or 0)]
        for k in same:
            found[k] = replace(each, port=found[k].port if each.port is None else each.port)
        if not same:
            found.append(each)
    return found


def _renamed(each: Input, value: Value | None, made: Mapping[Value, Node], context: Context) -> str:
    """What an input is called from here on."""
    if value is None or value not in made:
        return each.tensor
    name = made[value].name
    if value.name != name:
        context.note(f"input '{value.name}' is now '{name}'")
    return name


def _needed(graph: Graph, inputs: Collection[str], outputs: Collection[str]) -> set[Node]:
    for name in sorted(outputs):
        if name not in graph:
            raise TransformError(f"output '{name}' is not in the graph")
    fed = {graph[name] for name in inputs if name in graph}
    found = fed | ancestors([graph[name] for name in outputs if name not in inputs], fed)
    for node in graph.missing():
        if node in found:
            raise TransformError(f"'{node.readers[0].name}' reads '{node.name}', which is not in the graph")
    return found


@dataclass(frozen=True)
class _Declared:
    """The parameters: for all inputs, for single ones, and the nodes of those that ``input`` names."""

    dtype: str | None
    shape: str | None
    by_name: Mapping[str, tuple[str, str]]
    given: Collection[str]


class _Forms:
    """Types and shapes of the new placeholders."""

    def __init__(self, graph: Graph, context: Context, needed: Collection[Node], declared: _Declared) -> None:
        self._graph, self._context, self._needed, self._declared = graph, context, needed, declared
        self._shapes = StaticShapes(graph)
        self._contradicts = False

    def attrs(self, value: Value, each: Input) -> dict[str, AttrValue]:
        """The attributes of the Placeholder that is to stand for `value`."""
        dtype, shape = self._chosen(value, each)
        known = known_shape(value, self._shapes)
        if shape is None:
            # Those of old graphs are as in the reference: empty, and so unknown.
            old = self._graph.producer < _SCALARS_SINCE and each.node not in self._declared.given
            shape = Shape(()) if old else known
        else:
            self._contradicts |= not fits(shape, known)
        attrs: dict[str, AttrValue] = {"dtype": dtype}
        if shape.rank is not None:
            attrs["shape"] = shape
        return attrs

    def _chosen(self, value: Value, each: Input) -> tuple[DType, Shape | None]:
        """The type, and the shape that is asked for."""
        declared, expected = self._declared, expected_dtype(value, self._needed)
        if each.says:
            return each.dtype or expected or FLOAT, each.shape
        if each.node in declared.by_name:
            dtype, shape = declared.by_name[each.node]
            return _dtype(dtype), _shape(shape)
        common = FLOAT if declared.dtype is None else _dtype(declared.dtype)
        asked = None if declared.shape is None else _shape(declared.shape)
        if expected is None or expected is common:
            return common, asked
        if declared.dtype is not None:
            self._context.note(f"input '{value.name}' is {expected} to those that read it, not {common}")
        known = known_shape(value, self._shapes)
        meant = asked is None or known.rank is None or known.rank == asked.rank
        return expected, asked if meant else None

    def drop_notes(self) -> None:
        """Forget the ``_output_shapes`` of a graph that is fed with other shapes; TensorFlow would refuse them."""
        for node in self._graph if self._contradicts else ():
            node.remove_attr("_output_shapes")


def _dtype(text: str) -> DType:
    try:
        return DType.parse(text)
    except UsageError as error:
        raise TransformError(str(error)) from None


def _shape(text: str) -> Shape:
    pieces = text.replace("*", ",").replace("x", ",").split(",")
    try:
        dims = tuple(int(piece) for piece in pieces)
    except ValueError:
        raise TransformError(f'shape "{text}" is not a list of whole numbers such as "1,224,224,3"') from None
    if min(dims) < -1 or max(dims) >= 1 << 63:
        raise TransformError(f'shape "{text}" has an impossible dimension')
    return Shape(dims)
