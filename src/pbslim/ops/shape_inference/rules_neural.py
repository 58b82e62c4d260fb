"""Shapes of the ops of neural networks and of images and sound: convolutions, pooling, normalisation, resizing."""

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
from pbslim.ops.shape_inference.rules_array import padded, reshape


def _layout(call: Call, rank: int = 4) -> str:
    """The data format: where the axes N, C and the spatial ones are."""
    layout = call.text("data_format")
    if layout not in ("NHWC", "NCHW", "NDHWC", "NCDHW") or len(layout) != rank:
        raise UndecidableError("data_format")
    return layout


def _numbers(call: Call, name: str, rank: int) -> Dims:
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
    return _convolved(call, call.ranked(0, rank), call.ranked(1, rank), _layout(call, rank), call.ints("dilations"))


def _convolved(call: Call, image: Dims, kernel: Dims, layout: str, dilations: Dims) -> Dims:
    rank = len(layout)
    strides, padding = _numbers(call, "strides", rank), call.text("padding")
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
        image = (image[0], *_asked_size(call, 1), image[3])
    grown = padded(call, image, 2 if resizes else 1) or (-1,) * 4
    return _convolved(call, grown, call.ranked(3 if resizes else 2, 4), "NHWC", (1, 1, 1, 1))


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
    return _pooled(call, image, _layout(call, rank), _numbers(call, "ksize", rank), _numbers(call, "strides", rank))


def _pooled(call: Call, image: Dims, layout: str, windows: Dims, strides: Dims) -> Dims:
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
    return _pooled(call, image, _layout(call), tuple(windows), tuple(strides))


@rule("MaxPoolWithArgmax")
def max_pool_with_argmax(call: Call) -> Result:
    """The largest elements, and where they are."""
    image = call.ranked(0, 4)
    dims = _pooled(call, image, "NHWC", _numbers(call, "ksize", 4), _numbers(call, "strides", 4))
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


def _asked_size(call: Call, index: int) -> tuple[int, int]:
    """Height and width from an input."""
    (two,) = call.ranked(index, 1)
    merge_dim(two, 2, "a size is height and width, but the numbers given are")
    size = call.known_vector(index)
    if size is None or len(size) != 2:
        return (-1, -1)
    if min(size) < -1:
        raise ShapeError(f"cannot resize to {size}")
    return (size[0], size[1])


@rule("ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea")
def resize(call: Call) -> Result:
    """The image with another height and width."""
    image = call.ranked(0, 4)
    return (image[0], *_asked_size(call, 1), image[3])


@rule("HSVToRGB RGBToHSV")
def colours(call: Call) -> Result:
    """Images of three channels."""
    dims = call.at_least(0, 1)
    if dims is None:
        return None
    return (*dims[:-1], merge_dim(dims[-1], 3, "a colour has 3 channels, the image has a different number"))


@rule("CropAndResize")
def crop_and_resize(call: Call) -> Result:
    """One patch for each box."""
    image, (boxes, four), (count,) = call.ranked(0, 4), call.ranked(1, 2), call.ranked(2, 1)
    merge_dim(four, 4, "a box has 4 coordinates, but the boxes have a different number of columns")
    boxes = merge_dim(boxes, count, "there must be one image index for each box")
    return (boxes, *_asked_size(call, 3), image[3])


@rule("NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5")
def non_max_suppression(call: Call) -> Result:
    """The chosen boxes; in later versions their scores and number too."""
    (boxes, four), (scores,) = call.ranked(0, 2), call.ranked(1, 1)
    merge_dim(boxes, scores, "there must be one score for each box")
    merge_dim(four, 4, "a box has 4 coordinates, but the boxes have a different number of columns")
    chosen: Dims = (-1,)
    if call.op.endswith(("V4", "V5")) and call.attr("pad_to_max_output_size", bool):
        most = call.scalar(2)
        if most is not None and most < 0:
            raise ShapeError(f"the number of boxes must not be negative, it is {most}")
        chosen = (-1 if most is None else most,)
    return [chosen, chosen, ()] if call.op.endswith("V5") else [chosen, ()] if call.op.endswith("V4") else chosen


@rule("DecodeJpeg DecodePng DecodeAndCropJpeg DecodeBmp")
def decode_image(call: Call) -> Result:
    """Height and width from the file, channels from the attribute unless that is 0."""
    call.ranked(0, 0)
    channels = call.attr("channels", int)
    return (-1, -1, channels if channels > 0 else -1)


@rule("DecodeGif")
def decode_gif(call: Call) -> Result:
    """Frames of three channels."""
    call.ranked(0, 0)
    return (-1, -1, -1, 3)


@rule("DecodeWav")
def decode_wav(call: Call) -> Result:
    """Samples and channels, and the sample rate."""
    call.ranked(0, 0)
    samples, channels = call.attr("desired_samples", int), call.attr("desired_channels", int)
    return [(max(samples, -1), max(channels, -1)), ()]


