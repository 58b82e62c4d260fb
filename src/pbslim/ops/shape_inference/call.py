"""What the rules of shape inference share: the call they look at, and arithmetic on dimensions.

A rule takes a `Call` and returns the dimensions of the one output, or a list with those of each output. -1 is an
unknown dimension and None an unknown rank, as in `Shape`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import Shape
from pbslim.errors import PbslimError
from pbslim.ops.attributes import Attrs, required
from pbslim.ops.definitions import find

Dims: TypeAlias = tuple[int, ...]
Result: TypeAlias = "Dims | list[Dims | None] | None"
Value: TypeAlias = npt.NDArray[Any]
T = TypeVar("T")

UNKNOWN = int(np.iinfo(np.int64).min)
"""Stands for an unknown element in a partly known value, so that a true -1 stays apart from it."""

MOST_DIMS = 254
"""The highest rank of a tensor in TensorFlow."""


class ShapeError(PbslimError):
    """The operands of an op contradict each other."""


class UndecidableError(Exception):
    """Nothing can be said about the shapes: an attribute is missing or not what it should be."""


class Call:
    """A node as a rule sees it: attributes, and the shape and sometimes the value of each data input."""

    def __init__(self, op: str, attrs: Attrs, shapes: Sequence[Shape], values: Sequence[Value | None]) -> None:
        self.op, self.attrs = op, attrs
        self._shapes, self._values = shapes, values

    def __len__(self) -> int:
        return len(self._shapes)

    def describe(self, index: int) -> str:
        """The name of a data input, for error messages."""
        definition = find(self.op)
        if definition is None or any(a.number_attr or a.type_list_attr for a in definition.inputs[: index + 1]):
            return f"input {index}"
        return f"'{definition.inputs[index].name}'" if index < len(definition.inputs) else f"input {index}"

    def attr(self, name: str, kind: type[T]) -> T:
        """An attribute or its default; raises UndecidableError unless it is of the given kind."""
        try:
            return required(self.op, self.attrs, name, kind)
        except LookupError:
            raise UndecidableError(name) from None

    def text(self, name: str) -> str:
        """An attribute that is a string."""
        return self.attr(name, bytes).decode("latin-1")

    def ints(self, name: str) -> Dims:
        """An attribute that is a list of integers."""
        numbers = self.attr(name, tuple)
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            raise UndecidableError(name)
        return numbers

    def shape_attr(self, name: str) -> Dims | None:
        """An attribute that is a shape."""
        return normal(self.attr(name, Shape).dims)

    def dims(self, index: int) -> Dims | None:
        """The shape of an input; unknown where the node has no such input."""
        return normal(self._shapes[index].dims) if 0 <= index < len(self._shapes) else None

    def all_dims(self) -> list[Dims | None]:
        """The shapes of all inputs."""
        return [self.dims(i) for i in range(len(self))]

    def ranked(self, index: int, rank: int) -> Dims:
        """The shape of an input that must have the given rank."""
        dims = self.dims(index)
        if dims is None:
            return (-1,) * rank
        if len(dims) != rank:
            raise ShapeError(f"{self.describe(index)} has shape {Shape(dims)}, expected {rank} dimensions")
        return dims

    def at_least(self, index: int, rank: int) -> Dims | None:
        """The shape of an input that must have the given rank or a higher one."""
        dims = self.dims(index)
        if dims is not None and len(dims) < rank:
            raise ShapeError(f"{self.describe(index)} has shape {Shape(dims)}, expected {rank} or more dimensions")
        return dims

    def scalars(self, *indices: int) -> None:
        """Insist that the given inputs are scalars."""
        for index in indices:
            self.ranked(index, 0)

    def partial(self, index: int) -> Value | None:
        """The value of an input where it is numeric and known, perhaps in part."""
        value = self._values[index] if 0 <= index < len(self._values) else None
        return value if isinstance(value, np.ndarray) and value.dtype.kind in "iufb" else None

    def value(self, index: int) -> Value | None:
        """The value of an input where it is numeric and known as a whole."""
        value = self.partial(index)
        return None if value is None or (value.dtype == np.int64 and (value == UNKNOWN).any()) else value

    def scalar(self, index: int) -> int | None:
        """The value of an integer input of one element, None where it is unknown."""
        value = self.value(index)
        if value is None or value.size != 1 or value.dtype.kind not in "iu":
            return None
        return int(value.reshape(-1)[0])

    def vector(self, index: int) -> list[int | None] | None:
        """The values of an integer vector (or scalar), with None for each that is unknown."""
        value = self.partial(index)
        if value is None or value.dtype.kind not in "iu" or value.ndim > 1:
            return None
        return [None if n == UNKNOWN else n for n in value.reshape(-1).tolist()]

    def known_vector(self, index: int) -> list[int] | None:
        """The values of an integer vector (or scalar), None unless all are known."""
        numbers = self.vector(index)
        if numbers is None:
            return None
        known = [n for n in numbers if n is not None]
        return known if len(known) == len(numbers) else None

    def length(self, index: int) -> int | None:
        """How many elements a vector input has."""
        (length,) = self.ranked(index, 1)
        numbers = self.vector(index)
        if length < 0 and numbers is not None:
            length = len(numbers)
        return length if 0 <= length <= MOST_DIMS else None

    def operand(self, index: int) -> Dims | None:
        """The shape that a shape operand asks for; its entries can be -1."""
        dims, numbers = self.dims(index), self.vector(index)
        if dims == ():  # a scalar -1 asks for any shape
            if numbers is not None and numbers != [-1]:
                raise ShapeError(f"{self.describe(index)} is a scalar, expected a list of dimensions")
            return None
        if numbers is None:
            length = self.length(index)
            return None if length is None else (-1,) * length
        asked = tuple(-1 if n is None else n for n in numbers)
        if min(asked, default=0) < -1:
            raise ShapeError(f"{self.describe(index)} asks for a negative dimension: {list(asked)}")
        return asked


Rule: TypeAlias = Callable[[Call], Result]
RULES: dict[str, Rule] = {}
"""The rule of each op that has one."""

SCALAR_OPERANDS: dict[str, tuple[int, ...]] = {
    "FakeQuantWithMinMaxVars": (1, 2),
    "Mfcc": (1,),
    "NonMaxSuppression": (2,),
    "NonMaxSuppressionV2": (2, 3),
    "NonMaxSuppressionV3": (2, 3, 4),
    "NonMaxSuppressionV4": (2, 3, 4),
    "NonMaxSuppressionV5": (2, 3, 4, 5),
    "QuantizedAdd": (2, 3, 4, 5),
    "QuantizedAvgPool": (1, 2),
    "QuantizedBiasAdd": (2, 3, 4, 5),
    "QuantizedConv2D": (2, 3, 4, 5),
    "QuantizedMatMul": (2, 3, 4, 5),
    "QuantizedMaxPool": (1, 2),
    "QuantizedRelu": (1, 2),
    "QuantizedRelu6": (1, 2),
    "QuantizedReluX": (1, 2, 3),
    "QuantizedReshape": (2, 3),
    "QuantizeDownAndShrinkRange": (1, 2),
    "RequantizationRange": (1, 2),
    "Requantize": (1, 2, 3, 4),
    "StringSplit": (1,),
}
"""The inputs that must be scalars, where the rule itself does not look at them."""


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Make the decorated function the rule of `ops`, each a name or several names separated by blanks."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(" ".join(ops).split(), function))
        return function

    return register


def normal(dims: Iterable[int] | None) -> Dims | None:
    """The same shape with -1 for every unknown dimension."""
    return None if dims is None else tuple(d if d >= 0 else -1 for d in dims)


def product(*factors: int) -> int:
    """The product of dimensions, -1 when it is unknown."""
    if 0 in factors:
        return 0
    return -1 if min(factors, default=1) < 0 else math.prod(factors)


def total(*terms: int) -> int:
    """The sum of dimensions, -1 when it is unknown."""
    return -1 if min(terms, default=0) < 0 else sum(terms)


def merge_dim(a: int, b: int, what: str) -> int:
    """Both facts about one dimension; raises ShapeError when they contradict each other."""
    if a >= 0 and b >= 0 and a != b:
        raise ShapeError(f"{what}: {a} and {b}")
    return max(a, b)


def merge_dims(a: Dims | None, b: Dims | None) -> Dims | None:
    """Both facts about one shape; raises ShapeError when they contradict each other."""
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b) or any(x != y for x, y in zip(a, b, strict=True) if x >= 0 and y >= 0):
        raise ShapeError(f"shapes {Shape(a)} and {Shape(b)} differ")
    return tuple(map(max, a, b))


def merge_all(shapes: Iterable[Dims | None]) -> Dims | None:
    """All facts about one shape; raises ShapeError when they contradict each other."""
    merged: Dims | None = None
    for dims in shapes:
        merged = merge_dims(merged, dims)
    return merged


def broadcast(a: Dims | None, b: Dims | None) -> Dims | None:
    """The shape of an elementwise result, after numpy's rule for shapes that differ."""
    if a is None or b is None:
        return None
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(_broadcast_dim(x, y, a, b) for x, y in pairs)


def _broadcast_dim(x: int, y: int, a: Dims, b: Dims) -> int:
    if x == 1 or y == 1 or x == y:
        return y if x == 1 else x
    if x < 0 or y < 0:  # the unknown one must be 1 or equal to the other
        return max(x, y) if max(x, y) > 1 else -1
    raise ShapeError(f"shapes {Shape(a)} and {Shape(b)} cannot be broadcast together")


def axis_in(axis: int, rank: int) -> int:
    """The axis counted from the front; raises ShapeError when there is no such axis."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} does not exist in a tensor of rank {rank}")
    return axis % rank
