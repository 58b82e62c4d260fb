"""Each kernel gives what TensorFlow's CPU kernel gives: dtype, shape and values."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from pbslim.dtypes import STRING, DType, Shape
from pbslim.kernels import evaluate, kernel_names
from pbslim.kernels.checks import Array
from tests.kernels.cases import ACTIVATIONS, CASES, INEXACT, REAL_ONLY
from tests.kernels.operands import Case

pytestmark = pytest.mark.tensorflow

ONEDNN = os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"
tf = pytest.importorskip("tensorflow")

# TensorFlow computes functions and orders sums in ways of its own; all other results are equal to the bit
FUNCTIONS = {*INEXACT, *REAL_ONLY, *ACTIVATIONS} - {"Ceil", "Floor", "Rint", "Relu", "Relu6", "LeakyRelu"}
FUNCTIONS |= {"Angle", "Atan2", "ComplexAbs", "NonMaxSuppressionV5", "Pow", "Softmax", "Xlog1py", "Xlogy"}
SUMS = {
    "AccumulateNV2",
    "BatchMatMul",
    "BatchMatMulV2",
    "BatchMatMulV3",
    "Cumprod",
    "CumulativeLogsumexp",
    "Einsum",
    "EuclideanNorm",
    "L2Loss",
}
SUMS |= {"LogSoftmax", "MatMul", "Mean", "Prod", "Sum"}
SUMS |= {"AvgPool", "AvgPool3D", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "LRN", "ResizeBilinear"}
SUMS |= {"SegmentMean", "SegmentProd", "SegmentSum", "UnsortedSegmentProd"}
SUMS |= {f"SparseSegment{op}{n}" for op in ("Sum", "Mean", "SqrtN") for n in ("", "WithNumSegments")}
SUMS |= {"CropAndResize", "ResizeArea", "ResizeBicubic", "LogMatrixDeterminant"}
SUMS |= {"Cholesky", "MatrixDeterminant", "MatrixInverse", "MatrixSolve", "MatrixTriangularSolve"}
SUMS |= {f"{op}{rank}" for op in ("FFT", "IFFT", "RFFT", "IRFFT") for rank in ("", "2D", "3D")}
SUMS |= {"BiasAddGrad", "HSVToRGB", "InvGrad", "RGBToHSV", "ReciprocalGrad", "RsqrtGrad", "SeluGrad"}
SUMS |= {"SigmoidGrad", "SoftplusGrad", "SoftsignGrad", "SqrtGrad", "TanhGrad"}
SUMS |= {"BatchNormWithGlobalNormalization", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
SUMS |= {f"Stateless{op}Normal{n}" for op in ("Random", "Truncated") for n in ("", "V2")}
SUMS |= {"Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"}
SUMS |= {"ResizeBilinearGrad"}
SUMS |= {"FusedPadConv2D", "FusedResizeAndPadConv2D", "_FusedConv2D", "_FusedMatMul"}
SUMS |= {"AdjustContrastv2", "AdjustHue", "AdjustSaturation", "CTCBeamSearchDecoder", "CTCGreedyDecoder"}
SUMS |= {"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"}
SUMS |= {"ScaleAndTranslate", "AudioSpectrogram", "Mfcc", "BlockLSTM", "BlockLSTMV2", "GRUBlockCell", "LSTMBlockCell"}
SUMS |= {"SparseReduceSum", "SparseTensorDenseMatMul"}
BY_OP = {op: [k for k, case in enumerate(CASES) if case.op == op] for op in {case.op for case in CASES}}
OLD = {"BatchNormWithGlobalNormalization"}  # TensorFlow takes it from old graphs only
TOLERANCE = {
    np.float32: 1e-6,
    np.complex64: 2e-6,
    np.float64: 1e-13,
    np.complex128: 1e-13,
    np.float16: 2**-10,
    ml_dtypes.bfloat16: 2**-7,
}


def _attr(value: object, kind: str) -> Any:
    attr = tf.compat.v1.AttrValue()
    if isinstance(value, DType):
        attr.type = value.number
    elif isinstance(value, Shape):
        attr.shape.CopyFrom(_shape(value.dims or ()))
        attr.shape.unknown_rank = value.dims is None
    elif isinstance(value, np.ndarray):
        attr.tensor.CopyFrom(_tensor(DType.from_numpy(value.dtype), value))
    elif isinstance(value, bool):
        attr.b = value
    elif isinstance(value, bytes):
        attr.s = value
    elif isinstance(value, tuple) and kind == "list(type)":
        attr.list.type.extend(v.number for v in value)
    elif isinstance(value, tuple) and kind == "list(string)":
        attr.list.s.extend(value)
    elif isinstance(value, tuple) and kind == "list(float)":
        attr.list.f.extend(value)
    elif isinstance(value, tuple):
        attr.list.i.extend(value)
    elif kind == "float":
        attr.f = value
    else:
        attr.i = value
    return attr


def _with_types(case: Case, definition: Any) -> dict[str, object]:
    """The attributes of a case with those that follow from its operands."""
    attrs = dict(case.attrs)
    left = list(case.types)
    for arg in definition.input_arg:
        if arg.type_list_attr:
            attrs.setdefault(arg.type_list_attr, tuple(left))
            left.clear()
            continue
        if arg.number_attr:
            lists = sum(bool(a.number_attr) for a in definition.input_arg)
            count = (len(case.types) - len(definition.input_arg) + lists) // lists
            count = case.attrs.get(arg.number_attr, count)
            attrs[arg.number_attr] = count
        else:
            count = 1
        if arg.type_attr:
            attrs.setdefault(arg.type_attr, left[0])
        del left[:count]
    return attrs


def _tensor(dtype: DType, array: Array) -> Any:
    proto = tf.make_tensor_proto(0).__class__(dtype=dtype.number)
    proto.tensor_shape.CopyFrom(_shape(array.shape))
    if dtype is STRING:
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto.tensor_content = array.tobytes()
    return proto


def _shape(dims: tuple[int, ...]) -> Any:
    proto = tf.TensorShape([]).as_proto()
    for size in dims:
        proto.dim.add(size=size)
    return proto


def _const(name: str, dtype: DType, array: Array) -> Any:
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = dtype.number
    node.attr["value"].tensor.CopyFrom(_tensor(dtype, array))
    return node


@cache
def _tensorflow(op: str) -> dict[str, list[Any]]:
    """What TensorFlow's CPU kernel gives for all cases of an op, by number, with nothing folded or rewritten."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op)
    kinds = {a.name: a.type for a in definition.attr}
    graph_def = tf.compat.v1.GraphDef()
    graph_def.versions.producer = 6 if op in OLD else 1000
    for k in BY_OP[op]:
        node = graph_def.node.add(name=str(k), op=op)
        for name, value in _with_types(CASES[k], definition).items():
            node.attr[name].CopyFrom(_attr(value, kinds[name]))
        for i, (dtype, array) in enumerate(zip(CASES[k].types, CASES[k].operands, strict=True)):
            node.input.append(f"{k}/input{i}")
            graph_def.node.append(_const(f"{k}/input{i}", dtype, array))
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(graph_def, name="")
        wanted = {str(k): list(graph.get_operation_by_name(str(k)).outputs) for k in BY_OP[op]}
        found: dict[str, list[Any]] = session.run(wanted)
        return found


