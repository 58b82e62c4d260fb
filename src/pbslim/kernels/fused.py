"""Several ops in one node, as TensorFlow's optimizers and the legacy transforms write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pbslim.kernels.activations import leaky, rectified
from pbslim.kernels.checks import Array, KernelError, require
from pbslim.kernels.convolutions import Finish, conv_2d, depthwise_conv_2d
from pbslim.kernels.layouts import data_format_of
from pbslim.kernels.registry import Attributes, function_of, kernel

_TYPES = "T:half|bfloat16|float|double"


def _activation(name: str, attrs: Attributes) -> Callable[[Array], Any]:
    """What an activation does to an array in place."""
    if name == "LeakyRelu":
        slope = attrs.number("leakyrelu_alpha", 0.2)

        def leak(x: Array) -> None:
            x[...] = leaky(x, x.dtype.type(slope))

        return leak
    if name in ("Relu", "Relu6"):
        limit = 6.0 if name == "Relu6" else None
        return lambda x: rectified(x, x, limit=limit)
    if name in ("Elu", "Tanh", "Sigmoid"):
        function = function_of(name)

        def apply(x: Array) -> None:
            x[...] = function(attrs, x)

        return apply
    raise KernelError(f"an activation '{name}' is not known")


class _Fusion:
    """What follows the first op of a fused node: a bias or batch norm, a sum, an activation."""

    def __init__(self, attrs: Attributes, operands: Sequence[Array], channels: int) -> None:
        names = attrs.texts("fused_ops")
        norms, extra = names[:1] == ["FusedBatchNorm"], names[1:2] == ["Add"]
        require(
            norms or names[:1] == ["BiasAdd"], f"there is no kernel for the fusion of {', '.join(names) or 'nothing'}"
        )
        wanted = (4 if norms else 1) + extra
        require(len(operands) == wanted, f"it has {len(operands)} more operands, expected {wanted}")
        vectors = operands[:-1] if extra else operands
        for each in vectors:
            require(each.shape == (channels,), f"an operand must be a vector of {channels} elements")
        self.side = operands[-1] if extra else None
        self._vectors = vectors
        self._norm_epsilon = attrs.number("epsilon", 1e-4) if norms else None
        rest = names[1 + extra :]
        require(len(rest) <= 1, f"there is no kernel for the fusion of {', '.join(names)}")
        self._activation = _activation(rest[0], attrs) if rest else None

    def finish(self) -> Finish:
        """What is done in place to each part of the result, where nothing of its size is added."""
        require(self.side is None, "a sum is not done part by part")
        return self._whole

    def _whole(self, part: Array) -> None:
        self._norm(part)
        if self._activation is not None:
            self._activation(part)

    def _norm(self, part: Array) -> None:
        if self._norm_epsilon is None:
            part += self._vectors[0]
            return
        scale, offset, mean, variance = self._vectors
        factor = scale / np.sqrt(variance + self._norm_epsilon)
        part *= factor
        part += offset - mean * factor

    def after(self, result: Array) -> Array:
        """The rest for a result of an op that has no parts, or to which something of its size is added."""
        self._norm(result)
        if self.side is not None:
            require(self.side.shape == result.shape, "what is added has another shape than the result")
            result += self.side
        if self._activation is not None:
            self._activation(result)
        return result


def _fused_convolution(convolution: Callable[..., Array], filter_axes: tuple[int, ...]) -> Callable[..., Array]:
    def run(attrs: Attributes, x: Array, filters: Array, *operands: Array) -> Array:
        require(data_format_of(attrs) == "NHWC", "it is computed with channels last only")
        require(filters.ndim == 4, "filters must have 4 dimensions")
        channels = int(np.prod([filters.shape[axis] for axis in filter_axes]))
        fusion = _Fusion(attrs, operands, channels)
        if fusion.side is None:
            return convolution(attrs, x, filters, fusion.finish())
        return fusion.after(convolution(attrs, x, filters))

    return run


kernel("_FusedConv2D", takes=f"{_TYPES} {_TYPES} {_TYPES}*")(_fused_convolution(conv_2d, (3,)))
kernel("_FusedDepthwiseConv2dNative", takes=f"{_TYPES} {_TYPES} {_TYPES}*")(
    _fused_convolution(depthwise_conv_2d, (2, 3))
)


@kernel("_FusedMatMul", takes=f"{_TYPES} {_TYPES} {_TYPES}*")
def _fused_mat_mul(attrs: Attributes, a: Array, b: Array, *operands: Array) -> Array:
    product = np.asarray(function_of("MatMul")(attrs, a, b))
    return _Fusion(attrs, operands, product.shape[1]).after(product)


@kernel("_FusedBatchNormEx", takes="half|bfloat16|float float float float float half|bfloat16|float*")
def _fused_batch_norm(attrs: Attributes, x: Array, *operands: Array) -> list[Any]:
    """Batch normalization, then perhaps a sum, then perhaps a rectifier."""
    vectors, sides = operands[:4], operands[4:]
    results = list(function_of("FusedBatchNormV3")(attrs, x, *vectors))
    y = np.asarray(results[0])
    for side in sides:
        require(side.shape == y.shape and side.dtype == y.dtype, "what is added has another shape or type")
        y = y + side
    mode = attrs.text("activation_mode", "Identity")
    require(mode in ("Identity", "Relu"), f"an activation '{mode}' is not known")
    return [rectified(y) if mode == "Relu" else y, *results[1:]]


def _padded_convolution(attrs: Attributes, x: Array, paddings: Array, filters: Array) -> Array:
    return conv_2d(attrs, np.asarray(function_of("MirrorPad")(attrs, x, paddings)), filters)


@kernel("FusedPadConv2D", takes="T:half|float|double int32 T:half|float|double")
def _fused_pad(attrs: Attributes, x: Array, paddings: Array, filters: Array) -> Array:
    return _padded_convolution(attrs, x, paddings, filters)


@kernel("FusedResizeAndPadConv2D", takes="T:half|float|double int32 int32 T:half|float|double")
def _fused_resize(attrs: Attributes, x: Array, size: Array, paddings: Array, filters: Array) -> Array:
    flags = Attributes({"align_corners": attrs.flag("resize_align_corners")})
    resized = np.asarray(function_of("ResizeBilinear")(flags, x, size)).astype(x.dtype, copy=False)
    return _padded_convolution(attrs, resized, paddings, filters)
