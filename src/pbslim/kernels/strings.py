"""Strings, as object arrays of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, finite, require
from pbslim.kernels.registry import Attributes, kernel

_MAX_BYTES = 2**28


@kernel("StringJoin", takes="string*")
def _string_join(attrs: Attributes, *inputs: Array) -> Any:
    """Element by element; scalars go with every element."""
    require(inputs, "it has no inputs")
    separator = attrs.text("separator", "").encode("latin-1")
    shapes = {x.shape for x in inputs} - {()}
    require(len(shapes) <= 1, "operands differ in shape")
    shape = min(shapes, default=())
    columns = [np.broadcast_to(x, shape).reshape(-1).tolist() for x in inputs]
    size = sum(len(text) for column in columns for text in column) + len(separator) * len(columns) * len(columns[0])
    require(size <= _MAX_BYTES, f"the result would have {size} bytes")
    return _strings([separator.join(row) for row in zip(*columns, strict=True)], shape)


def _strings(values: list[bytes], shape: tuple[int, ...]) -> Array:
    result = np.empty(len(values), object)
    result[:] = values
    return result.reshape(shape)


@kernel("AsString", takes="integer|float|double|bool")
def _as_string(attrs: Attributes, x: Array) -> Array:
    """As printf writes them."""
    if x.dtype.kind == "b":
        return _strings([b"true" if v else b"false" for v in x.reshape(-1)], x.shape)
    form = _integer_form(attrs) if x.dtype.kind in "iu" else _float_form(attrs)
    require(finite(x), "there are infinities or NaN")
    return _strings([(form % v).encode() for v in x.reshape(-1).tolist()], x.shape)


def _prefix(attrs: Attributes) -> str:
    fill, width = attrs.text("fill", ""), attrs.integer("width", -1)
    require(fill in ("", " ", "+", "-", "0"), f"fill '{fill}' is not known")
    require(-1 <= width <= 1000, f"{width} is no width")
    return "%" + fill + (str(width) if width >= 0 else "")


def _integer_form(attrs: Attributes) -> str:
    require(attrs.integer("precision", -1) == -1, "integers have no precision")
    require(not (attrs.flag("scientific") or attrs.flag("shortest")), "integers have no scientific form")
    return _prefix(attrs) + "d"


def _float_form(attrs: Attributes) -> str:
    precision = attrs.integer("precision", -1)
    scientific, shortest = attrs.flag("scientific"), attrs.flag("shortest")
    require(-1 <= precision <= 1000, f"{precision} is no precision")
    require(not (scientific and shortest), "it cannot be both scientific and shortest")
    kind = "e" if scientific else "g" if shortest else "f"
    return _prefix(attrs) + (f".{precision}" if precision >= 0 else "") + kind
