"""Shapes of ops that make tensors: constants, inputs, shapes, fills, random numbers."""

from __future__ import annotations

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    axis_in,
    merge_dims,
    normal,
    rule,
)


@rule("Const HostConst")
def const(call: Call) -> Result:
    """The shape of the tensor."""
    shape = getattr(call.attr("value", object), "shape", None)
    if isinstance(shape, Shape):
        return normal(shape.dims)
    if not isinstance(shape, tuple) or not all(isinstance(d, int) for d in shape):
        raise UndecidableError("value")
    return normal(shape)


@rule("Placeholder PlaceholderV2 VariableV2 ImmutableConst")
def declared(call: Call) -> Result:
    """The shape that the attribute says."""
    return call.shape_attr("shape")


@rule("Variable TemporaryVariable")
def old_variable(call: Call) -> Result:
    """As `declared`, but rank 0 means unknown in the first version of variables."""
    return call.shape_attr("shape") or None if call.op == "Variable" else call.shape_attr("shape")


@rule("PlaceholderWithDefault")
def placeholder_with_default(call: Call) -> Result:
    """The shape that the attribute says; the default must fit it."""
    dims = call.shape_attr("shape")
    merge_dims(dims, call.dims(0))
    return dims


@rule("EnsureShape")
def ensure_shape(call: Call) -> Result:
    """The shape that the attribute and the input agree on."""
    return merge_dims(call.shape_attr("shape"), call.dims(0))


@rule("Shape")
def shape_of(call: Call) -> Result:
    """One element for each dimension."""
    return _rank_vector(call.dims(0))


@rule("ShapeN")
def shapes_of(call: Call) -> Result:
    """One vector for each input."""
    return [_rank_vector(dims) for dims in call.all_dims()]


def _rank_vector(dims: Dims | None) -> Dims:
    return (-1 if dims is None else len(dims),)


@rule("BroadcastArgs")
def broadcast_args(call: Call) -> Result:
    """The length of the longer shape."""
    a, b = call.ranked(0, 1), call.ranked(1, 1)
    return (-1,) if -1 in a + b else max(a, b)


@rule("BroadcastGradientArgs")
def two_vectors(call: Call) -> Result:  # noqa: ARG001
    """Two vectors of unknown length."""
    return [(-1,), (-1,)]


@rule("Fill")
def fill(call: Call) -> Result:
    """The asked shape, in which a -1 is wrong."""
    asked = call.vector(0) or []
    if any(d is not None and d < 0 for d in asked):
        raise ShapeError(f"cannot fill a tensor of shape {asked}")
    return call.operand(0)


@rule("Empty RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal")
@rule("StatelessRandomUniform StatelessRandomNormal StatelessTruncatedNormal StatelessRandomUniformInt")
def random(call: Call) -> Result:
    """The asked shape."""
    return call.operand(0)


@rule("Multinomial StatelessMultinomial")
def multinomial(call: Call) -> Result:
    """As many samples as asked for from each row."""
    number = call.scalar(1)
    if number is not None and number < 0:
        raise ShapeError(f"the number of samples must not be negative, it is {number}")
    return (call.ranked(0, 2)[0], -1 if number is None else number)


@rule("OneHot")
def one_hot(call: Call) -> Result:
    """A new axis of the given depth."""
    dims, depth, axis = call.dims(0), call.scalar(1), call.attr("axis", int)
    if depth is not None and depth < 0:
        raise ShapeError(f"the depth {depth} is negative")
    if dims is None:
        return None
    axis = axis_in(axis, len(dims) + 1)
    return (*dims[:axis], -1 if depth is None else depth, *dims[axis:])


@rule("Where")
def where(call: Call) -> Result:
    """One row of coordinates for each true element."""
    dims = call.dims(0)
    return (-1, -1 if dims is None else len(dims))


@rule("Unique UniqueWithCounts")
def unique(call: Call) -> Result:
    """The distinct elements, and where each element is among them."""
    if call.op == "Unique":
        call.ranked(0, 1)
    return [(-1,), call.dims(0), (-1,)]


@rule("ListDiff")
def list_diff(call: Call) -> Result:
    """A part of the first list, and where it was."""
    call.ranked(0, 1)
    return [(-1,), (-1,)]
