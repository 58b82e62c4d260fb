"""Which results may be overwritten: those whose memory nothing else shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pbslim.engines.builtin.steps import GuardedStep, NodeStep, Step
from pbslim.kernels import Prepared

_ARITHMETIC = {"Add", "AddV2", "BiasAdd", "BiasAddV1", "ClipByValue", "Div", "Maximum", "Minimum", "Mul", "Pow"}
_ARITHMETIC |= {"RealDiv", "SquaredDifference", "Sub"}
_FUNCTIONS = {
    "Abs",
    "Elu",
    "Erf",
    "Erfc",
    "Exp",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "Neg",
    "Relu",
    "Relu6",
    "Rsqrt",
    "Selu",
}
_FUNCTIONS |= {"Sigmoid", "Softmax", "Softplus", "Softsign", "Sqrt", "Square", "Tanh"}
_PRODUCTS = {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"}
_WINDOWS = {"AvgPool", "AvgPool3D", "LRN", "MaxPool", "MaxPool3D", "ResizeBilinear"}
_PRODUCTS |= {"_FusedConv2D", "_FusedDepthwiseConv2dNative", "_FusedMatMul", "Conv2DBackpropInput"}
_GRADIENTS = {"AvgPoolGrad", "MaxPoolGrad", "ResizeBilinearGrad", "ResizeNearestNeighborGrad", "StridedSliceGrad"}
_NORMS = {"BatchNormWithGlobalNormalization", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
_OTHERS = {"ConcatV2", "Dequantize", "GatherV2", "Max", "Mean", "Min", "Pad", "PadV2", "Sum"}

OWN_MEMORY = frozenset(_ARITHMETIC | _FUNCTIONS | _PRODUCTS | _WINDOWS | _GRADIENTS | _NORMS | _OTHERS)
"""Ops whose first output never shares memory with an operand that may not be overwritten."""


def let_overwrite(steps: Iterable[Step]) -> None:
    """Tell each kernel which of its operands it may overwrite: those that own their memory and that it reads last.

    The registers that are freed after each step must be known.
    """
    steps = list(steps)
    readers = Counter(register for step in steps for register in step.read)
    own: set[int] = set()
    for step in steps:
        node = step.node if isinstance(step, GuardedStep) else step
        if not isinstance(node, NodeStep) or not isinstance(node.action, Prepared):
            continue
        node.spare = tuple(
            slot
            for slot, register in enumerate(node.reads)
            if register in own and register in step.freed and readers[register] == 1
        )
        if node.action.op in OWN_MEMORY:
            own.update(register for port, register in node.writes if port == 0)
