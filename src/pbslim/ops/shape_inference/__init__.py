"""Static shape inference: the shapes of a node's outputs from those of its inputs, as TensorFlow infers them.

Rules cover the ops of frozen graphs. An op without a rule has outputs of unknown shape, which is always right.
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.dtypes import Shape
from pbslim.ops.attributes import Attrs
from pbslim.ops.ports import output_dtypes
from pbslim.ops.shape_inference import (
    rules_array,
    rules_flow,
    rules_images,
    rules_math,
    rules_neural,
    rules_parts,
    rules_quantized,
    rules_sources,
)
from pbslim.ops.shape_inference.call import (
    RULES,
    SCALAR_OPERANDS,
    UNKNOWN,
    Call,
    ShapeError,
    UndecidableError,
    Value,
    merge_dims,
    normal,
)
from pbslim.ops.shape_inference.values import infer_value

__all__ = ["UNKNOWN", "ShapeError", "infer", "infer_value", "merge"]

_RULE_MODULES = (  # importing them fills RULES
    rules_array,
    rules_flow,
    rules_images,
    rules_math,
    rules_neural,
    rules_parts,
    rules_quantized,
    rules_sources,
)
_LARGEST = (1 << 63) - 1


def infer(op: str, attrs: Attrs, inputs: Sequence[Shape], constants: Sequence[Value | None]) -> tuple[Shape, ...]:
    """The shapes of the outputs of a node, one per port and at least one.

    A Placeholder has the shape of its attribute. Files with a producer version below 24 wrote an unknown shape as
    rank 0: callers that know the file must see to that.

    Args:
        op: the op.
        attrs: the attributes of the node; those it lacks have their default.
        inputs: the shape of each data input.
        constants: the value of each data input where it is known and small, else None. Integer vectors can be known
            in part, as `infer_value` gives them: an element `UNKNOWN` (not -1, which Reshape and Slice give a
            meaning of its own) is unknown.

    Returns:
        shapes with everything unknown where the op, or an attribute it needs, is not known.

    Raises:
        ShapeError: the operands contradict each other, so the node can never run.
    """
    rule = RULES.get(op)
    try:
        call = Call(op, attrs, inputs, constants)
        call.scalars(*SCALAR_OPERANDS.get(op, ()))
        result = rule(call) if rule else None
    except UndecidableError:
        result = None
    shapes = result if isinstance(result, list) else [result]
    dtypes = output_dtypes(op, attrs)
    count = max(len(shapes if dtypes is None else dtypes), 1)
    shapes = [*shapes, *[None] * count][:count]
    if any(d > _LARGEST for dims in shapes if dims for d in dims):
        raise ShapeError("a dimension of the result is 2^63 or more")
    return tuple(map(Shape, shapes))


def merge(a: Shape, b: Shape) -> Shape:
    """Two facts about one tensor made into one.

    Raises:
        ShapeError: they contradict each other.
    """
    return Shape(merge_dims(normal(a.dims), normal(b.dims)))
