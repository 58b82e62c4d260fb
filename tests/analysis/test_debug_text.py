"""TensorFlow's texts for values, tensors and nodes."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.analysis.debug_text import float_text, shape_text, tensor_text, value_text
from pbslim.dtypes import DTYPES, FLOAT, QINT32, DType, Shape
from pbslim.ir import ArrayTensor, AttrValue, FunctionRef, SplatTensor, StringTensor, Tensor, TypeVariable
from pbslim.ir.tensors import DeferredTensor, OpaqueTensor


def values_text(tensor: Tensor) -> str:
    return tensor_text(tensor).partition("values: ")[2].removesuffix(">")


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((), "0"),
        ((5,), "0 1 2..."),
        ((3,), "0 1 2"),
        ((4, 300), "[0 1 2...]..."),
        ((2, 2), "[0 1][2...]..."),
        ((2, 1, 3), "[[0 1 2]]..."),
        ((3, 1), "[0][1][2]"),
        ((0,), ""),
        ((2, 0), ""),
        ((1, 1, 1), "[[0]]"),
    ],
)
def test_elements_by_shape(shape: tuple[int, ...], text: str) -> None:
    assert values_text(ArrayTensor(np.arange(np.prod(shape), dtype=np.int32).reshape(shape))) == text


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (ArrayTensor(np.array([0.1, 1 / 3, 1e30], np.float32)), "0.1 0.333333343 1e+30"),
        (ArrayTensor(np.array([0.1, 1 / 3, np.nan])), "0.1 0.33333333333333331 nan"),
        (ArrayTensor(np.array([0.1, -np.inf], np.float16)), "0.0999755859 -inf"),
        (ArrayTensor(np.array([True, False])), "1 0"),
        (ArrayTensor(np.array([200, 3], np.uint8)), "200 3"),
        (ArrayTensor(np.array([[1, 2], [3, 4]], np.int32), QINT32), "? ? ?..."),
        (ArrayTensor(np.array([1j], np.complex64)), "?"),
        (StringTensor((b'a"\n\xff', b"b"), (2,)), 'a\\"\\n\\377 b'),
        (OpaqueTensor(b"", "", DTYPES[20], (2,)), "? ?"),
    ],
)
def test_elements_by_type(tensor: Tensor, text: str) -> None:
    assert values_text(tensor) == text


def test_only_the_first_elements_are_read() -> None:
    read = []

    def element(chunk: np.ndarray) -> np.ndarray:
        read.append(chunk.size)
        return chunk

    big = SplatTensor(np.float32(1), FLOAT, (1000, 1000, 10))
    assert values_text(big) == "[[1 1 1...]]..."
    lazy = ArrayTensor(np.zeros(1_000_000, np.float32)).mapped(element)
    assert values_text(lazy) == "0 0 0..."
    assert sum(read) < 1_000_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"SAME", '"SAME"'),
        (b"x" * 79, f'"{"x" * 79}"'),
        (b"0123456789" * 8, '"0123456789...0123456789"'),
        (True, "true"),
        (-3, "-3"),
        (0.001, "0.001"),
        (FLOAT, "DT_FLOAT"),
        (DTYPES[101], "DT_FLOAT_REF"),
        (Shape((1, -1)), "[1,?]"),
        (Shape(), "<unknown>"),
        (tuple(range(14)), f"[{', '.join(map(str, range(14)))}]"),
        (tuple(range(15)), "[0, 1, 2, 3, 4, ..., 10, 11, 12, 13, 14]"),
        (FunctionRef("f", {"T": FLOAT}), "f[T=DT_FLOAT]"),
        (TypeVariable("T"), "$T"),
        (None, "<Unknown AttrValue type>"),
        ((), "[]"),
    ],
)
def test_values(value: AttrValue, text: str) -> None:
    assert value_text(value) == text


def test_a_tensor_that_cannot_be_read() -> None:
    def fails() -> np.ndarray:
        from pbslim.errors import DecodeError

        raise DecodeError("broken")

    assert value_text(DeferredTensor(fails, FLOAT, (2,))) == "<Invalid TensorProto: broken>"


def test_shapes() -> None:
    assert shape_text(Shape(())) == "[]"
    assert shape_text(Shape((-2,))) == "Shape [-2] has dimensions with values below -1 (where -1 means unknown)"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_read_back(dtype: type[np.float32 | np.float64]) -> None:
    random = np.random.default_rng(0)
    for bits in random.bytes(8 * 2000)[: 2000 * dtype().itemsize], dtype(0).tobytes():
        for value in np.frombuffer(bits, dtype):
            text = float_text(float(value), double=dtype is np.float64)
            assert dtype(text) == value or np.isnan(value)


def test_type_names_are_those_of_the_enum() -> None:
    assert all(isinstance(each, DType) and value_text(each) == f"DT_{each.name.upper()}" for each in DTYPES.values())
