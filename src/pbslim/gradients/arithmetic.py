"""Rules of ops that compute each element on its own, of sums and of products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from pbslim.dtypes import BOOL, FLOAT, INT32
from pbslim.gradients.registry import rule, simple
from pbslim.gradients.tape import Tape
from pbslim.ir import Node, Value

_Operand = Callable[[Tape, Node, Value], Value]
"""A node of two operands and the gradient of its output → that of one operand, before broadcasting is undone."""


@simple("BiasAdd", "Identity", "CheckNumerics", "PlaceholderWithDefault")
def _kept(_tape: Tape, _node: Node, gradient: Value) -> Value:
    return gradient


def _binary(ops: Sequence[str], first: _Operand, second: _Operand) -> None:
    def run(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> dict[int, Value]:
        found = {}
        for slot, of in enumerate((first, second)):
            if slot in wanted:
                value, other = node.inputs[slot], node.inputs[1 - slot]
                found[slot] = tape.unbroadcast(of(tape, node, gradient), value, other)
        return found

    rule(*ops)(run)


@simple("Neg")
def _negative(tape: Tape, _node: Node, gradient: Value) -> Value:
    return tape.op("Neg", gradient)


def _times(slot: int) -> _Operand:
    return lambda tape, node, gradient: tape.op("Mul", gradient, node.inputs[slot])


def _where(comparison: str) -> _Operand:
    """The gradient where the operands compare so, else zero."""

    def of(tape: Tape, node: Node, gradient: Value) -> Value:
        return _masked(tape, gradient, tape.op(comparison, *node.inputs[:2]))

    return of


def _masked(tape: Tape, gradient: Value, mask: Value) -> Value:
    return tape.op("Mul", gradient, tape.op("Cast", mask, SrcT=BOOL, DstT=FLOAT))


def _divided(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("RealDiv", gradient, node.inputs[1])


def _divisor(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Neg", tape.op("Mul", gradient, tape.op("RealDiv", node.output(), node.inputs[1])))


def _twice_difference(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Mul", gradient, tape.op("Mul", tape.op("Sub", *node.inputs), tape.const(2, FLOAT)))


_binary(("Add", "AddV2"), _kept, _kept)
_binary(("Sub",), _kept, _negative)
_binary(("Mul",), _times(1), _times(0))
_binary(("RealDiv", "Div"), _divided, _divisor)
_binary(("Maximum",), _where("GreaterEqual"), _where("Less"))
_binary(("Minimum",), _where("LessEqual"), _where("Greater"))
_binary(
    ("SquaredDifference",),
    _twice_difference,
    lambda tape, node, gradient: tape.op("Neg", _twice_difference(tape, node, gradient)),
)


@rule("AddN")
def _add_n(_tape: Tape, _node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    return dict.fromkeys(wanted, gradient)


# The gradient first, then the operand or, for the second ones, the result.
_BY_OPERAND = {"Relu": "ReluGrad", "Relu6": "Relu6Grad", "Softplus": "SoftplusGrad", "Softsign": "SoftsignGrad"}
_BY_RESULT = {"Elu": "EluGrad", "Selu": "SeluGrad"}
_RESULT_FIRST = {
    "Rsqrt": "RsqrtGrad",
    "Sigmoid": "SigmoidGrad",
    "Sqrt": "SqrtGrad",
    "Tanh": "TanhGrad",
    "Reciprocal": "ReciprocalGrad",
}


@simple(*_BY_OPERAND)
def _by_operand(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op(_BY_OPERAND[node.op], gradient, node.inputs[0])


@simple(*_BY_RESULT)
def _by_result(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op(_BY_RESULT[node.op], gradient, node.output())


@simple(*_RESULT_FIRST)
def _result_first(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op(_RESULT_FIRST[node.op], node.output(), gradient)


@simple("LeakyRelu")
def _leaky_relu(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("LeakyReluGrad", gradient, node.inputs[0], alpha=node.attrs.get("alpha", 0.2))


@simple("Exp")
def _exp(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Mul", gradient, node.output())


@simple("Log")
def _log(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("RealDiv", gradient, node.inputs[0])


@simple("Square")
def _square(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Mul", gradient, tape.op("Mul", node.inputs[0], tape.const(2, FLOAT)))


@simple("Abs")
def _absolute(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Mul", gradient, tape.op("Sign", node.inputs[0]))


@simple("ClipByValue")
def _clip(tape: Tape, node: Node, gradient: Value) -> Value:
    x, low, high = node.inputs
    inside = tape.op("LogicalAnd", tape.op("GreaterEqual", x, low), tape.op("LessEqual", x, high))
    return _masked(tape, gradient, inside)


@simple("Softmax")
def _softmax(tape: Tape, node: Node, gradient: Value) -> Value:
    weighed = tape.op("Mul", gradient, node.output())
    total = tape.op("Sum", weighed, tape.const([-1]), keep_dims=True)
    return tape.op("Mul", tape.op("Sub", gradient, total), node.output())


@simple("LogSoftmax")
def _log_softmax(tape: Tape, node: Node, gradient: Value) -> Value:
    total = tape.op("Sum", gradient, tape.const([-1]), keep_dims=True)
    return tape.op("Sub", gradient, tape.op("Mul", total, tape.op("Exp", node.output())))


def _spread(tape: Tape, node: Node, gradient: Value) -> Value:
    """The gradient of what was reduced, in a shape that broadcasts to the elements."""
    if node.attrs.get("keep_dims"):
        return gradient
    kept = tape.op("Sum", *node.inputs, keep_dims=True, Tidx=node.attrs.get("Tidx", INT32))
    return tape.reshaped(gradient, kept)


@simple("Sum")
def _broadcast(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.op("Add", _spread(tape, node, gradient), tape.op("ZerosLike", node.inputs[0]))


def _size(tape: Tape, value: Value) -> Value:
    return tape.op("Cast", tape.op("Size", value), SrcT=INT32, DstT=FLOAT)


@simple("Mean")
def _mean(tape: Tape, node: Node, gradient: Value) -> Value:
    count = tape.op("RealDiv", _size(tape, node.inputs[0]), _size(tape, node.output()))
    return tape.op("RealDiv", _broadcast(tape, node, gradient), count)


@simple("Max", "Min")
def _extreme(tape: Tape, node: Node, gradient: Value) -> Value:
    axes = node.inputs[1]
    mask = tape.op("Equal", node.inputs[0], _spread(tape, node, node.output()))
    hits = tape.op("Cast", mask, SrcT=BOOL, DstT=FLOAT)
    count = tape.op("Sum", hits, axes, keep_dims=True, Tidx=node.attrs.get("Tidx", INT32))
    return tape.op("RealDiv", tape.op("Mul", hits, _spread(tape, node, gradient)), count)


@rule("MatMul", "BatchMatMul", "BatchMatMulV2")
def _product(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    op = node.op
    keys = ("transpose_a", "transpose_b") if op == "MatMul" else ("adj_x", "adj_y")
    turned = tuple(bool(node.attrs.get(key)) for key in keys)
    a, b = node.inputs[:2]

    if op == "BatchMatMulV2" and not _same_batch(tape.dims(a), tape.dims(b)):
        return {}  # leading dimensions may have been broadcast

    def product(left: Value, right: Value, *transposed: bool) -> Value:
        return tape.op(op, left, right, **dict(zip(keys, transposed, strict=True)))

    found = {}
    if 0 in wanted:
        found[0] = product(b, gradient, turned[1], True) if turned[0] else product(gradient, b, False, not turned[1])
    if 1 in wanted:
        found[1] = product(gradient, a, True, turned[0]) if turned[1] else product(a, gradient, not turned[0], False)
    return found


def _same_batch(first: Sequence[int] | None, second: Sequence[int] | None) -> bool:
    return first is not None and second is not None and first[:-2] == second[:-2]
