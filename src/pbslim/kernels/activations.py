"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from pbslim.kernels.checks import Array, require, widened
from pbslim.kernels.elementwise import unary
from pbslim.kernels.registry import Attributes, kernel

_LOG_EPSILON = {ml_dtypes.bfloat16: -7 * math.log(2), np.float32: -23 * math.log(2), np.float64: -52 * math.log(2)}
SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123

_FUNCTIONS: dict[str, Callable[[Array], Any]] = {
    "Elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "Selu": lambda x: np.where(x < 0, SELU_SCALE_ALPHA * np.expm1(x), SELU_SCALE * x),
    "Softsign": lambda x: x / (np.abs(x) + 1),
}

for _op, _function in _FUNCTIONS.items():
    kernel(_op, takes="floating")(unary(_function))


@kernel("Softplus", takes="floating")
def _softplus(_attrs: Attributes, x: Array) -> Any:
    """log(1 + exp(x)), or what that comes to where x is far from zero; half is computed in float32, bfloat16 is not."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    threshold = _LOG_EPSILON[wide.dtype.type] + 2
    exponential = np.exp(wide)
    near = np.where(wide < threshold, exponential, np.log1p(exponential))
    return np.where(wide > -threshold, wide, near).astype(x.dtype)


@kernel("Relu", takes="real")
def _relu(_attrs: Attributes, x: Array) -> Any:
    return np.maximum(x, x.dtype.type(0))


@kernel("Relu6", takes="real")
def _relu6(_attrs: Attributes, x: Array) -> Any:
    return np.minimum(np.maximum(x, x.dtype.type(0)), x.dtype.type(6))


@kernel("LeakyRelu", takes="floating")
def _leaky_relu(attrs: Attributes, x: Array) -> Any:
    alpha = x.dtype.type(attrs.number("alpha", 0.2))
    return np.where(x > 0, x, x * alpha)


def _shifted(x: Array) -> Array:
    require(x.ndim >= 1, "logits must have at least 1 dimension")
    return np.asarray(x - x.max(axis=-1, keepdims=True, initial=-np.inf))


@kernel("Softmax", takes="floating")
def _softmax(_attrs: Attributes, logits: Array) -> Any:
    """Each step is rounded to the type, as TensorFlow does."""
    exponentials = np.exp(_shifted(logits))
    if not logits.size:
        return exponentials
    if logits.dtype.itemsize == 2:
        total = np.add.accumulate(exponentials, axis=-1)[..., -1:]
    else:
        total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials * (logits.dtype.type(1) / total)


@kernel("LogSoftmax", takes="floating")
def _log_softmax(_attrs: Attributes, logits: Array) -> Any:
    shifted = widened(_shifted(logits))
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(logits.dtype)
