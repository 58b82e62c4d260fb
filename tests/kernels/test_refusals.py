"""What kernels refuse, and that nothing but KernelError ever comes out of them."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbslim.dtypes import DTYPES, FLOAT, INT32, STRING, Shape
from pbslim.kernels import KernelError, evaluate, has_kernel, kernel_names
from pbslim.kernels.checks import Array
from pbslim.kernels.limits import MAX_ELEMENTS, Limits, limited
from tests.kernels.cases import CASES
from tests.kernels.operands import Case, case, i4, i8, numbers, strings
from tests.repeating import TIMES

F4, I4 = np.float32, np.int32
QUINT8, QINT32 = DTYPES[12], DTYPES[13]
X = numbers(F4, 2, 3)
HUGE = 2**31 - 1
RANGE = (F4(-1), F4(1))
CODES, CODED = np.zeros(2, np.uint8), ["quint8", "float", "float"]
WIDE = ["qint32", "float", "float", "float", "float"]

PACKED = zlib.compress(b"text")
PIXELS, FILTERS = numbers(F4, 1, 3, 3, 2), numbers(F4, 2, 2, 2, 1)
BOXES = np.array([[0, 0, 1, 1]], F4)
ONE_BY_ONE: dict[str, Any] = {"strides": (1, 1, 1, 1), "padding": b"VALID"}
POOLED: dict[str, Any] = ONE_BY_ONE | {"ksize": (1, 2, 2, 1)}

REFUSALS = [
    (case("Betainc", X, X, X), "there is no kernel for op Betainc"),
    (case("Add", X, i4([1, 2, 3])), "Add: operands differ in dtype: float32 and int32"),
    (case("Add", X, numbers(F4, 4)), r"Add: shapes \[2, 3\] and \[4\] do not broadcast together"),
    (case("Add", X), "Add: it has 1 input, expected 2"),
    (case("Add", numbers(bool, 2), numbers(bool, 2)), "Add: operand 0 is of type bool"),
    (case("Mul", X, X, types=["float", "int32"]), "Mul: operand 1 is int32 but its array is float32"),
    (
        case("Sub", np.zeros(3, np.uint8), np.zeros(3, np.uint8), types=["quint8", "quint8"]),
        "operand 0 is of type quint8",
    ),
    (
        case("Mul", np.zeros([2**15, 1], F4), np.zeros([2**15], F4)),
        "would have 1073741824 elements, more than 268435456",
    ),
    (case("Identity", np.array(["text"])), "Identity: operand 0 is an array of <U4"),
    (
        case("Cos", np.zeros(2, np.longdouble), types=["float"]),
        "Cos: operand 0 is an array of",
    ),
    *(
        (case(op, i4([1]), i4([0])), f"{op}: division of integers by zero")
        for op in ("Div", "FloorDiv", "FloorMod", "Mod")
    ),
    (case("TruncateDiv", i8([1]), i8([0])), "division of integers by zero"),
    (case("Pow", i4([2]), i4([-1])), "an integer to a negative power"),
    (case("AddN", X, X[:1]), "operands differ in shape"),
    (case("AddN"), "it has no inputs"),
    (case("ClipByValue", X, X[0], F4(1)), r"bounds of shape \[3\] for \[2, 3\]"),
    (case("Cast", np.array([np.nan], F4), DstT=INT32), "out of the range of int32"),
    (case("Cast", np.array([2.0**31], F4), DstT=INT32), "out of the range of int32"),
    (case("Cast", np.array([-1], F4), DstT=DTYPES[4]), "out of the range of uint8"),
    (case("Cast", X, DstT=STRING), "strings are not numbers"),
    (case("Cast", X, DstT=DTYPES[20]), "values of type resource cannot be computed"),
    (case("Cast", X, DstT=DTYPES[29]), "there are no casts to 4 bits"),
    (case("Cast", X), "attribute 'DstT' is missing"),
    (case("Cast", X, DstT=3), "attribute 'DstT' is of the wrong kind"),
    (case("Cast", numbers(np.complex64, 2), DstT=FLOAT, Truncate=True), "complex numbers cannot be truncated"),
    (case("Bitcast", np.zeros(3, np.uint8), type=FLOAT), "the last dimension must have 4 elements"),
    (case("Bitcast", X, type=STRING), "no bits of object"),
    (case("Reshape", X, i4([4])), r"6 elements do not fit the shape \[4\]"),
    (case("Reshape", X, i4([-1, -1])), "is not a shape"),
    (case("Reshape", X, i4([-1, 0])), "do not fit"),
    (case("Reshape", X, i4([-2, -3])), "is not a shape"),
    (case("Reshape", X, I4(6)), "shape must be a vector"),
    (case("Squeeze", X, squeeze_dims=(0,)), "dimension 0 has 2 elements, not 1"),
    (case("Squeeze", X, squeeze_dims=(5,)), "axis 5 is out of range for 2 dimensions"),
    (case("ExpandDims", X, I4(-4)), "axis -4 is out of range for 3 dimensions"),
    (case("EnsureShape", X, shape=Shape((3, -1))), r"the shape is \[2, 3\], not \[3,\?\]"),
    (case("CheckNumerics", np.array([np.inf], F4)), "there are infinities or NaN"),
    (case("Transpose", X, i4([0, 0])), "is not a permutation of 2 dimensions"),
    (case("InvertPermutation", i4([0, 2])), "it is not a permutation"),
    (case("ConcatOffset", I4(0), i4([2, 3]), i4([2, 4])), "cannot be joined along axis 0"),
    (case("BroadcastArgs", i4([2]), i4([3])), "do not broadcast together"),
    (case("Slice", X, i4([0, 2]), i4([1, 2])), "2 to 4 is out of range for size 3"),
    (case("StridedSlice", X, i4([0]), i4([1]), i4([0])), "a stride is zero"),
    (case("StridedSlice", X, i4([2]), i4([3]), i4([1]), shrink_axis_mask=1), "index 2 is out of range"),
    (case("StridedSlice", X, i4([1]), i4([0]), i4([-1]), shrink_axis_mask=1), "a stride that is not positive"),
    (case("StridedSlice", X, i4([0] * 3), i4([1] * 3), i4([1] * 3)), "3 places for 2 dimensions"),
    (case("StridedSlice", X, i4([0, 0]), i4([1, 1]), i4([1, 1]), ellipsis_mask=3), "more than one ellipsis"),
    (case("ReverseV2", X, i4([0, -2])), "an axis is named twice"),
    (case("Pad", X, i4([[0, -1], [0, 0]])), "a padding is negative"),
    (case("Pad", X, i4([[0, HUGE], [0, HUGE]])), "the result would have"),
    (case("MirrorPad", X, i4([[2, 0], [0, 0]]), mode=b"REFLECT"), "too short to be mirrored that far"),
    (case("MirrorPad", X, i4([[0, 0], [0, 0]]), mode=b"EDGE"), "mode 'EDGE' is not known"),
    (case("Tile", X, i4([HUGE, HUGE])), "the result would have"),
    (case("Tile", X, i4([-1, 1])), "would have the shape"),
    (case("BroadcastTo", F4(1), i4([HUGE, HUGE])), "the result would have"),
    (case("Fill", i8([2**40]), F4(1)), "the result would have 1099511627776 elements, more than 268435456"),
    (case("Fill", i8([2**62, 2**62, 0]), F4(1)), "the result would have"),
    (case("Fill", i4([-1]), F4(1)), "would have the shape"),
    (case("Range", I4(0), I4(HUGE), I4(1)), "would have 2147483647 elements"),
    (case("Range", F4(0), F4(1), F4(0)), "delta is zero"),
    (case("Range", F4(0), F4(np.inf), F4(1)), "the range is not finite"),
    (case("Range", I4(0), I4(5), I4(-1)), "delta leads away from the limit"),
    (case("LinSpace", F4(0), F4(1), I4(0)), "0 is not a number of points"),
    (case("LinSpace", F4(0), F4(1), I4(HUGE)), "the result would have"),
    (case("OneHot", i4([1]), I4(HUGE), F4(1), F4(0)), "the result would have"),
    (case("OneHot", i4([1]), I4(-1), F4(1), F4(0)), "depth is negative"),
    (case("Diag", np.zeros(2**15, F4)), "the result would have"),
    (case("MatrixDiag", np.zeros(2**15, F4)), "the result would have"),
    (case("ConcatV2", X, X.T, I4(0)), "cannot be joined along axis 0"),
    (case("Concat", I4(2), X, X), "axis 2 is out of range for 2 dimensions"),
    (case("Pack", X, X.T), "operands differ in shape"),
    (case("Split", I4(1), X, num_split=2), "3 elements cannot be split into 2 equal parts"),
    (case("Split", I4(1), X[:, :0], num_split=2**40), "is not a number of outputs"),
    (case("SplitV", X, i4([1, 1]), I4(1), num_split=2), "3 elements do not split into"),
    (case("Unpack", X, num=3), "2 elements are not 3 outputs"),
    (case("Gather", X, i4([2])), "index 2 is out of range for size 2"),
    (case("Gather", X, i4([-1])), "index -1 is out of range for size 2"),
    (case("GatherV2", X, i4([0]), I4(2)), "axis 2 is out of range"),
    (case("GatherNd", X, i4([[0, 3]])), "index 3 is out of range for size 3"),
    (case("DynamicPartition", X, i4([0, 3]), num_partitions=2), "partition 3 is out of range for size 2"),
    (case("DynamicPartition", X, i4([0, 1]), num_partitions=2**40), "is not a number of partitions"),
    (case("DynamicStitch", i4([0, 2]), X), "some rows are never written"),
    (case("DynamicStitch", i4([HUGE - 1, 0]), X), "some rows are never written"),
    (case("ScatterNd", i4([[9]]), np.array([1.0], F4), i4([3])), "index 9 is out of range for size 3"),
    (case("ScatterNd", i8([[0]]), np.array([1.0], F4), i8([2**50])), "the result would have"),
    (case("ScatterNd", i4([[0]]), strings([b"x"]), i4([3])), "strings cannot be added up"),
    (case("SparseToDense", i4([3, 1]), i4([5]), np.array([1, 2], F4), F4(0)), "indices are not sorted"),
    (case("Bincount", i4([1]), I4(HUGE), np.array([], F4)), "the result would have"),
    (case("Sum", X, i4([0, -2])), "an axis is named twice"),
    (case("Max", X, i4([2])), "axis 2 is out of range"),
    (case("ArgMax", X[:0], I4(0)), "dimension 0 is empty"),
    (case("ArgMax", np.array([np.nan], F4), I4(0)), "the order of NaN is not defined"),
    (case("TopKV2", X, I4(4)), "k is 4, the last dimension has 3 elements"),
    (case("TopKV2", X, I4(2), sorted=False), "the order of an unsorted result is not defined"),
    (case("Unique", np.array([np.nan], F4)), "NaN equals nothing"),
    (case("Where", F4(1)), "it needs at least 1 dimension"),
    (case("MatMul", X, X), "have no product"),
    (case("MatMul", np.zeros([2**15, 0], F4), np.zeros([0, 2**15], F4)), "the result would have"),
    (case("Einsum", X, equation=b"ii->i"), "term 'ii' does not fit"),
    (case("Einsum", X, equation=b"...a->a"), "is not a simple one"),
    (case("Einsum", X, X, equation=b"ab,bc->ac"), "dimension 'b' has two sizes"),
    (case("BiasAdd", X, X[0], data_format=b"NCHW"), "data_format NCHW needs at least 3 dimensions"),
    (case("BiasAdd", X, numbers(F4, 4)), "4 biases for 3 channels"),
    (case("FusedBatchNorm", numbers(F4, 1, 1, 1, 3), *[X[0]] * 4), "in training there must be no statistics before"),
    (case("FusedBatchNorm", numbers(F4, 1, 1, 1, 2), *[X[0]] * 4, is_training=False), "must be vectors of 2 elements"),
    (case("DepthToSpace", numbers(F4, 1, 1, 1, 3), block_size=2), "3 channels are not blocks of 2 x 2"),
    (case("DepthToSpace", numbers(F4, 1, 1, 1, 4), block_size=2, data_format=b"NCHW_VECT_C"), "is not supported"),
    (case("SpaceToBatchND", numbers(F4, 1, 3), i4([2]), i4([[0, 0]])), "is not made of blocks of 2"),
    (case("SpaceToBatchND", numbers(F4, 1, 3), i4([2]), i4([[HUGE, HUGE]])), "the result would have"),
    (case("SpaceToBatchND", numbers(F4, 1, 3), i4([0]), i4([[0, 0]])), "are not block sizes"),
    (case("BatchToSpaceND", numbers(F4, 2, 3), i4([2]), i4([[4, 4]])), "the crops are larger"),
    (case("Conv2D", X, FILTERS, **ONE_BY_ONE), "it needs 4 dimensions"),
    (case("Conv2D", PIXELS, FILTERS, strides=(1, 1), padding=b"SAME"), "strides must have 4 elements"),
    (case("Conv2D", PIXELS, FILTERS, strides=(1, 1, 1, 2), padding=b"SAME"), "strides go along height and width only"),
    (case("Conv2D", PIXELS, FILTERS, strides=(1, 0, 1, 1), padding=b"SAME"), "strides must be positive"),
    (case("Conv2D", PIXELS, FILTERS, strides=(1, 1, 1, 1), padding=b"FULL"), "padding 'FULL' is not known"),
    (
        case("Conv2D", PIXELS, FILTERS, strides=(1, 1, 1, 1), padding=b"EXPLICIT", explicit_paddings=(1, 1)),
        "explicit_paddings must be 8 numbers",
    ),
    (
        case("Conv2D", PIXELS, FILTERS, strides=(1, 1, 1, 1), padding=b"EXPLICIT", explicit_paddings=(0,) * 7 + (1,)),
        "explicit_paddings go along height and width only",
    ),
    (case("Conv2D", PIXELS[:, :1], FILTERS, dilations=(1, 3, 1, 1), **ONE_BY_ONE), "a window of 4 does not fit into 1"),
    (case("Conv2D", PIXELS, FILTERS, dilations=(1, HUGE, 1, 1), strides=(1, 1, 1, 1), padding=b"SAME"), "a padded"),
    (case("Conv2D", PIXELS, numbers(F4, 2, 2, 3, 1), **ONE_BY_ONE), "filters for 3 channels do not fit 2 channels"),
    (case("Conv2D", PIXELS, numbers(F4, 2, 2, 1, 3), **ONE_BY_ONE), "3 filters cannot be shared by 2 groups"),
    (case("DepthwiseConv2dNative", PIXELS, FILTERS[:, :, :1], **ONE_BY_ONE), "filters for 1 channels do not fit 2"),
    (
        case("DepthwiseConv2dNative", PIXELS, FILTERS, dilations=(1, 2, 2, 1), **ONE_BY_ONE),
        "differ in what its dilations do",
    ),
    (
        case("DepthwiseConv2dNative", PIXELS, FILTERS, strides=(1, 1, 2, 1), padding=b"SAME"),
        "strides down and across differ",
    ),
    (case("MaxPool", PIXELS, ksize=(1, 1, 1, 2), **ONE_BY_ONE), "ksize go along height and width only"),
    (case("MaxPool", PIXELS * F4(np.nan), ksize=(1, 1, 2, 1), **ONE_BY_ONE), "the order of NaN is not defined"),
    (
        case("MaxPool", PIXELS, ksize=(1, HUGE, HUGE, 1), strides=(1, 1, 1, 1), padding=b"SAME"),
        "the windows together would have",
    ),
    (case("AvgPool", PIXELS, ksize=(1, 4, 1, 1), **ONE_BY_ONE), "a window of 4 does not fit into 3"),
    (case("AvgPool", PIXELS, ksize=(1, 2, 1, 1), strides=(1, 1, 1, 1), padding=b"EXPLICIT"), "no explicit padding"),
    (case("ExtractImagePatches", PIXELS, ksizes=(1, 0, 1, 1), rates=(1, 1, 1, 1), **ONE_BY_ONE), "must be positive"),
    (case("LRN", PIXELS, depth_radius=-1), "depth_radius is negative"),
    (case("LRN", X), "it needs 4 dimensions"),
    (case("ResizeBilinear", PIXELS, i4([0, 1])), "an image of no height or width"),
    (case("ResizeBilinear", PIXELS, i4([HUGE, HUGE])), "the result would have"),
    (case("ResizeBilinear", PIXELS, i4([1, 2**26])), "an image between the two steps would have"),
    (
        case("ResizeNearestNeighbor", PIXELS, i4([2, 2]), align_corners=True, half_pixel_centers=True),
        "do not go together",
    ),
    (case("ResizeNearestNeighbor", PIXELS, i4([2])), "size must have 2 elements"),
    (case("ResizeBicubic", PIXELS, i4([1, 2**26])), "an image between the two steps would have"),
    (case("ResizeArea", PIXELS, i4([2**15, 2**15])), "the result would have"),
    (case("ResizeArea", PIXELS[:, :1], i4([2, 2]), align_corners=True), "cannot be aligned"),
    (case("AvgPool", PIXELS, ksize=(1, 4, 1, 1), strides=(1, 2, 2, 1), padding=b"VALID"), "does not fit into 3"),
    (case("Conv2D", PIXELS, FILTERS[:0], **ONE_BY_ONE), "a window is empty"),
    (case("CropAndResize", PIXELS, BOXES, i4([1]), i4([2, 2])), "image 1 is out of range for size 1"),
    (case("CropAndResize", PIXELS, BOXES, i4([0]), i4([2, 0])), "crop_size must be 2 positive numbers"),
    (case("CropAndResize", PIXELS, BOXES, i4([0]), i4([HUGE, HUGE])), "the result would have"),
    (case("CropAndResize", PIXELS, np.full_like(BOXES, np.inf), i4([0]), i4([2, 2])), "a box is not finite"),
    (case("CropAndResize", PIXELS, BOXES[0], i4([0]), i4([2, 2])), "boxes must be rows of 4"),
    (case("CropAndResize", PIXELS, BOXES, i4([0]), i4([2, 2]), method=b"cubic"), "method 'cubic' is not known"),
    (case("DataFormatDimMap", i4([4])), "is out of range for size 8"),
    (case("DataFormatDimMap", i4([1]), src_format=b"NHWC", dst_format=b"NHW"), "are not two orders of the same"),
    (case("DataFormatVecPermute", i4([1, 2, 3])), "3 elements for 4 dimensions"),
    (case("SegmentSum", X, i4([1, 0])), "segment_ids are not sorted"),
    (case("SegmentSum", X, i4([-1, 0])), "segment -1 is out of range"),
    (case("SegmentSum", X, i4([0, HUGE - 1])), "the result would have"),
    (case("SegmentMean", X, i4([0])), "segment_ids must be a vector of 2 elements"),
    (case("SegmentMax", np.array([np.nan], F4), i4([0])), "the order of NaN is not defined"),
    (case("UnsortedSegmentSum", X, i4([0, 2]), I4(2)), "segment 2 is out of range for size 2"),
    (case("UnsortedSegmentSum", X, i4([0, 1]), I4(HUGE)), "the result would have"),
    (case("UnsortedSegmentMin", X, i4([0, 1]), I4(-1)), "num_segments is negative"),
    (case("UnsortedSegmentMin", X, i4([[0], [1]]), I4(2)), "differ in their first dimensions"),
    (case("SparseSegmentSum", X, i4([2]), i4([0])), "index 2 is out of range for size 2"),
    (case("SparseSegmentMean", X, i4([1, 0]), i4([0])), "segment_ids must be a vector of 2 elements"),
    (case("SparseSegmentSqrtN", X, i4([1]), i4([0]), sparse_gradient=True), "sparse_gradient goes with gradients"),
    (case("SparseSegmentSumWithNumSegments", X, i4([1]), i4([2]), I4(2)), "num_segments is 2, there are 3 segments"),
    (case("LowerBound", X[:, ::-1], X), "rows are not sorted"),
    (case("LowerBound", X[:, :0], X[:1]), "operands must be two lists of rows"),
    (case("UpperBound", X[:, :0], X * F4(np.nan)), "the order of NaN is not defined"),
    (case("Bucketize", X, boundaries=(2.0, 1.0)), "boundaries are not sorted"),
    (case("Bucketize", X, boundaries=(b"a",)), "attribute 'boundaries' is of the wrong kind"),
    (case("InTopK", X, i4([1]), k=1), "a target is needed for each row"),
    (case("NthElement", X, I4(3)), "n is 3, the last dimension has 3 elements"),
    (case("NthElement", X * F4(np.nan), I4(0)), "the order of NaN is not defined"),
    (case("HistogramFixedWidth", X, np.array([1, 1], F4), I4(3)), "value_range is not a range"),
    (case("HistogramFixedWidth", X, np.array([0, 1], F4), I4(HUGE)), "the result would have"),
    (case("HistogramFixedWidth", X * F4(np.nan), np.array([0, 1], F4), I4(3)), "NaN is in no bin"),
    (case("HistogramFixedWidth", i4([HUGE]), i4([-HUGE, 0]), I4(3)), "the values are too far apart"),
    (case("UniqueV2", X, i4([])), "it needs a vector or an axis"),
    (case("UniqueV2", X[:, :0], i4([0])), "slices without elements"),
    (case("UniqueV2", X * F4(np.nan), i4([0])), "NaN equals nothing"),
    (case("ReverseSequence", X, i4([4, 0]), seq_dim=1), "length 4 is out of range for size 4"),
    (case("ReverseSequence", X, i4([1, 0]), seq_dim=0), "seq_dim and batch_dim are the same"),
    (case("Cross", X.T, X.T), "the last dimension must have 3 elements"),
    (case("SparseReshape", i8([[0, 0]]), i8([2, 3]), i8([4])), "6 elements do not fit"),
    (case("SparseReshape", i8([[0, 3]]), i8([2, 3]), i8([6])), "index 3 is out of range for size 3"),
    (case("SparseReshape", i8([[0, 0]]), i8([2**40, 2**40]), i8([-1])), "no elements or too many"),
    (case("MatrixDiagPartV2", X, i4([1, 0]), F4(0)), "diagonals from 1 to 0"),
    (case("MatrixDiagPartV2", X, i4([0, 0, 0]), F4(0)), "k must be one number or two"),
    (case("MatrixDiagPartV3", X, I4(3), F4(0)), "a matrix of 2 x 3 has no diagonal 3"),
    (case("MatrixDiagPartV3", X, I4(0), F4(0), align=b"CENTER"), "align 'CENTER' is not known"),
    (case("MatrixDiagV2", X, I4(0), I4(2), I4(9), F4(0)), "do not fit a matrix of 2 x 9"),
    (case("MatrixDiagV2", X, I4(0), I4(HUGE), I4(-1), F4(0)), "the result would have"),
    (case("MatrixDiagV2", X, I4(HUGE), I4(-1), I4(-1), F4(0)), "the result would have"),
    (case("MatrixDiagV3", X[0], i4([0, 1]), I4(-1), I4(-1), F4(0)), "it needs more dimensions"),
    (case("MatrixSetDiagV2", X, X, I4(0)), r"the diagonals must have the shape \[2\]"),
    (case("MatrixDeterminant", X), "it needs square matrices"),
    (case("MatrixDeterminant", X[:0, :0]), "matrices of 0 rows are too small"),
    (case("MatrixInverse", np.array([[1, 2], [2, 4.000001]], F4)), "a matrix is close to singular"),
    (case("MatrixInverse", np.array([[1, 2], [2, np.nan]], F4)), "there are infinities or NaN"),
    (case("Cholesky", np.array([[1, 2], [2, 1]], F4)), "not positive definite"),
    (case("MatrixSolve", np.eye(2, dtype=F4), X.T), "the right side does not fit"),
    (case("MatrixSolve", np.eye(2, dtype=F4)[None], X), "operands differ in their batch dimensions"),
    (case("MatrixTriangularSolve", np.array([[1, 5], [2, 0]], F4), X), "a matrix is close to singular"),
    (case("FFT2D", np.zeros(3, np.complex64)), "it needs at least 2 dimensions"),
    (case("FFT", np.zeros(0, np.complex64)), "nothing is to be transformed"),
    (case("RFFT", X, i4([4])), r"the last dimensions must have at least \[4\] elements"),
    (case("RFFT", X, i4([0])), "fft_length must be 1 positive numbers"),
    (case("IRFFT2D", np.zeros([2, 2], np.complex64), i4([2, 4])), r"must have at least \[2, 3\] elements"),
    (
        case("Dequantize", np.zeros(2, np.uint8), *RANGE, types=["uint8", "float", "float"]),
        "operand 0 is of type uint8",
    ),
    (case("Dequantize", CODES, *RANGE, types=CODED, mode=b"OTHER"), "mode 'OTHER' is not known"),
    (case("Dequantize", CODES, *RANGE, types=CODED, axis=3), "axis"),
    (case("QuantizeV2", X, F4(1), F4(-1), T=QUINT8), "the range is upside down"),
    (case("QuantizeV2", X, *RANGE, T=FLOAT), "it gives no float"),
    (case("QuantizeV2", np.array([np.nan], F4), *RANGE, T=QUINT8), "NaN has no code"),
    (case("QuantizeV2", X, *RANGE, T=QUINT8, round_mode=b"HALF_TO_EVEN"), "goes with mode SCALED only"),
    (case("FakeQuantWithMinMaxArgs", X, min=1.0, max=1.0), "the range is empty"),
    (case("FakeQuantWithMinMaxVars", X, *RANGE, num_bits=40), "40 bits are out of range"),
    (
        case("Requantize", i4([HUGE]), F4(-9), F4(9e3), *RANGE, types=WIDE, out_type=QUINT8),
        "the ranges are too far apart",
    ),
    (case("Requantize", i4([1]), *RANGE, F4(1), F4(2), types=WIDE, out_type=QUINT8), "the new range must hold zero"),
    (case("Requantize", i4([1]), *RANGE, F4(-1), F4(-2), types=WIDE, out_type=QUINT8), "the new range is upside down"),
    (case("QuantizeDownAndShrinkRange", i4([1]), *RANGE, types=WIDE[:3], out_type=QINT32), "it gives quint8 only"),
    (case("QuantizedRelu", CODES, F4(1), F4(-1), types=CODED), "not finite or upside down"),
    (case("QuantizedRelu6", CODES, F4(np.nan), F4(1), types=CODED), "not finite or upside down"),
    (case("QuantizedConcat", I4(0), CODES, CODES, *RANGE), "there are not as many ranges as parts"),
    (case("QuantizedConcat", I4(0), CODES.astype(np.int8), *RANGE), "it joins quint8 only"),
    (case("QuantizedConcat", I4(0), CODES, F4(-1), F4(np.inf)), "a range is not finite"),
    (case("QuantizedMaxPool", CODES, *RANGE, types=CODED, ksize=(1, 1, 1, 1), **ONE_BY_ONE), "it needs 4 dimensions"),
    (case("ReluGrad", X, X.T), "operands differ in shape"),
    (case("ReluGrad", X * F4(np.nan), X), "there are infinities or NaN among the gradients"),
    (case("BiasAddGrad", X[0]), "it needs at least 2 dimensions"),
    (case("MaxPoolGrad", PIXELS, PIXELS, PIXELS[:, 1:], **POOLED), "orig_output and grad differ in shape"),
    (case("MaxPoolGrad", PIXELS, PIXELS, PIXELS, **POOLED), "the gradients have the shape"),
    (case("MaxPoolGrad", PIXELS[0], PIXELS[0], PIXELS[0], **POOLED), "it needs 4 dimensions"),
    (case("MaxPoolGrad", PIXELS * F4(np.nan), *[PIXELS[:, 1:, 1:]] * 2, **POOLED), "the order of NaN is not defined"),
    (case("AvgPoolGrad", i4([1, 3, 3, 2]), PIXELS, **POOLED), "the gradients have the shape"),
    (case("AvgPoolGrad", i4([1, 3, 3]), PIXELS, **POOLED), "orig_input_shape must have 4 elements"),
    (case("AvgPoolGrad", i4([1, -3, 3, 2]), PIXELS, **POOLED), "the result would have the shape"),
    (case("AvgPoolGrad", i4([1, 4, 4, 2]), PIXELS, **POOLED | {"padding": b"EXPLICIT"}), "it has no explicit padding"),
    (
        case(
            "AvgPoolGrad",
            i4([1, 1, 4, 1]),
            X[:, :2].reshape(1, 1, 4, 1),
            ksize=(1, 1, 5, 1),
            strides=(1, 1, 1, 1),
            padding=b"SAME",
        ),
        "of windows that are longer than the image TensorFlow divides some by too much",
    ),
    (case("ResizeBilinearGrad", PIXELS, PIXELS[0]), "the gradients and the image must have 4 dimensions"),
    (case("ResizeBilinearGrad", PIXELS, PIXELS[..., :1]), "the gradients and the image differ in batch or channels"),
    (case("ResizeBilinearGrad", PIXELS, PIXELS[:, :0]), "an image of no height or width"),
    (case("ResizeNearestNeighborGrad", PIXELS[0], i4([2, 2])), "the gradients must have 4 dimensions"),
    (case("ResizeNearestNeighborGrad", PIXELS, i4([2])), "images must have 4 dimensions"),
    (case("ResizeNearestNeighborGrad", PIXELS, i4([2, 0])), "an image of no height or width"),
    (
        case("ResizeNearestNeighborGrad", PIXELS, i4([2, 2]), align_corners=True, half_pixel_centers=True),
        "align_corners and half_pixel_centers do not go together",
    ),
    (
        case("StridedSliceGrad", i4([2, 3]), i4([0]), i4([1]), i4([1]), X),
        r"dy has the shape \[2, 3\], expected \[1, 3\]",
    ),
    (case("StridedSliceGrad", i4([2, -3]), i4([0]), i4([1]), i4([1]), X), "the result would have the shape"),
    (case("StridedSliceGrad", i4([2, 3]), i8([0]), i4([1]), i4([1]), X), "operands differ in dtype: int32 and int64"),
    (case("MirrorPadGrad", X, i4([[1, 0], [0, 0]]), mode=b"REFLECT"), "too short to be mirrored that far"),
    (case("MirrorPadGrad", X, i4([[2, 3], [0, 0]]), mode=b"SYMMETRIC"), "too short to be mirrored that far"),
    (case("MirrorPadGrad", X, i4([[-1, 0], [0, 0]]), mode=b"REFLECT"), "a padding is negative"),
    (case("MirrorPadGrad", X, i4([[0, 0]]), mode=b"REFLECT"), r"paddings must have the shape \[2, 2\]"),
    (case("MirrorPadGrad", X, i4([[0, 0], [0, 0]]), mode=b"EDGE"), "mode 'EDGE' is not known"),
    (case("RGBToHSV", X[:, :2]), "the last dimension must have 3 elements"),
    (case("StringJoin", strings([b"a"]), strings([b"a", b"b"])), "operands differ in shape"),
    (case("ReduceJoin", strings([[b"a"]]), i4([0, 0])), "an axis is named twice"),
    (case("ReduceJoin", np.empty([2**20, 0], object), i4([1])), "the result would have 1048576 empty strings"),
    (case("StringLength", strings([b"a"]), unit=b"WORD"), "unit 'WORD' is not known"),
    (case("StringLength", strings([b"\xff"]), unit=b"UTF8_CHAR"), "can't decode byte 0xff"),
    (case("StringUpper", strings([b"\xc3\xa9"]), encoding=b"utf-8"), "there are other letters than ASCII"),
    (case("Substr", strings([b"abc"]), i4(4), i4(1)), "position 4 is out of range for 3 characters"),
    (case("Substr", strings([b"abc"]), i4(-4), i4(1)), "position -4 is out of range for 3 characters"),
    (case("Substr", strings([b"abc"]), i4(0), i4(-1)), "len is negative"),
    (case("StringToHashBucketFast", strings([b"a"]), num_buckets=0), "0 is not a number of buckets"),
    (case("StringToNumber", strings([b"0x10"])), "b'0x10' is not a plain number of float32"),
    (case("StringToNumber", strings([b"nan"])), "is not a plain number of float32"),
    (case("StringToNumber", strings([b"1.5"]), out_type=INT32), "is not a plain number of int32"),
    (case("StringToNumber", strings([b"3000000000"]), out_type=INT32), "int32"),
    (case("StringToNumber", strings([b"16777217"])), "a number lies halfway between two of float"),
    (case("StringToNumber", strings([b"1e-39"])), "a number is too small"),
    (case("StringToNumber", strings([b"1e39"])), "a number is too large"),
    (case("StringToNumber", strings([b"1e999"]), out_type=DTYPES[2]), "a number is too large"),
    (case("DecodeRaw", strings([b"abc"]), out_type=INT32), "3 bytes are not made of numbers of 4 bytes"),
    (case("DecodeRaw", strings([b"ab", b"c"]), out_type=DTYPES[4]), "the strings differ in length"),
    (case("DecodeRaw", strings([]), out_type=INT32), "without strings there is no length"),
    (case("DecodeRaw", strings([b"a"]), out_type=DTYPES[10]), "no bytes of bool"),
    (case("DecodeCompressed", strings([b"junk"]), compression_type=b"ZLIB"), "incorrect header check"),
    (case("DecodeCompressed", strings([PACKED[:-1]]), compression_type=b"ZLIB"), "do not end where they should"),
    (case("DecodeCompressed", strings([PACKED + b"x"]), compression_type=b"ZLIB"), "do not end where they should"),
    (case("DecodeCompressed", strings([PACKED]), compression_type=b"LZ4"), "compression_type 'LZ4' is not known"),
    (case("DecodeBase64", strings([b"a+b/"])), "Base64"),
    (case("DecodeBase64", strings([b"YQ="])), "the padding is not right"),
    (case("DecodeBase64", strings([b"YR"])), "it is not how Base64 writes any string"),
    (case("AsString", i4([1]), precision=2), "integers have no precision"),
    (case("AsString", np.array([1], F4), precision=10**9), "is not a precision"),
    (case("AsString", np.array([np.inf], F4)), "there are infinities or NaN"),
]


@pytest.mark.parametrize(("refused", "reason"), REFUSALS, ids=[f"{k}-{c}" for k, (c, _) in enumerate(REFUSALS)])
def test_refuses_with_a_reason(refused: Case, reason: str) -> None:
    with pytest.raises(KernelError, match=reason) as error:
        evaluate(refused.op, refused.attrs, refused.operands, refused.types or None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool"])
@pytest.mark.parametrize("padding", [b"SAME", b"VALID"])
def test_channels_may_come_first(op: str, padding: bytes) -> None:
    """TensorFlow's CPU kernels take NHWC only, so they cannot tell."""
    x, filters = numbers(F4, 2, 6, 5, 2), numbers(F4, 3, 2, 2, 3)
    inputs = [filters] if "Conv" in op else []
    last: dict[str, Any] = {"strides": (1, 2, 2, 1), "ksize": (1, 3, 2, 1), "padding": padding}
    first = {**last, "strides": (1, 1, 2, 2), "ksize": (1, 1, 3, 2), "data_format": b"NCHW"}
    expected = evaluate(op, last, [x, *inputs])[0]
    assert np.array_equal(evaluate(op, first, [x.transpose(0, 3, 1, 2), *inputs])[0], expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("op", ["MaxPoolGrad", "AvgPoolGrad"])
def test_channels_of_gradients_may_come_first(op: str) -> None:
    def inputs(x: Array, gradient: Array) -> list[Array]:
        return [x, gradient, gradient] if op == "MaxPoolGrad" else [i4(x.shape), gradient]

    x, gradient = numbers(F4, 2, 6, 5, 2), numbers(F4, 2, 3, 3, 2)
    last: dict[str, Any] = {"strides": (1, 2, 2, 1), "ksize": (1, 3, 2, 1), "padding": b"SAME"}
    first = {**last, "strides": (1, 1, 2, 2), "ksize": (1, 1, 3, 2), "data_format": b"NCHW"}
    expected = evaluate(op, last, inputs(x, gradient))[0]
    found = evaluate(op, first, inputs(x.transpose(0, 3, 1, 2), gradient.transpose(0, 3, 1, 2)))[0]
    assert np.array_equal(found, expected.transpose(0, 3, 1, 2))


def test_no_more_is_unpacked_than_fits() -> None:
    attrs = {"compression_type": b"ZLIB"}
    with limited(Limits(text=8)):
        assert evaluate("DecodeCompressed", attrs, [strings([PACKED] * 2)])[0].tolist() == [b"text"] * 2
        with pytest.raises(KernelError, match="the result would have more than 8 bytes"):
            evaluate("DecodeCompressed", attrs, [strings([PACKED] * 3)])


def test_top_k_takes_its_k_from_an_attribute() -> None:
    values, indices = evaluate("TopK", {"k": 2}, [np.array([[1, 5, 5, 2]], F4)])
    assert values.tolist() == [[5, 5]]
    assert indices.tolist() == [[1, 2]]
    assert indices.dtype == np.int32


def test_round_leaves_integers_alone() -> None:
    assert evaluate("Round", {}, [i4([-7, 2**31 - 1])])[0].tolist() == [-7, 2**31 - 1]


def test_knows_what_it_has() -> None:
    assert has_kernel("Add")
    assert not has_kernel("Betainc")


def test_types_are_those_of_the_inputs() -> None:
    with pytest.raises(KernelError, match="inputs and their types differ in number"):
        evaluate("Neg", {}, [X], [])
    with pytest.raises(KernelError, match="operand 0 is of type resource"):
        evaluate("Identity", {}, [X], [DTYPES[20]])
    assert evaluate("Neg", {}, [X], [DTYPES[101]])[0].tolist() == (-X).tolist()  # a reference


@pytest.mark.parametrize("k", range(0, len(CASES), 3))
def test_operands_are_never_written(k: int) -> None:
    row = CASES[k]
    operands = [a.copy() for a in row.operands]
    for a in operands:
        a.flags.writeable = False
    evaluate(row.op, row.attrs, operands, row.types)
    for before, after in zip(row.operands, operands, strict=True):
        assert before.tobytes() == after.tobytes()


DTYPE_NAMES = ["float", "double", "half", "bfloat16", "int32", "int64", "uint8", "int8", "uint64", "bool", "complex64"]
NUMBERS: list[Any] = [0, 1, 2, 3, -1, 5, 255, -128, 2**31 - 1, 2**62, 0.5, -2.5, 1e30, float("nan"), float("inf")]
BY_NAME = {t.name: t for t in DTYPES.values()}
BY_OP: dict[str, list[Case]] = {}
for _case in CASES:
    BY_OP.setdefault(_case.op, []).append(_case)


@st.composite
def operands(draw: st.DrawFn) -> Array:
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    size = int(np.prod(shape))
    if draw(st.integers(0, 9)) == 0:
        return strings([b"a"] * size).reshape(shape)
    values = draw(st.lists(st.sampled_from(NUMBERS), min_size=size, max_size=size))
    dtype = BY_NAME[draw(st.sampled_from(DTYPE_NAMES))].numpy
    with np.errstate(all="ignore"):
        return np.array(values, np.float64).astype(dtype).reshape(shape)


ATTRS: list[Any] = [
    *(-1, 0, 1, 3, 2**40, -(2**40), 0.5, True, False, b"", b"NCHW", b"SCALED", b"ab,bc->ac", (0,), (-1, 5), (), X),
    *(DTYPES[n] for n in (1, 3, 7, 10, 12, 14, 20, 101)),
    *(Shape(), Shape((2, -1))),
]


@st.composite
def garbage(draw: st.DrawFn, op: str) -> tuple[dict[str, object], list[Array]]:
    """A good node of `op` with some of its operands and attributes replaced."""
    good = draw(st.sampled_from(BY_OP.get(op, [case(op, X, k=1)])))
    inputs = [draw(operands()) if draw(st.booleans()) else a for a in good.operands]
    if draw(st.integers(0, 9)) == 0:
        inputs = inputs[:-1] if draw(st.booleans()) else [*inputs, draw(operands())]
    attrs = dict(good.attrs)
    for name in good.attrs:
        if draw(st.integers(0, 3)) == 0:
            attrs[name] = draw(st.sampled_from(ATTRS))
    return attrs, inputs


@pytest.mark.slow
@pytest.mark.parametrize("op", kernel_names())
def test_garbage_is_refused_or_computed(op: str) -> None:
    @settings(max_examples=15 * TIMES, deadline=None, database=None, derandomize=True)
    @given(garbage(op))
    def check(node: tuple[dict[str, object], list[Array]]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                results = evaluate(op, *node)
            except KernelError:
                return
        assert all(isinstance(a, np.ndarray) and a.size <= MAX_ELEMENTS for a in results)

    check()
