"""Which inputs an op only reads: where a constant may lie in memory that cannot be written.

A kernel may take over the memory of an input for its output when nothing else holds it. For a constant that is mapped
from a file that is a write into a read-only page, and the process dies. TensorFlow documents none of this; the table
is what its kernels do, found by running each op here on mapped constants in TensorFlow 1.15.5 and 2.21, and with an
op after it that does take over its input, to see whether the memory comes out again.
"""

from __future__ import annotations

from functools import cache

# Op and the inputs whose memory it neither writes nor hands on.
_READ_ONLY = """
_FusedConv2D 0 1
_FusedDepthwiseConv2dNative 0 1
_FusedMatMul 0 1
ArgMax 0 1
ArgMin 0 1
BatchMatMul 0 1
BatchMatMulV2 0 1
BatchMatMulV3 0 1
BatchNormWithGlobalNormalization 0 1 2 3 4
BatchToSpace 1
BatchToSpaceND 1 2
BiasAdd 1
BiasAddV1 1
BlockLSTM 0 1 2 3 4 5 6 7 8
BroadcastTo 1
Concat 0
Conv2D 0 1
Conv2DBackpropInput 0 1 2
Conv3D 0 1
Conv3DBackpropInputV2 0 1 2
DepthwiseConv2dNative 0 1
DepthwiseConv2dNativeBackpropInput 0 1 2
Dequantize 0 1 2
Dilation2D 0 1
ExpandDims 1
FakeQuantWithMinMaxVars 0 1 2
FakeQuantWithMinMaxVarsPerChannel 0 1 2
Fill 0
FusedBatchNorm 1 2
FusedBatchNormV2 1 2
FusedBatchNormV3 1 2
Gather 0 1
GatherNd 0 1
GatherV2 0 1 2
GRUBlockCell 2 3 4 5
LSTMBlockCell 3 4 5 6 7
MatMul 0 1
Max 1
Mean 1
Min 1
MirrorPad 1
OneHot 0 1 2 3
Pad 1
PadV2 1 2
Prod 1
QuantizedBiasAdd 0 1 2 3 4 5
QuantizedConv2D 0 1 2 3 4 5
QuantizedMatMul 0 1 2 3 4 5
QuantizedReshape 1 2 3
QuantizeV2 0 1 2
Range 0 1 2
Rank 0
Requantize 0 1 2 3 4
Reshape 1
ResizeArea 1
ResizeBicubic 1
ResizeBilinear 1
ResizeNearestNeighbor 1
ReverseV2 1
Shape 0
Size 0
Slice 1 2
SpaceToBatch 1
SpaceToBatchND 1 2
SparseSegmentMean 0 1 2
SparseSegmentSqrtN 0 1 2
SparseSegmentSum 0 1 2
Split 0
SplitV 1 2
StridedSlice 1 2 3
Sum 1
Tile 1
Transpose 1
Unique 0
"""

# Op and the inputs whose memory may come out again as an output; it counts who reads that. "*" stands for all inputs.
_HANDED_ON = """
BatchToSpace 0
BatchToSpaceND 0
Bitcast 0
BroadcastTo 0
Cast 0
CheckNumerics 0
ConcatV2 *
EnsureShape 0
Enter 0
Exit 0
ExpandDims 0
Identity 0
IdentityN *
Max 0
Mean 0
Merge *
Min 0
MirrorPad 0
NextIteration 0
Pack *
Pad 0
PadV2 0
PlaceholderWithDefault 0
PreventGradient 0
Prod 0
QuantizedReshape 0
Reshape 0
ReverseV2 0
Slice 0
Snapshot 0
SpaceToBatch 0
SpaceToBatchND 0
Split 1
SplitV 0
Squeeze 0
StopGradient 0
StridedSlice 0
Sum 0
Switch 0
Tile 0
Transpose 0
Unpack 0
"""


@cache
def read_only_inputs() -> dict[str, frozenset[int]]:
    """Each op known here, and the numbers of its data inputs that it only reads."""
    return {op: frozenset(map(int, slots)) for op, *slots in map(str.split, _READ_ONLY.strip().splitlines())}


@cache
def handed_on_inputs() -> dict[str, frozenset[int] | None]:
    """Each op that may pass the memory of an input to its outputs, and the numbers of these inputs; None for all."""
    table = map(str.split, _HANDED_ON.strip().splitlines())
    return {op: None if slots == ["*"] else frozenset(map(int, slots)) for op, *slots in table}


def only_reads(op: str, slot: int) -> bool:
    """Whether `op` is known to leave the memory of data input `slot` alone."""
    return slot in read_only_inputs().get(op, ())


def hands_on(op: str, slot: int) -> bool:
    """Whether the memory of data input `slot` may be that of an output of `op`, which itself writes nothing into it."""
    slots = handed_on_inputs().get(op, frozenset())
    return slots is None or slot in slots
