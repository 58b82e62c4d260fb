"""Inputs to try a graph with, when nobody gives any."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.analysis.endpoints import require
from pbslim.dtypes import BOOL, STRING, DType, Shape
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import node_name

_BATCH, _UNKNOWN = 2, 64


def generate_feeds(graph: Graph, inputs: list[str], seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Seeded values for placeholders: uniform between 0 and 1 for floats, 0 to 9 for integers.

    An unknown first dimension becomes 2, any other unknown one 64.

    Raises:
        UsageError: a placeholder does not say its type or rank.
    """
    random = np.random.default_rng(seed)
    feeds = {}
    for name in inputs:
        node = require(graph, name)
        dtype, shape = node.dtype_attr("dtype"), node.shape_attr("shape")
        if dtype is None or shape.dims is None:
            raise UsageError(f"input '{node_name(name)}' has no known type and rank; give its value with --feeds")
        feeds[name] = _values(random, dtype, _filled(shape))
    return feeds


def _filled(shape: Shape) -> tuple[int, ...]:
    dims = shape.dims or ()
    return tuple(d if d >= 0 else (_UNKNOWN if i else _BATCH) for i, d in enumerate(dims))


def _values(random: np.random.Generator, dtype: DType, dims: tuple[int, ...]) -> npt.NDArray[Any]:
    if dtype is STRING:
        return np.full(dims, b"text", object)
    if dtype is BOOL:
        return np.zeros(dims, np.bool_)
    if dtype.is_floating or dtype.name.startswith("complex"):
        return random.random(dims).astype(dtype.numpy)
    return random.integers(0, 10, dims).astype(dtype.numpy)