@pytest.mark.parametrize("k", range(len(CASES)), ids=[f"{k}-{case}" for k, case in enumerate(CASES)])
def test_same_as_tensorflow(k: int) -> None:
    case = CASES[k]
    if ONEDNN and case.op == "Softmax" and case.types[0].itemsize == 2:
        pytest.skip("oneDNN computes the Softmax of half types in float32")
    if ONEDNN and case.op in ("Conv2D", "DepthwiseConv2dNative") and not case.operands[0].size:
        pytest.skip("oneDNN gives no images the shape of the input")
    expected = _tensorflow(case.op)[str(k)]
    for types in (case.types, None):
        got = evaluate(case.op, case.attrs, case.operands, types)
        assert case.ports or len(got) == len(expected)
        for mine, theirs in list(zip(got, expected, strict=False))[: case.ports]:
            _compare(case, mine, np.asarray(theirs, object) if isinstance(theirs, bytes) else np.asarray(theirs))


def _compare(case: Case, mine: Any, theirs: Any) -> None:
    assert mine.shape == theirs.shape
    kind = theirs.dtype
    if kind.fields:  # numpy type of a quantized tensor
        theirs = theirs.view(kind[0])
    assert mine.dtype == theirs.dtype
    if mine.dtype.kind in "biuO" or (mine.dtype.kind != "c" and case.op not in FUNCTIONS | SUMS):
        same = (mine == theirs) | ((mine != mine) & (theirs != theirs))
        assert same.all(), f"{mine} is not {theirs}"
        return
    tolerance = TOLERANCE[mine.dtype.type]
    wide = np.complex128 if mine.dtype.kind == "c" else np.float64
    mine, theirs = mine.astype(wide), theirs.astype(wide)
    largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)  # terms of a sum may cancel out
    atol = tolerance * largest if case.op in SUMS or wide is np.complex128 else 1e-37
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=atol)


def test_every_kernel_has_a_case() -> None:
    without = {"TopK"}  # TensorFlow no longer runs it
    without |= {"_FusedBatchNormEx", "_FusedDepthwiseConv2dNative"}  # on the CPU, with oneDNN only; see test_fused
    assert {case.op for case in CASES} == set(kernel_names()) - without
