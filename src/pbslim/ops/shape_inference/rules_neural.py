"""Shapes of the ops of neural networks: convolutions, pooling, normalization, losses."""

from __future__ import annotations

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    broadcast,
    merge_dim,
    merge_dims,
    product,
    rule,
)
from pbslim.ops.shape_inference.rules_array import padded
from pbslim.ops.shape_inference.rules_images import asked_size


def _layout(call: Call, rank: int = 4) -> str:
    """The data format: where the axes N, C and the spatial ones are."""
    layout = call.text("data_format")
    if layout not in ("NHWC", "NCHW", "NDHWC", "NCDHW") or len(layout) != rank:
        raise UndecidableError("data_format")
    return layout


def axis_numbers(call: Call, name: str, rank: int) -> Dims:
    """An attribute with one positive number for each axis."""
    numbers = call.ints(name)
    if len(numbers) != rank or min(numbers) < 1:
        raise ShapeError(f"'{name}' must have {rank} positive numbers, it has {list(numbers)}")
    return numbers


def window_steps(size: int, window: int, stride: int, padding: str, edges: tuple[int, int] = (0, 0)) -> int:
    """How many positions a window takes along one axis, -1 when that is unknown.

    Args:
        size: the length of the axis.
        window: the length of the window, dilation included.
        stride: from one position to the next.
        padding: ``SAME``, ``VALID`` or ``EXPLICIT``.
        edges: what explicit padding adds before and after.

    Raises:
        ShapeError: the window is longer than the axis.
    """
    if size < 0 or (window < 0 and padding != "SAME"):
        return -1
    if padding == "SAME":
        return -(-size // stride)
    size += sum(edges) if padding == "EXPLICIT" else 0
    if size < window:
        raise ShapeError(f"a window of {window} is longer than the axis of {size} elements")
    return (size - window) // stride + 1


def _edges(call: Call, padding: str, rank: int) -> list[tuple[int, int]]:
    """The explicit padding of each axis."""
    if padding not in ("SAME", "VALID", "EXPLICIT"):
        raise UndecidableError("padding")
    if padding != "EXPLICIT":
        return [(0, 0)] * rank
    pads = call.ints("explicit_paddings")
    if len(pads) != 2 * rank or min(pads) < 0:
        raise ShapeError(f"explicit padding needs {2 * rank} numbers that are not negative, it has {list(pads)}")
    return list(zip(pads[::2], pads[1::2], strict=True))


@rule("Conv2D Conv3D DepthwiseConv2dNative _FusedConv2D _FusedDepthwiseConv2dNative")
def convolution(call: Call) -> Result:
    """A window over the spatial axes; the filter is [spatial..., in, out]."""
    rank = 5 if call.op == "Conv3D" else 4
    return convolved(call, call.ranked(0, rank), call.ranked(1, rank), _layout(call, rank), call.ints("dilations"))


def convolved(call: Call, image: Dims, kernel: Dims, layout: str, dilations: Dims) -> Dims:
    """The shape of a convolution of `image` with `kernel`, by the strides and the padding of the node."""
    rank = len(layout)
    strides, padding = axis_numbers(call, "strides", rank), call.text("padding")
    edges = _edges(call, padding, rank)
    if len(dilations) != rank or min(dilations) < 1:
        raise ShapeError(f"'dilations' must have {rank} positive numbers, it has {list(dilations)}")
    channel = layout.index("C")
    depth, inner, outer = image[channel], kernel[-2], kernel[-1]
    if "Depthwise" in call.op:
        depth = merge_dim(
            depth, inner, f"channels of the input {Shape(image)} and of the filter {Shape(kernel)} differ"
        )
        outer = product(depth, outer)
    else:
        _check_groups(image, kernel, depth)
    result = [image[0]] * rank
    result[channel] = outer
    for window, axis in zip(kernel, (i for i, letter in enumerate(layout) if letter not in "NC"), strict=False):
        length = (window - 1) * dilations[axis] + 1 if window >= 0 else -1
        if length < 0 <= window:
            raise ShapeError(f"the filter {Shape(kernel)} is empty, it cannot be dilated")
        result[axis] = window_steps(image[axis], length, strides[axis], padding, edges[axis])
    return tuple(result)


def _check_groups(image: Dims, kernel: Dims, depth: int) -> None:
    """The channels of the image are one group for the filter, or several that share its outputs evenly."""
    inner, outer = kernel[-2:]
    if depth < 0 or inner < 0 or depth == inner:
        return
    if inner == 0 or depth == 0 or depth % inner:
        made = f"the filter {Shape(kernel)} is made for {inner}"
        raise ShapeError(f"the input {Shape(image)} has {depth} channels, {made}")
    if outer >= 0 and outer % (depth // inner):
        raise ShapeError(f"{depth // inner} groups of channels cannot share {outer} outputs evenly")


@rule("FusedPadConv2D FusedResizeAndPadConv2D")
def padded_convolution(call: Call) -> Result:
    """The image resized (in one of them), padded and then convolved."""
    resizes = call.op == "FusedResizeAndPadConv2D"
    image = call.ranked(0, 4)
    if resizes:
        image = (image[0], *asked_size(call, 1), image[3])
    grown = padded(call, image, 2 if resizes else 1) or (-1,) * 4
    return convolved(call, grown, call.ranked(3 if resizes else 2, 4), "NHWC", (1, 1, 1, 1))


@rule("Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput")
def convolution_transposed(call: Call) -> Result:
    """The asked sizes."""
    rank = 5 if call.op.startswith("Conv3D") else 4
    sizes = call.operand(0)
    if call.op != "Conv2DBackpropInput":
        return merge_dims(sizes, (-1,) * rank)
    if sizes is not None and len(sizes) not in (rank, rank - 2):
        raise ShapeError(f"{len(sizes)} sizes are asked for, expected {rank}")
    kernel, gradient = call.ranked(1, rank), call.ranked(2, rank)
    layout = _layout(call, rank)
    merge_dim(gradient[layout.index("C")], kernel[-1], "channels of the gradient and outputs of the filter differ")
    if sizes is None or len(sizes) == rank:
        return merge_dims(sizes, (gradient[0], -1, -1, -1))
    if layout.endswith("C"):
        return (gradient[0], *sizes, kernel[-2])
    return (gradient[0], kernel[-2], *sizes)


@rule("Conv2DBackpropFilter DepthwiseConv2dNativeBackpropFilter Conv3DBackpropFilterV2")
def filter_gradient(call: Call) -> Result:
    """The asked sizes."""
    rank = 5 if call.op.startswith("Conv3D") else 4
    return merge_dims(call.operand(1), (-1,) * rank)


@rule("MaxPool AvgPool MaxPool3D AvgPool3D")
def pool(call: Call) -> Result:
    """A window over every axis, as a rule of size 1 for batch and channels."""
    rank = 5 if call.op.endswith("3D") else 4
    image = call.ranked(0, rank)
    return pooled(
        call, image, _layout(call, rank), axis_numbers(call, "ksize", rank), axis_numbers(call, "strides", rank)
    )


def pooled(call: Call, image: Dims, layout: str, windows: Dims, strides: Dims) -> Dims:
    """The shape of `image` after pooling, by the padding of the node."""
    padding = call.text("padding")
    edges = _edges(call, padding, len(image))
    kept = {0} if _pools_channels(call.op) else {0, layout.index("C")}
    return tuple(
        size if axis in kept else window_steps(size, windows[axis], strides[axis], padding, edges[axis])
        for axis, size in enumerate(image)
    )


def _pools_channels(op: str) -> bool:
    """Whether the window can go over channels as well."""
    return "MaxPool" in op and not op.endswith("3D")


@rule("MaxPoolV2")
def max_pool_v2(call: Call) -> Result:
    """As `pool`, with windows and strides as inputs."""
    image, windows, strides = call.ranked(0, 4), call.known_vector(1), call.known_vector(2)
    if windows is None or strides is None:
        return None
    if len(windows) != 4 or len(strides) != 4 or min(strides) < 1 or 0 in windows or min(windows) < -1:
        raise ShapeError("a window and its strides need 4 positive numbers each")
    return pooled(call, image, _layout(call), tuple(windows), tuple(strides))


@rule("MaxPoolWithArgmax")
def max_pool_with_argmax(call: Call) -> Result:
    """The largest elements, and where they are."""
    image = call.ranked(0, 4)
    dims = pooled(call, image, "NHWC", axis_numbers(call, "ksize", 4), axis_numbers(call, "strides", 4))
    return [dims, dims]


@rule("MaxPoolGrad")
def max_pool_gradient(call: Call) -> Result:
    """The shape of the pooled image."""
    return call.ranked(0, 4)


@rule("AvgPoolGrad")
def average_pool_gradient(call: Call) -> Result:
    """The asked shape."""
    return merge_dims(call.operand(0), (-1,) * 4)


@rule("BiasAdd")
def bias_add(call: Call) -> Result:
    """One number for each channel."""
    layout = call.text("data_format")
    dims = call.at_least(0, 3 if layout == "NCHW" else 2)
    (bias,) = call.ranked(1, 1)
    if dims is None:
        return None
    axis = 1 if layout == "NCHW" else len(dims) - 1
    channels = merge_dim(dims[axis], bias, f"channels of the value {Shape(dims)} and length of the bias differ")
    return (*dims[:axis], channels, *dims[axis + 1 :])


@rule("BiasAddV1")
def bias_add_v1(call: Call) -> Result:
    """One number for each channel, which is the last axis."""
    dims = call.at_least(0, 2)
    (bias,) = call.ranked(1, 1)
    if dims is None:
        return None
    return (*dims[:-1], merge_dim(dims[-1], bias, f"channels of {Shape(dims)} and length of the bias differ"))


@rule("BiasAddGrad")
def bias_add_gradient(call: Call) -> Result:
    """One number for each channel."""
    layout = call.text("data_format")
    dims = call.at_least(0, 3 if layout == "NCHW" else 2)
    return (-1,) if dims is None else (dims[1 if layout == "NCHW" else -1],)


@rule("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 _FusedBatchNormEx")
def fused_batch_norm(call: Call) -> Result:
    """The image, then mean and variance of each channel, then the same as reserves for the gradient."""
    wide = call.op == "FusedBatchNormV3" and call.text("data_format") in ("NDHWC", "NCDHW")
    layout = _layout(call, 5 if wide else 4)
    image, training = call.ranked(0, len(layout)), call.attr("is_training", bool)
    axis = layout.index("C")
    channels = image[axis]
    for index in range(1, 3 if training else 5):
        (length,) = call.ranked(index, 1)
        channels = merge_dim(
            channels, length, f"channels of {Shape(image)} and length of {call.describe(index)} differ"
        )
    statistics: list[Dims | None] = [(channels,)] * 4
    reserve: list[Dims | None] = [None] if call.op.endswith(("V3", "Ex")) else []
    return [(*image[:axis], channels, *image[axis + 1 :]), *statistics, *reserve]


@rule("FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3")
def fused_batch_norm_gradient(call: Call) -> Result:
    """The gradients of the image, scale and offset, and two unused outputs."""
    wide = call.op == "FusedBatchNormGradV3" and call.text("data_format") in ("NDHWC", "NCDHW")
    layout = _layout(call, 5 if wide else 4)
    axis = layout.index("C")
    image = call.ranked(0, len(layout))
    channels = merge_dim(image[axis], call.ranked(1, len(layout))[axis], "channels of both images differ")
    for index in range(2, 5):
        channels = merge_dim(channels, call.ranked(index, 1)[0], f"{call.describe(index)} does not fit the channels")
    return [(*image[:axis], channels, *image[axis + 1 :]), (channels,), (channels,), (0,), (0,)]


@rule("BatchNormWithGlobalNormalization")
def old_batch_norm(call: Call) -> Result:
    """The image; each of the four statistics has one number for each channel."""
    image = call.ranked(0, 4)
    channels = image[3]
    for index in range(1, 5):
        (length,) = call.ranked(index, 1)
        channels = merge_dim(
            channels, length, f"channels of {Shape(image)} and length of {call.describe(index)} differ"
        )
    return (*image[:3], channels)


@rule("LRN")
def local_response_normalization(call: Call) -> Result:
    """The image."""
    return call.ranked(0, 4)


@rule("Softmax LogSoftmax")
def softmax(call: Call) -> Result:
    """The shape of the logits."""
    return call.at_least(0, 1)


@rule("SoftmaxCrossEntropyWithLogits")
def cross_entropy(call: Call) -> Result:
    """The loss of each row, and the gradient."""
    a, b = call.dims(0), call.dims(1)
    dims = merge_dims(a, b) if a is None or b is None else broadcast(a, b)
    if dims is None:
        return [(-1,), (-1, -1)]
    if len(dims) != 2:
        raise ShapeError(f"logits of shape {Shape(dims)} must have 2 dimensions")
    return [dims[:1], dims]


@rule("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(call: Call) -> Result:
    """The loss of each row, and the gradient."""
    rows, classes = call.ranked(0, 2)
    rows = merge_dim(rows, call.ranked(1, 1)[0], "logits and labels have different numbers of rows")
    return [(rows,), (rows, classes)]


@rule("InTopK InTopKV2")
def in_top_k(call: Call) -> Result:
    """One answer for each row."""
    rows = merge_dim(
        call.ranked(0, 2)[0], call.ranked(1, 1)[0], "predictions and targets have different numbers of rows"
    )
    return (rows,)
