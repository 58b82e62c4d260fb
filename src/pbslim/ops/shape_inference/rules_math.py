"""Shapes of elementwise ops, reductions and matrix products."""

from __future__ import annotations

import math

from pbslim.dtypes import Shape
from pbslim.ops.shape_inference.call import (
    Call,
    Dims,
    Result,
    ShapeError,
    UndecidableError,
    axis_in,
    broadcast,
    merge_all,
    merge_dim,
    merge_dims,
    rule,
)


@rule(
    "Abs Acos Acosh Angle Asin Asinh Atan Atanh BesselI0e BesselI1e Ceil CheckNumerics CheckNumericsV2",
    "ComplexAbs Conj Copy CopyHost Cos Cosh DeepCopy Digamma Elu Erf Erfc Erfinv Exp Expm1 Floor Imag Inv Invert",
    "IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p LogicalNot Ndtri Neg OnesLike PopulationCount Real Reciprocal",
    "Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square Tan Tanh ZerosLike",
    "Cast Identity PreventGradient StopGradient Snapshot RefIdentity Exit RefExit NextIteration RefNextIteration",
    "DebugIdentity DebugIdentityV2 DebugGradientIdentity Print",
    "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars",
    "AdjustContrastv2 AdjustHue AdjustSaturation",
    "StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber StringLower StringUpper",
    "StringStrip StringLength AsString EncodeBase64 DecodeBase64 RegexReplace StaticRegexReplace RegexFullMatch",
    "StaticRegexFullMatch RandomShuffle Cumsum Cumprod CumulativeLogsumexp Reverse ReverseV2",
    "ClipByValue InvGrad ReciprocalGrad RsqrtGrad SigmoidGrad SqrtGrad TanhGrad",
)
def unchanged(call: Call) -> Result:
    """The shape of the first input."""
    if call.op in _LEAST_RANK:
        return call.at_least(0, _LEAST_RANK[call.op])
    return call.dims(0)


_LEAST_RANK = {"AdjustContrastv2": 3, "AdjustHue": 3, "AdjustSaturation": 3}


@rule(
    "Add AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Complex Div DivNoNan FloorDiv FloorMod Greater GreaterEqual",
    "Igamma IgammaGradA Igammac LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan",
    "NextAfter Polygamma Pow RealDiv RightShift SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy",
    "Zeta",
)
def elementwise(call: Call) -> Result:
    """Both inputs broadcast together."""
    return broadcast(call.dims(0), call.dims(1))


@rule("Equal NotEqual")
def equality(call: Call) -> Result:
    """As other comparisons, but shapes that differ can be allowed: then the result is a scalar false."""
    a, b = call.dims(0), call.dims(1)
    if call.attr("incompatible_shape_error", bool):
        return broadcast(a, b)
    try:
        dims = broadcast(a, b)
    except ShapeError:
        return ()
    return None if a is None or b is None or _may_differ(a, b) else dims


def _may_differ(a: Dims, b: Dims) -> bool:
    """Whether a dimension that is unknown here can turn out not to broadcast."""
    return any(-1 in pair and 1 not in pair for pair in zip(reversed(a), reversed(b), strict=False))


@rule("ReluGrad Relu6Grad EluGrad SeluGrad SoftplusGrad SoftsignGrad LeakyReluGrad")
def both_equal(call: Call) -> Result:
    """Both inputs have one shape."""
    return merge_dims(call.dims(0), call.dims(1))


@rule("ApproximateEqual")
def approximately_equal(call: Call) -> Result:
    """The shape of the first input, which the second must fit."""
    merge_dims(call.dims(0), call.dims(1))
    return call.dims(0)


@rule("AddN")
def add_n(call: Call) -> Result:
    """All inputs have one shape."""
    return merge_all(call.all_dims())


@rule("AccumulateNV2")
def accumulate_n(call: Call) -> Result:
    """The shape that the attribute says."""
    return call.shape_attr("shape")


@rule("Select")
def select(call: Call) -> Result:
    """A condition of the operands' shape, a scalar, or a vector that chooses rows."""
    condition, data = call.dims(0), merge_dims(call.dims(1), call.dims(2))
    if condition is None or data is None or condition == ():
        return data
    if len(condition) != 1 or not data:
        return merge_dims(data, condition)
    merge_dim(data[0], condition[0], "the condition and the operands have different numbers of rows")
    return data


@rule("SelectV2")
def select_v2(call: Call) -> Result:
    """Condition and operands broadcast together."""
    return broadcast(call.dims(0), broadcast(call.dims(1), call.dims(2)))


@rule("Sum Mean Prod Max Min All Any EuclideanNorm")
def reduction(call: Call) -> Result:
    """The given axes become 1 or vanish."""
    dims, keep = call.dims(0), call.attr("keep_dims", bool)
    axes = call.known_vector(1)
    if dims is None or axes is None:
        return (-1,) * len(dims) if dims is not None and keep else None
    reduced = {axis_in(axis, len(dims)) for axis in axes}
    if keep:
        return tuple(1 if i in reduced else d for i, d in enumerate(dims))
    return tuple(d for i, d in enumerate(dims) if i not in reduced)


