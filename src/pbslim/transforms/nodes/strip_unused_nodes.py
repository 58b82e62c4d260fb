"""Keep only what the outputs need, cut the graph at the inputs, and make the inputs placeholders.

Before::  file ─► DecodeJpeg ─► resized ─► Conv2D ─► y ─► summary
After::                resized (Placeholder) ─► Conv2D ─► y
"""

from __future__ import annotations

from pbslim.dtypes import FLOAT, DType, Shape
from pbslim.errors import TransformError, UsageError
from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context, transform


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
) -> None:
    """Remove all nodes that no output needs.

    An input that already is a Placeholder keeps its type and shape. Any other input is replaced by a Placeholder
    of the given type (float unless said) and shape (a scalar unless said); `name`, `type_for_name` and
    `shape_for_name`, repeated and paired by position, say so for single inputs. Dimensions are separated by commas;
    ``*`` and ``x`` between numbers are understood as commas, -1 is an unknown dimension.

    Raises:
        TransformError: an output or something it needs is not in the graph, or a type or shape cannot be read.
    """
    if shape and ("*" in shape or "x" in shape):
        context.note(f'shape="{shape}": dimensions are separated by commas; read as {_shape(shape)}')
    inputs = context.input_nodes
    needed = _needed(graph, inputs, context.output_nodes)
    for node in graph:
        if node not in needed or node.name not in inputs or node.op == "Placeholder":
            continue
        if any(value.uses for value in node.outputs if value.port):
            raise TransformError(f"input '{node.name}' has several outputs that are read; name one node per tensor")
        if len(name) != len(type_for_name) or len(name) != len(shape_for_name):
            raise TransformError("name, type_for_name and shape_for_name must be given equally often")
        dtype, dims = _dtype(type) if type is not None else FLOAT, _shape(shape) if shape is not None else Shape(())
        for other, its_type, its_shape in zip(name, type_for_name, shape_for_name, strict=True):
            if other == node.name:
                dtype, dims = _dtype(its_type), _shape(its_shape)
        node.become("Placeholder", attrs={"dtype": dtype, "shape": dims})
    for node in needed:
        if node.name in inputs:  # what a placeholder waited for is gone, unless something else needs it
            node.set_controls(control for control in node.controls if control in needed)
    graph.erase(node for node in graph if node not in needed)


def _needed(graph: Graph, inputs: frozenset[str], outputs: frozenset[str]) -> set[Node]:
    for name in sorted(outputs):
        if name not in graph:
            raise TransformError(f"output '{name}' is not in the graph")
    found = {graph[name] for name in inputs if name in graph}
    todo = [graph[name] for name in outputs if name not in inputs]
    while todo:
        node = todo.pop()
        if node in found:
            continue
        if node.name not in graph:
            raise TransformError(f"'{node.readers[0].name}' reads '{node.name}', which is not in the graph")
        found.add(node)
        todo += node.producers
    return found


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
