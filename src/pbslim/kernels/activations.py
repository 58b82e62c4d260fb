"""Activation functions."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from pbslim.kernels.checks import Array, require, widened
from pbslim.kernels.elementwise import unary
from pbslim.kernels.registry import Attributes, kernel

_LOG_EPSILON = {ml_dtypes.bfloat16: -7 * math.log(2), np.float32: -23 * math.log(2), np.float64: -52 * math.log(2)}
SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123


# np.where guesses at each element which way it goes, and where it guesses wrong it waits: sums of a positive and a
# negative part are several times as fast; np.clip with numbers is as well, compared with np.maximum.


def rectified(x: Array, out: Array | None = None, *, limit: float | None = None) -> Any:
    """max(x, 0), or what is left of it up to `limit`; NaN stays NaN."""
    top = limit if limit is not None else np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    return x.clip(x.dtype.type(0), x.dtype.type(top), out=out)


def _negative_part(x: Array, out: Array | None = None) -> Array:
    return np.asarray(x.clip(x.dtype.type(-np.inf), x.dtype.type(0), out=out))


def _relu6(x: Array, out: Array | None) -> Any:
    return rectified(x, out, limit=6)


def _elu(x: Array, out: Array | None) -> Any:
    positive = rectified(x)
    result = _negative_part(x, out)
    np.expm1(result, out=result)
    return np.add(result, positive, out=result)


def _selu(x: Array, out: Array | None) -> Any:
    positive = rectified(x)
    result = _negative_part(x, out)
    np.expm1(result, out=result)
    result *= SELU_SCALE_ALPHA
    result += SELU_SCALE * positive
    return result


def _softsign(x: Array, out: Array | None) -> Any:
    divisor = np.asarray(np.abs(x))
    divisor += 1
    return np.divide(x, divisor, out=out)


kernel("Relu", takes="real")(unary(rectified))
kernel("Relu6", takes="real")(unary(_relu6))
kernel("Elu", takes="floating")(unary(_elu))
kernel("Selu", takes="floating")(unary(_selu))
kernel("Softsign", takes="floating")(unary(_softsign))


@kernel("LeakyRelu", takes="floating")
def _leaky_relu(attrs: Attributes, x: Array) -> Any:
    alpha = x.dtype.type(attrs.number("alpha", 0.2))
    return leaky(x, alpha)


def leaky(x: Array, slope: Any) -> Any:
    """The rectifier that leaks: x, and x * slope where it is negative."""
    below = np.asarray(x * slope)
    if 0 < slope <= 1:
        return np.maximum(x, below, out=below)
    return np.where(x > 0, x, below)


@kernel("Softplus", takes="floating")
def _softplus(_attrs: Attributes, x: Array) -> Any:
    """log(1 + exp(x)), or what that comes to where x is far from zero; half is computed in float32, bfloat16 is not."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    threshold = _LOG_EPSILON[wide.dtype.type] + 2
    exponential = np.exp(wide)
    near = np.where(wide < threshold, exponential, np.log1p(exponential))
    return np.where(wide > -threshold, wide, near).astype(x.dtype)


_SHORT = 16  # rows of fewer elements are handled column by column


def _shifted(attrs: Attributes, x: Array) -> tuple[Array, int]:
    """What is to be overwritten with the result: logits less the largest of them, and the axis along which they lie."""
    require(x.ndim >= 1, "logits must have at least 1 dimension")
    axis, out = -1, attrs.out(x.shape, x)
    if x.ndim > 1 and x.shape[-1] < _SHORT:
        axis, x = 0, np.moveaxis(x, -1, 0).copy()
        out = x
    largest = x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.asarray(np.subtract(x, largest, out=out)), axis


def _unshifted(x: Array, axis: int) -> Array:
    return x if axis else np.ascontiguousarray(np.moveaxis(x, 0, -1))


@kernel("Softmax", takes="floating")
def _softmax(attrs: Attributes, logits: Array) -> Any:
    """Each step is rounded to the type, as TensorFlow does."""
    exponentials, axis = _shifted(attrs, logits)
    np.exp(exponentials, out=exponentials)
    if logits.size:
        if logits.dtype.itemsize == 2:
            total = np.add.accumulate(exponentials, axis=axis).take([-1], axis)
        else:
            total = exponentials.sum(axis=axis, keepdims=True)
        np.multiply(exponentials, logits.dtype.type(1) / total, out=exponentials)
    return _unshifted(exponentials, axis)


@kernel("LogSoftmax", takes="floating")
def _log_softmax(attrs: Attributes, logits: Array) -> Any:
    narrow, axis = _shifted(attrs, logits)
    shifted = widened(narrow)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return _unshifted(np.subtract(shifted, np.log(total), out=shifted), axis).astype(logits.dtype, copy=False)