@rule("ArgMax ArgMin")
def arg_reduction(call: Call) -> Result:
    """One axis vanishes."""
    dims, axis = call.dims(0), call.scalar(1)
    if dims is None:
        return None
    if len(dims) <= 1:
        return ()
    if axis is None:
        return (-1,) * (len(dims) - 1)
    axis = axis_in(axis, len(dims))
    return dims[:axis] + dims[axis + 1 :]


@rule("TopK TopKV2")
def top_k(call: Call) -> Result:
    """The last axis shrinks to k, in the values and in their indices."""
    dims = call.at_least(0, 1)
    k = call.attr("k", int) if call.op == "TopK" else call.scalar(1)
    if k is not None and k < 0:
        raise ShapeError(f"k must not be negative, it is {k}")
    if dims is None:
        return [None, None]
    k = -1 if k is None else k
    if dims[-1] >= 0 and k > dims[-1]:
        raise ShapeError(f"the last axis has {dims[-1]} elements, fewer than the k = {k} wanted")
    top = (*dims[:-1], k)
    return [top, top]


@rule("MatMul _FusedMatMul SparseMatMul")
def mat_mul(call: Call) -> Result:
    """Two matrices, each transposed on request."""
    a, b = call.ranked(0, 2), call.ranked(1, 2)
    rows, inner_a = reversed(a) if call.attr("transpose_a", bool) else a
    inner_b, columns = reversed(b) if call.attr("transpose_b", bool) else b
    _merge_inner(inner_a, inner_b, a, b)
    return (rows, columns)


def _merge_inner(inner_a: int, inner_b: int, a: Dims, b: Dims) -> None:
    what = f"the inner dimensions of {Shape(a)} and {Shape(b)} differ"
    merge_dim(inner_a, inner_b, what)


@rule("BatchMatMul BatchMatMulV2 BatchMatMulV3")
def batch_mat_mul(call: Call) -> Result:
    """Stacks of matrices; from the second version on, the stacks broadcast."""
    a, b = call.at_least(0, 2), call.at_least(1, 2)
    last_a, last_b = a[-2:] if a else (-1, -1), b[-2:] if b else (-1, -1)
    rows, inner_a = reversed(last_a) if call.attr("adj_x", bool) else last_a
    inner_b, columns = reversed(last_b) if call.attr("adj_y", bool) else last_b
    stack = merge_dims if call.op == "BatchMatMul" else broadcast
    batch = stack(a[:-2] if a else None, b[:-2] if b else None)
    _merge_inner(inner_a, inner_b, last_a, last_b)
    return None if batch is None else (*batch, rows, columns)


@rule("Einsum")
def einsum(call: Call) -> Result:
    """Each letter of the equation is one dimension; equations with ``...`` are left alone."""
    operands, arrow, result = call.text("equation").replace(" ", "").partition("->")
    terms = operands.split(",")
    if "." in operands or not arrow or len(terms) != len(call):
        raise UndecidableError("equation")
    sizes: dict[str, int] = {}
    for index, term in enumerate(terms):
        for letter, size in zip(term, call.ranked(index, len(term)), strict=True):
            sizes[letter] = merge_dim(sizes.get(letter, -1), size, f"axis '{letter}' has different sizes")
    if not set(result) <= set(sizes):
        raise UndecidableError("equation")
    return tuple(sizes[letter] for letter in result)


@rule("Range")
def arange(call: Call) -> Result:
    """As many elements as steps fit between start and limit."""
    bounds = []
    for index in range(3):
        call.ranked(index, 0)
        value = call.value(index)
        if value is None or value.size != 1 or value.dtype.kind not in "iuf":
            return (-1,)
        bounds.append(value.reshape(-1)[0].item())
    start, limit, delta = bounds
    if delta == 0:
        raise ShapeError("the step of the range is 0")
    if (limit - start) * delta < 0:
        raise ShapeError(f"a range from {start} to {limit} cannot have the step {delta}")
    if all(isinstance(b, int) for b in bounds):
        return (-((start - limit) // delta),)
    steps = (limit - start) / delta
    return (math.ceil(steps),) if math.isfinite(steps) else (-1,)


@rule("LinSpace")
def lin_space(call: Call) -> Result:
    """A vector of as many elements as asked for."""
    number = call.scalar(2)
    if number is not None and number <= 0:
        raise ShapeError(f"the number of elements must be positive, it is {number}")
    return (-1,) if number is None else (number,)


@rule("Bincount")
def bincount(call: Call) -> Result:
    """One count for each of the numbers below the size."""
    size = call.scalar(1)
    if size is not None and size < 0:
        raise ShapeError(f"the size must not be negative, it is {size}")
    return (-1,) if size is None else (size,)


@rule("Rank Size L2Loss LoopCond")
def scalar(call: Call) -> Result:  # noqa: ARG001
    """One number."""
    return ()
