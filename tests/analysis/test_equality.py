"""Equal attributes, distances of tensors, and that weights are read only where that decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pbslim
from pbslim.analysis.equality import distance, same_attr, same_tensor, same_value
from pbslim.dtypes import FLOAT, INT32, STRING, DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import ArrayTensor, AttrValue, FunctionRef, SplatTensor, StringTensor, TypeVariable
from pbslim.ir.tensors import DeferredTensor, OpaqueTensor, Tensor
from tests.shared import ROOT

FLOATS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(width=32)
)


def tensor(values: object, dtype: DType = FLOAT) -> Tensor:
    return ArrayTensor(np.array(values, dtype.numpy), dtype)


VALUES: list[AttrValue] = [
    None,
    b"1",
    1,
    1.0,
    0.0,
    -0.0,
    True,
    FLOAT,
    INT32,
    Shape(),
    Shape(()),
    Shape((1,)),
    (),
    (1,),
    (True,),
    (1.0,),
    TypeVariable("T"),
    FunctionRef("f", {}),
    FunctionRef("f", {"T": FLOAT}),
    FunctionRef("f", {"T": INT32}),
    FunctionRef("g", {}),
    tensor([1, 2]),
    tensor([1, 3]),
    tensor([[1, 2]]),
    tensor([1, 2], INT32),
    StringTensor((b"a",), (1,)),
    StringTensor((b"b",), (1,)),
    OpaqueTensor(b"a", "", FLOAT, ()),
    OpaqueTensor(b"b", "", FLOAT, ()),
]


@pytest.mark.parametrize("first", range(len(VALUES)))
def test_different_values_differ(first: int) -> None:
    assert [same_value(VALUES[first], other) for other in VALUES] == [i == first for i in range(len(VALUES))]


def test_nan_is_nan() -> None:
    assert same_value(float("nan"), float("nan"))
    assert same_tensor(tensor([np.nan]), tensor([np.nan]))
    assert not same_tensor(tensor([0.0]), tensor([-0.0]))
    assert same_tensor(tensor([0.0]), tensor([-0.0]), atol=1e-9)


def test_signalling_nan_is_no_warning() -> None:
    signalling = ArrayTensor(np.array([0x7F800001], np.uint32).view(np.float32))
    assert distance(signalling, tensor([np.nan]))[0] == 0
    assert distance(signalling, tensor([1]))[0] == np.inf


def test_forms_of_one_tensor_are_the_same() -> None:
    ones = np.ones((300, 2000), np.float32)
    splat = SplatTensor(np.float32(1), FLOAT, ones.shape)
    lazy = ArrayTensor(ones.astype(np.uint8)).mapped(lambda chunk: chunk.astype(np.float32), FLOAT)
    for one in (splat, lazy, ArrayTensor(ones)):
        for other in (splat, lazy, ArrayTensor(ones)):
            assert same_tensor(one, other)
    ones[-1, -1] = 2
    assert not same_tensor(lazy, ArrayTensor(ones))
    assert distance(lazy, ArrayTensor(ones)) == (1.0, 1.0)
    repeated = StringTensor((b"a",), (3,))
    assert same_tensor(repeated, StringTensor((b"a", b"a", b"a"), (3,)))
    assert repeated.dtype is STRING


@given(FLOATS, st.data())
def test_distance_is_that_of_numpy(first: np.ndarray, data: st.DataObject) -> None:
    second = data.draw(arrays.arrays(np.float32, first.shape, elements=st.floats(width=32)))
    largest, value = distance(ArrayTensor(first), ArrayTensor(second))
    a, b = first.astype(np.float64).ravel().tolist(), second.astype(np.float64).ravel().tolist()
    apart = [0.0 if x == y or (x != x and y != y) else abs(x - y) for x, y in zip(a, b, strict=True)]
    assert largest == max((np.inf if d != d else d for d in apart), default=0.0)
    assert value == max((abs(x) for x in a if np.isfinite(x)), default=0.0)
    assert distance(ArrayTensor(first), ArrayTensor(first))[0] == 0


def test_equal_bytes_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from pbslim.wire.attributes import EncodedAttr

    def fails(_: EncodedAttr) -> AttrValue:
        raise AssertionError("decoded")

    first, second = (pbslim.load(ROOT / "examples" / "digits.pb") for _ in range(2))
    monkeypatch.setattr(EncodedAttr, "decode", fails)
    for node in first:
        assert all(same_attr(node.attrs, second[node.name].attrs, key) for key in node.attrs)


def test_what_cannot_be_read_equals_its_bytes_only() -> None:
    def broken(content: str) -> bytes:
        return (
            "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT "
            f"tensor_content: '{content}' }} }} }} }}"
        ).encode()

    first, second = pbslim.load(broken("xyz"))["c"], pbslim.load(broken("xyw"))["c"]
    assert same_attr(first.attrs, pbslim.load(broken("xyz"))["c"].attrs, "value")
    assert not same_attr(first.attrs, second.attrs, "value")


def test_an_error_while_reading_is_told() -> None:
    def fails() -> np.ndarray:
        raise DecodeError("broken")

    with pytest.raises(DecodeError, match="broken"):
        same_tensor(DeferredTensor(fails, FLOAT, (2,)), tensor([1, 2]))
