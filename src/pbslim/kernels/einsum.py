"""Sums of products as an equation names them, by products of matrices."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, KernelError, check_products, checked_shape, require, widened
from pbslim.kernels.products import multiplied
from pbslim.kernels.registry import Attributes, kernel

_TERM = r"[A-Za-z]*(?:\.\.\.[A-Za-z]*)?"
_EQUATION = re.compile(rf"({_TERM}(?:,{_TERM})?)->({_TERM})")
_DOTS = 256  # where the labels begin for the dimensions that an ellipsis stands for


@kernel("Einsum", takes="T:number*")
def _einsum(attrs: Attributes, *operands: Array) -> Any:
    """One or two operands, no dimension twice in one of them, and none of an ellipsis summed up."""
    ranks = tuple(x.ndim for x in operands)
    terms, result = attrs.derived(ranks, lambda: _parsed(attrs.text("equation"), ranks))
    sizes = _sizes(terms, [x.shape for x in operands])
    require(len(set(result)) == len(result) and set(result) <= sizes.keys(), f"'{result}' is not a result")
    checked_shape(sizes[label] for label in result)
    dtype = operands[0].dtype
    if len(operands) == 1:
        return _arranged(_summed(widened(operands[0]), terms[0], result), terms[0], result).astype(dtype, copy=False)
    return _contracted(operands, terms, result, sizes).astype(dtype, copy=False)


def _parsed(equation: str, ranks: tuple[int, ...]) -> tuple[list[str], str]:
    """The labels of each operand's dimensions and of those of the result; an ellipsis has labels as well."""
    match = _EQUATION.fullmatch(equation)
    if match is None:
        raise KernelError(f"the equation '{equation}' is not a simple one")
    terms, result = match[1].split(","), match[2]
    require(len(terms) == len(ranks), "operands and terms of the equation differ in number")
    hidden = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    most = max((n for n, term in zip(hidden, terms, strict=True) if "." in term), default=0)
    require(most >= 0, "an operand has too few dimensions for the equation")
    dots = "".join(chr(_DOTS + k) for k in range(most))
    require("." in result or not most, f"the equation '{equation}' is not a simple one")
    named = [term.replace("...", dots[most - max(n, 0) :]) for term, n in zip(terms, hidden, strict=True)]
    return named, result.replace("...", dots)


def _sizes(terms: list[str], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        require(len(set(term)) == len(term) == len(shape), f"term '{term}' does not fit the shape {list(shape)}")
        for label, size in zip(term, shape, strict=True):
            known = sizes.setdefault(label, size)
            if ord(label) >= _DOTS and 1 in (known, size):
                sizes[label] = known if size == 1 else size
            else:
                require(known == size, f"dimension '{label}' has two sizes")
    return sizes


def _summed(x: Array, term: str, wanted: str) -> Array:
    """The sums along dimensions that are not wanted."""
    axes = tuple(i for i, label in enumerate(term) if label not in wanted)
    return x.sum(axis=axes, dtype=x.dtype) if axes else x


def _arranged(x: Array, term: str, wanted: str) -> Array:
    """The dimensions of `x` that are wanted, in that order; the others are summed up already."""
    left = [label for label in term if label in wanted]
    return np.asarray(x.transpose([left.index(label) for label in wanted]))


def _contracted(operands: tuple[Array, ...], terms: list[str], result: str, sizes: dict[str, int]) -> Array:
    first, second = terms
    xs, ys = (
        _summed(widened(x), term, result + other)
        for x, term, other in ((operands[0], first, second), (operands[1], second, first))
    )
    first, second = (
        "".join(label for label in term if label in result + other)
        for term, other in ((first, second), (second, first))
    )
    both = [label for label in first if label in second]
    batch, within = ("".join(label for label in both if (label in result) is kept) for kept in (True, False))
    rows, columns = ("".join(label for label in term if label not in both) for term in (first, second))
    batches, height, length, width = (math.prod(sizes[k] for k in labels) for labels in (batch, rows, within, columns))
    check_products(batches * height * length * width, xs.dtype)
    product = multiplied(
        _matrices(xs, first, (batch, rows, within), sizes), _matrices(ys, second, (batch, within, columns), sizes)
    )
    labels = batch + rows + columns
    return _arranged(product.reshape([sizes[label] for label in labels]), labels, result)


def _matrices(x: Array, term: str, groups: tuple[str, str, str], sizes: dict[str, int]) -> Array:
    """`x` as a stack of matrices, with groups of its dimensions for batch, rows and columns."""
    batch, rows, columns = groups
    x = np.broadcast_to(x, [sizes[label] for label in term])
    turned = bool(rows and columns) and term.index(columns[0]) < term.index(rows[0])  # they lie there as columns, rows
    order = batch + (columns + rows if turned else rows + columns)
    count, height, width = (math.prod(sizes[label] for label in labels) for labels in groups)
    there = x.transpose([term.index(label) for label in order])
    return there.reshape(count, width, height).swapaxes(1, 2) if turned else there.reshape(count, height, width)
