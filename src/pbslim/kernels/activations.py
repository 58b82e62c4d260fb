"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, require, widened
from pbslim.kernels.elementwise import unary
from pbslim.kernels.registry import Attributes, kernel

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_SCALE_ALPHA = 1.7580993408473768599402175208123

_FUNCTIONS: dict[str, Callable[[Array], Any]] = {
    "Elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "Selu": lambda x: np.where(x < 0, _SELU_SCALE_ALPHA * np.expm1(x), _SELU_SCALE * x),
    "Softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "Softsign": lambda x: x / (np.abs(x) + 1),
}

for _op, _function in _FUNCTIONS.items():
    kernel(_op, takes="floating")(unary(_function))


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
    wide = widened(x)
    return np.asarray(wide - wide.max(axis=-1, keepdims=True, initial=-np.inf))


@kernel("Softmax", takes="floating")
def _softmax(_attrs: Attributes, logits: Array) -> Any:
    exponentials = np.exp(_shifted(logits))
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(logits.dtype)


@kernel("LogSoftmax", takes="floating")
def _log_softmax(_attrs: Attributes, logits: Array) -> Any:
    shifted = _shifted(logits)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(logits.dtype)
