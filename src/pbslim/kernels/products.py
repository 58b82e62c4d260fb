"""Products of matrices and vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, broadcast_shape, check_products, checked_shape, require, same_dtype, widened
from pbslim.kernels.layouts import data_format_of
from pbslim.kernels.registry import Attributes, kernel


def multiplied(x: Array, y: Array) -> Array:
    """The products of matrices, those of half types in float32.

    What is neither rows of neighboring elements nor the transpose of such rows is copied, for numpy is slow with it.
    """
    return np.asarray(np.matmul(_in_rows(widened(x)), _in_rows(widened(y))))


def _in_rows(x: Array) -> Array:
    (row, column), (rows, columns) = x.strides[-2:], x.shape[-2:]
    across = column == x.itemsize and row >= columns * column
    return x if across or (row == x.itemsize and column >= rows * row) else np.ascontiguousarray(x)


def _product(x: Array, y: Array) -> Array:
    require(x.shape[-1] == y.shape[-2], f"matrices of shapes {list(x.shape)} and {list(y.shape)} have no product")
    batch = broadcast_shape(x.shape[:-2], y.shape[:-2])
    shape = checked_shape([*batch, x.shape[-2], y.shape[-1]])
    check_products(math.prod(shape) * x.shape[-1], x.dtype)
    return multiplied(x, y).astype(x.dtype, copy=False)


@kernel("MatMul", takes="T:number T:number")
def _mat_mul(attrs: Attributes, a: Array, b: Array) -> Array:
    require(a.ndim == b.ndim == 2, "it needs two matrices")
    return _product(a.T if attrs.flag("transpose_a") else a, b.T if attrs.flag("transpose_b") else b)


def _adjoint(x: Array) -> Array:
    return np.asarray(x.swapaxes(-1, -2).conj())


def _batch_mat_mul(attrs: Attributes, x: Array, y: Array) -> Array:
    require(x.ndim >= 2 and y.ndim >= 2, "operands must have at least 2 dimensions")
    return _product(_adjoint(x) if attrs.flag("adj_x") else x, _adjoint(y) if attrs.flag("adj_y") else y)


@kernel("BatchMatMul", takes="T:number T:number")
def _batch_mat_mul_v1(attrs: Attributes, x: Array, y: Array) -> Array:
    require(x.shape[:-2] == y.shape[:-2], "operands differ in their batch dimensions")
    return _batch_mat_mul(attrs, x, y)


kernel("BatchMatMulV2", takes="T:number T:number")(_batch_mat_mul)


@kernel("BatchMatMulV3", takes="number number")
def _batch_mat_mul_v3(attrs: Attributes, x: Array, y: Array) -> Array:
    same_dtype([x, y])
    require(attrs.array_dtype("Tout") == x.dtype, f"products of {x.dtype} come as {x.dtype} only")
    return _batch_mat_mul(attrs, x, y)


def _biased(attrs: Attributes, x: Array, bias: Array, axis: int) -> Any:
    require(bias.ndim == 1, "bias must be a vector")
    require(x.ndim >= 2, "it needs at least 2 dimensions")
    require(x.shape[axis] == bias.size, f"{bias.size} biases for {x.shape[axis]} channels")
    return np.add(x, bias.reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim)), out=attrs.out(x.shape, x))


@kernel("BiasAdd", takes="T:number T:number")
def _bias_add(attrs: Attributes, x: Array, bias: Array) -> Any:
    channels_last = data_format_of(attrs) == "NHWC"
    require(channels_last or x.ndim >= 3, "data_format NCHW needs at least 3 dimensions")
    return _biased(attrs, x, bias, -1 if channels_last else 1)


@kernel("BiasAddV1", takes="T:number T:number")
def _bias_add_v1(attrs: Attributes, x: Array, bias: Array) -> Any:
    return _biased(attrs, x, bias, -1)


@kernel("Cross", takes="T:real T:real")
def _cross(_attrs: Attributes, a: Array, b: Array) -> Any:
    """Products are rounded to the type before they are subtracted."""
    require(a.shape == b.shape, "operands differ in shape")
    require(a.ndim and a.shape[-1] == 3, "the last dimension must have 3 elements")
    first, second = [1, 2, 0], [2, 0, 1]
    return a[..., first] * b[..., second] - a[..., second] * b[..., first]
