"""Strings, as object arrays of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pbslim.kernels.checks import (
    MAX_OUTPUTS,
    Array,
    broadcast_shape,
    check_text,
    checked_shape,
    finite,
    require,
    require_defined,
)
from pbslim.kernels.limits import current
from pbslim.kernels.reductions import reduction_axes
from pbslim.kernels.registry import Attributes, kernel


def string_array(values: Iterable[bytes], shape: tuple[int, ...]) -> Array:
    """Strings in row-major order as a tensor of this shape; raises KernelError as soon as they are too long."""
    checked_shape(shape)
    size, texts = 0, []
    most = current().text
    for text in values:
        size += len(text)
        require(size <= most, f"the result would have more than {most} bytes")
        texts.append(text)
    result = np.empty(len(texts), object)
    result[:] = texts
    return result.reshape(shape)


def each_string(function: Callable[[bytes], bytes], x: Array) -> Array:
    """A function of one string, for each element."""
    return string_array(map(function, x.reshape(-1).tolist()), x.shape)


def _bytes_in(texts: Sequence[bytes]) -> int:
    return sum(map(len, texts))


@kernel("StringJoin", takes="string*")
def _string_join(attrs: Attributes, *inputs: Array) -> Any:
    """Element by element; scalars go with every element."""
    require(inputs, "it has no inputs")
    separator = attrs.text("separator", "").encode("latin-1")
    shapes = {x.shape for x in inputs} - {()}
    require(len(shapes) <= 1, "operands differ in shape")
    shape = min(shapes, default=())
    columns = [np.broadcast_to(x, shape).reshape(-1).tolist() for x in inputs]
    check_text(sum(map(_bytes_in, columns)) + len(separator) * len(columns) * len(columns[0]))
    return string_array((separator.join(row) for row in zip(*columns, strict=True)), shape)


@kernel("ReduceJoin", takes="string int32")
def _reduce_join(attrs: Attributes, x: Array, axes: Array) -> Any:
    """Along the first axis that is named first."""
    separator = attrs.text("separator", "").encode("latin-1")
    joined = reduction_axes(axes, x.ndim)
    kept = [axis for axis in range(x.ndim) if axis not in joined]
    count = math.prod(x.shape[axis] for axis in kept)
    length = math.prod(x.shape[axis] for axis in joined)
    require(x.size or count <= MAX_OUTPUTS, f"the result would have {count} empty strings")
    rows = x.transpose(*kept, *joined[::-1]).reshape(count, length).tolist()
    check_text(sum(map(_bytes_in, rows)) + len(separator) * x.size)
    shape = [1 if axis in joined else size for axis, size in enumerate(x.shape)]
    if not attrs.flag("keep_dims"):
        shape = [x.shape[axis] for axis in kept]
    return string_array(map(separator.join, rows), checked_shape(shape))


def _in_characters(attrs: Attributes) -> bool:
    unit = attrs.text("unit", "BYTE")
    require(unit in ("BYTE", "UTF8_CHAR"), f"unit '{unit}' is not known")
    return unit == "UTF8_CHAR"


@kernel("StringLength", takes="string")
def _string_length(attrs: Attributes, x: Array) -> Any:
    texts = x.reshape(-1).tolist()
    lengths = [len(t.decode()) for t in texts] if _in_characters(attrs) else [*map(len, texts)]
    return np.array(lengths, np.int32).reshape(x.shape)


@kernel("Substr", takes="string T:index T:index")
def _substring(attrs: Attributes, x: Array, position: Array, length: Array) -> Any:
    """Negative positions count from the end."""
    require(position.shape == length.shape, "pos and len differ in shape")
    shape = broadcast_shape(x.shape, position.shape)
    columns = [np.broadcast_to(a, shape).reshape(-1).tolist() for a in (x, position, length)]
    check_text(_bytes_in(columns[0]))
    characters = _in_characters(attrs)

    def part(text: bytes, start: int, count: int) -> bytes:
        whole = text.decode() if characters else text
        require(-len(whole) <= start <= len(whole), f"position {start} is out of range for {len(whole)} characters")
        require(count >= 0, "len is negative")
        first = start % len(whole) if start < 0 else start
        found = whole[first : first + count]
        return found.encode() if isinstance(found, str) else found

    return string_array(map(part, *columns), shape)


def _by_case(name: str) -> Callable[..., Any]:
    of_bytes, of_text = getattr(bytes, name), getattr(str, name)

    def run(attrs: Attributes, x: Array) -> Any:
        """Of ASCII letters; what becomes of others depends on TensorFlow's edition of Unicode."""
        encoding = attrs.text("encoding", "")
        require(encoding in ("", "utf-8"), f"encoding '{encoding}' is not known")
        texts = x.reshape(-1).tolist()
        require_defined(lambda: not encoding or all(map(bytes.isascii, texts)), "there are other letters than ASCII")
        return each_string(lambda text: of_text(text.decode()).encode() if encoding else of_bytes(text), x)

    return run


kernel("StringLower", takes="string")(_by_case("lower"))
kernel("StringUpper", takes="string")(_by_case("upper"))


@kernel("StringStrip", takes="string")
def _string_strip(_attrs: Attributes, x: Array) -> Any:
    return each_string(bytes.strip, x)


@kernel("AsString", takes="integer|float|double|bool")
def _as_string(attrs: Attributes, x: Array) -> Array:
    """As printf writes them."""
    if x.dtype.kind == "b":
        return string_array((b"true" if v else b"false" for v in x.reshape(-1)), x.shape)
    form = _integer_form(attrs) if x.dtype.kind in "iu" else _float_form(attrs)
    require_defined(lambda: finite(x), "there are infinities or NaN")
    return string_array(((form % v).encode() for v in x.reshape(-1).tolist()), x.shape)


def _prefix(attrs: Attributes) -> str:
    fill, width = attrs.text("fill", ""), attrs.integer("width", -1)
    require(fill in ("", " ", "+", "-", "0"), f"fill '{fill}' is not known")
    require(-1 <= width <= 1000, f"{width} is not a width")
    return "%" + fill + (str(width) if width >= 0 else "")


def _integer_form(attrs: Attributes) -> str:
    require(attrs.integer("precision", -1) == -1, "integers have no precision")
    require(not (attrs.flag("scientific") or attrs.flag("shortest")), "integers have no scientific form")
    return _prefix(attrs) + "d"


def _float_form(attrs: Attributes) -> str:
    precision = attrs.integer("precision", -1)
    scientific, shortest = attrs.flag("scientific"), attrs.flag("shortest")
    require(-1 <= precision <= 1000, f"{precision} is not a precision")
    require(not (scientific and shortest), "it cannot be both scientific and shortest")
    kind = "e" if scientific else "g" if shortest else "f"
    return _prefix(attrs) + (f".{precision}" if precision >= 0 else "") + kind
