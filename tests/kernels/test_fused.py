"""A fused op gives what the ops in it give one after the other, each of which is compared with TensorFlow elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pbslim.kernels import KernelError, evaluate
from pbslim.kernels.checks import Array
from tests.kernels.operands import F4, numbers

ONE: dict[str, Any] = {"strides": (1, 2, 2, 1), "padding": b"SAME"}
X, BIAS = numbers(F4, 2, 5, 6, 3), numbers(F4, 6)
FILTERS, DEPTHWISE = numbers(F4, 3, 2, 3, 6), numbers(F4, 3, 2, 3, 2)
SIDE = numbers(F4, 2, 3, 3, 6)
NORM = BIAS, numbers(F4, 6, seed=1), numbers(F4, 6, seed=2), np.abs(numbers(F4, 6, seed=3))


Step = tuple[str, tuple[Array, ...], dict[str, Any]]


def after(y: Array, *steps: Step) -> Array:
    for op, operands, attrs in steps:
        y = evaluate(op, attrs, [y, *operands])[0]
    return y


BIASED: Step = ("BiasAdd", (BIAS,), {})
NORMALIZED: Step = ("FusedBatchNormV3", NORM, {"is_training": False, "epsilon": 0.01})
ADDED: Step = ("AddV2", (SIDE,), {})


@pytest.mark.parametrize("activation", ["", "Relu", "Relu6", "Elu", "LeakyRelu", "Sigmoid", "Tanh"])
@pytest.mark.parametrize("start", ["BiasAdd", "FusedBatchNorm", "BiasAdd Add"])
@pytest.mark.parametrize(("op", "filters"), [("Conv2D", FILTERS), ("DepthwiseConv2dNative", DEPTHWISE)])
def test_convolutions(op: str, filters: Array, start: str, activation: str) -> None:
    names = [*start.split(), *([activation] if activation else [])]
    first = NORMALIZED if start == "FusedBatchNorm" else BIASED
    steps: list[Step] = [first, *([ADDED] if "Add" in names else []), *([(activation, (), {})] if activation else [])]
    expected = after(evaluate(op, ONE, [X, filters])[0], *steps)
    operands = [X, filters, *first[1], *([SIDE] if "Add" in names else [])]
    attrs = {"fused_ops": tuple(name.encode() for name in names), "epsilon": 0.01, **ONE}
    [got] = evaluate(f"_Fused{op}", attrs, operands)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("mode", [b"Identity", b"Relu"])
@pytest.mark.parametrize("added", [False, True])
def test_batch_norms(mode: bytes, added: bool) -> None:
    steps: list[Step] = [NORMALIZED, *([ADDED] if added else []), *([("Relu", (), {})] if mode == b"Relu" else [])]
    got = evaluate(
        "_FusedBatchNormEx",
        {"is_training": False, "epsilon": 0.01, "activation_mode": mode},
        [SIDE, *NORM, *([SIDE] if added else [])],
    )
    np.testing.assert_array_equal(got[0], after(SIDE, *steps))
    assert len(got) == 6


@pytest.mark.parametrize(
    ("names", "operands", "reason"),
    [
        ((), (BIAS,), "there is no kernel for the fusion of nothing"),
        ((b"Relu",), (), "there is no kernel for the fusion of Relu"),
        ((b"BiasAdd", b"Relu", b"Add"), (BIAS,), "fusion of BiasAdd, Relu, Add"),
        ((b"BiasAdd", b"Gelu"), (BIAS,), "an activation 'Gelu' is not known"),
        ((b"BiasAdd",), (BIAS, BIAS), "it has 2 more operands, expected 1"),
        ((b"BiasAdd",), (BIAS[:5],), "an operand must be a vector of 6 elements"),
        ((b"BiasAdd", b"Add"), (BIAS, SIDE[:1]), "what is added has another shape than the result"),
    ],
)
def test_refusals(names: tuple[bytes, ...], operands: tuple[Array, ...], reason: str) -> None:
    with pytest.raises(KernelError, match=reason):
        evaluate("_FusedConv2D", {"fused_ops": names, **ONE}, [X, FILTERS, *operands])