@rule("AudioSpectrogram")
def audio_spectrogram(call: Call) -> Result:
    """Channels, windows and frequencies."""
    samples, channels = call.ranked(0, 2)
    window, stride = call.attr("window_size", int), call.attr("stride", int)
    if window < 2 or stride < 1:
        raise UndecidableError("window_size")
    frequencies = 1 + (1 << (window - 1).bit_length()) // 2
    windows = -1 if samples < 0 else max(samples - window, -stride) // stride + 1
    return (channels, windows, frequencies)


@rule("Mfcc")
def mfcc(call: Call) -> Result:
    """Channels, windows and coefficients."""
    channels, windows, _ = call.ranked(0, 3)
    return (channels, windows, call.attr("dct_coefficient_count", int))


@rule("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_per_channel(call: Call) -> Result:
    """The input; the last axis has as many elements as the ranges."""
    dims = call.at_least(0, 1)
    last = merge_dim(call.ranked(1, 1)[0], call.ranked(2, 1)[0], "min and max have different lengths")
    if dims is not None:
        merge_dim(dims[-1], last, f"the last axis of {Shape(dims)} and the ranges differ")
    return dims


@rule("QuantizeV2")
def quantize(call: Call) -> Result:
    """The input, and its range: two scalars, or one number for each slice along an axis."""
    dims, axis = call.dims(0), call.attr("axis", int)
    if axis < -1:
        raise ShapeError(f"axis {axis} does not exist")
    if axis == -1:
        call.scalars(1, 2)
        return [dims, (), ()]
    if dims is not None and axis >= len(dims):
        raise ShapeError(f"axis {axis} does not exist in {Shape(dims)}")
    length = _range_length(call, dims, axis)
    return [dims, (length,), (length,)]


def _range_length(call: Call, dims: Dims | None, axis: int) -> int:
    """How many ranges there are, one for each slice along an axis."""
    length = -1 if dims is None else dims[axis]
    for index in (1, 2):
        length = merge_dim(length, call.ranked(index, 1)[0], f"{call.describe(index)} does not fit axis {axis}")
    return length


@rule("Dequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4")
def dequantize(call: Call) -> Result:
    """The input; its range is two scalars, or one number for each slice along an axis."""
    dims, axis = call.dims(0), call.attr("axis", int)
    if axis < -1 or (dims is not None and axis >= len(dims)):
        raise ShapeError(f"axis {axis} does not exist in {Shape(dims)}")
    if axis == -1:
        call.scalars(1, 2)
    else:
        _range_length(call, dims, axis)
    return dims


_SCALARS: list[Dims | None] = [(), ()]


@rule("QuantizedRelu QuantizedRelu6 QuantizedReluX Requantize QuantizeDownAndShrinkRange")
def quantized_unchanged(call: Call) -> Result:
    """The shape of the first input, and the range."""
    return [call.dims(0), *_SCALARS]


@rule("RequantizationRange")
def requantization_range(call: Call) -> Result:  # noqa: ARG001
    """The range."""
    return _SCALARS


@rule("QuantizedAdd QuantizedMul")
def quantized_elementwise(call: Call) -> Result:
    """Both inputs broadcast together, and the range."""
    return [broadcast(call.dims(0), call.dims(1)), *_SCALARS]


@rule("QuantizedBiasAdd")
def quantized_bias_add(call: Call) -> Result:
    """As BiasAddV1, and the range."""
    result = bias_add_v1(call)
    return [result if isinstance(result, tuple) else None, *_SCALARS]


@rule("QuantizedMatMul")
def quantized_mat_mul(call: Call) -> Result:
    """As MatMul, and the range."""
    a, b = call.ranked(0, 2), call.ranked(1, 2)
    rows, inner_a = reversed(a) if call.attr("transpose_a", bool) else a
    inner_b, columns = reversed(b) if call.attr("transpose_b", bool) else b
    merge_dim(inner_a, inner_b, f"the inner dimensions of {Shape(a)} and {Shape(b)} differ")
    return [(rows, columns), *_SCALARS]


@rule("QuantizedConv2D")
def quantized_convolution(call: Call) -> Result:
    """As Conv2D, and the range."""
    return [_convolved(call, call.ranked(0, 4), call.ranked(1, 4), "NHWC", call.ints("dilations")), *_SCALARS]


@rule("QuantizedMaxPool QuantizedAvgPool")
def quantized_pool(call: Call) -> Result:
    """As MaxPool, and the range."""
    windows, strides = _numbers(call, "ksize", 4), _numbers(call, "strides", 4)
    return [_pooled(call, call.ranked(0, 4), "NHWC", windows, strides), *_SCALARS]


@rule("QuantizedReshape")
def quantized_reshape(call: Call) -> Result:
    """The asked shape, and the range."""
    result = reshape(call)
    return [result if isinstance(result, tuple) else None, *_SCALARS]
