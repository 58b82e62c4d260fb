"""Shapes of ops of images and sound: decoding, resizing, boxes, spectrograms."""

from __future__ import annotations

from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    merge_dim,
    rule,
)


def asked_size(call: Call, index: int) -> tuple[int, int]:
    """Height and width from an input."""
    (two,) = call.ranked(index, 1)
    merge_dim(two, 2, "a size is height and width, but the numbers given are")
    size = call.known_vector(index)
    if size is None or len(size) != 2:
        return (-1, -1)
    if min(size) < -1:
        raise ShapeError(f"cannot resize to {size}")
    return (size[0], size[1])


@rule("ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea ResizeNearestNeighborGrad")
def resize(call: Call) -> Result:
    """The image with another height and width."""
    image = call.ranked(0, 4)
    return (image[0], *asked_size(call, 1), image[3])


@rule("ResizeBilinearGrad")
def resize_gradient(call: Call) -> Result:
    """The shape of the image before it was resized."""
    return call.dims(1)


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
    return (boxes, *asked_size(call, 3), image[3])


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
