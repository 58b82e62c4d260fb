"""Gradients of functions of one number, and of a bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.activations import SELU_SCALE, SELU_SCALE_ALPHA
from pbslim.kernels.checks import Array, finite, require, require_defined, widened
from pbslim.kernels.layouts import data_format_of
from pbslim.kernels.registry import Attributes, kernel


def _gradient(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A kernel function of two operands of one shape; each step is rounded to the type."""

    def run(_attrs: Attributes, first: Array, second: Array) -> Any:
        require(first.shape == second.shape, "operands differ in shape")
        return np.asarray(function(first, second)).astype(first.dtype, copy=False)

    return run


def _where(active: Any, gradients: Array) -> Any:
    require_defined(lambda: finite(gradients), "there are infinities or NaN among the gradients")
    return np.where(active, gradients, gradients.dtype.type(0))


# gradients of the results first, then the operands of the function, or its results
_OF_ACTIVATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ReluGrad": lambda dy, x: _where(x > 0, dy),
    "Relu6Grad": lambda dy, x: _where((x > 0) & (x < 6), dy),
    "EluGrad": lambda dy, y: np.where(y < 0, (y + 1) * dy, dy),
    "SeluGrad": lambda dy, y: np.where(y < 0, dy * (y + y.dtype.type(SELU_SCALE_ALPHA)), dy * y.dtype.type(SELU_SCALE)),
    "SoftplusGrad": lambda dy, x: dy / (np.exp(-x) + 1),
    "SoftsignGrad": lambda dy, x: dy / np.square(np.abs(x) + 1),
}
# results of the function first, then their gradients
_OF_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "InvGrad": lambda y, dy: -dy * (y.conj() * y.conj()),
    "ReciprocalGrad": lambda y, dy: -dy * (y.conj() * y.conj()),
    "RsqrtGrad": lambda y, dy: y.dtype.type(-0.5) * (dy * y.conj()) * (y.conj() * y.conj()),
    "SigmoidGrad": lambda y, dy: dy * y * (1 - y),
    "SqrtGrad": lambda y, dy: y.dtype.type(0.5) * dy / y.conj(),
    "TanhGrad": lambda y, dy: dy * (1 - y * y),
}
_OF_COMPLEX = frozenset({"InvGrad", "ReciprocalGrad", "RsqrtGrad", "SqrtGrad"})

for _op, _function in (_OF_ACTIVATIONS | _OF_FUNCTIONS).items():
    _types = "real" if _op.startswith("Relu") else "inexact" if _op in _OF_COMPLEX else "floating"
    kernel(_op, takes=f"T:{_types} T:{_types}")(_gradient(_function))


@kernel("LeakyReluGrad", takes="T:floating T:floating")
def _leaky_relu_grad(attrs: Attributes, gradients: Array, x: Array) -> Any:
    require(gradients.shape == x.shape, "operands differ in shape")
    return np.where(x > 0, gradients, gradients * x.dtype.type(attrs.number("alpha", 0.2)))


@kernel("BiasAddGrad", takes="number")
def _bias_add_grad(attrs: Attributes, gradients: Array) -> Any:
    """The sum over all dimensions but the channels."""
    require(gradients.ndim >= 2, "it needs at least 2 dimensions")
    channels = gradients.ndim - 1 if data_format_of(attrs) == "NHWC" else 1
    others = tuple(axis for axis in range(gradients.ndim) if axis != channels)
    wide = widened(gradients)
    return wide.sum(axis=others, dtype=wide.dtype).astype(gradients.dtype)
