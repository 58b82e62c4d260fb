"""Shape inference without TensorFlow: partial values, refusals, and attributes that make no sense."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbslim.dtypes import FLOAT, INT32, INT64, DType, Shape
from pbslim.ops import find
from pbslim.ops import shape_inference as shapes
from pbslim.ops.shape_inference import UNKNOWN, ShapeError, infer, infer_value, merge
from pbslim.ops.shape_inference.call import RULES
from tests.repeating import TIMES

Attrs = dict[str, object]
CONV: Attrs = {"T": FLOAT, "strides": (1, 1, 1, 1), "padding": b"SAME"}


def s(*dims: int) -> Shape:
    return Shape(dims)


def one(op: str, attrs: Attrs, inputs: Sequence[Shape], constants: Sequence[np.ndarray | None] = ()) -> Shape:
    (shape,) = infer(op, attrs, inputs, constants)
    return shape


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_an_unknown_op_says_nothing() -> None:
    assert infer("NoSuchOp", {}, [s(2)], [None]) == (Shape(),)


def test_an_op_without_a_rule_has_one_unknown_shape_for_each_output() -> None:
    assert "Svd" not in RULES
    assert infer("Svd", {"T": FLOAT}, [s(2, 2)], [None]) == (Shape(), Shape(), Shape())


def test_an_op_without_outputs_has_one_shape_all_the_same() -> None:
    assert len(infer("NoOp", {}, [], [])) == 1


def test_const_has_the_shape_of_its_tensor() -> None:
    assert one("Const", {"dtype": FLOAT, "value": np.zeros((2, 3), np.float32)}, []) == s(2, 3)
    assert one("Const", {"dtype": FLOAT, "value": 3}, []) == Shape()


def test_defaults_count_where_an_attribute_is_missing() -> None:
    assert one("MatMul", {"T": FLOAT}, [s(2, 3), s(3, 4)]) == s(2, 4)


def test_a_missing_attribute_without_a_default_decides_nothing() -> None:
    assert one("Conv2D", {"T": FLOAT, "padding": b"SAME"}, [s(1, 8, 8, 3), s(3, 3, 3, 4)]) == Shape()


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "constants", "reason"),
    [
        ("MatMul", {}, [s(2, 3), s(4, 5)], [], "the inner dimensions of [2,3] and [4,5] differ: 3 and 4"),
        ("MatMul", {}, [s(2, 3, 4), s(4, 5)], [], "'a' has shape [2,3,4], expected 2 dimensions"),
        ("AddV2", {}, [s(2, 3), s(4)], [], "shapes [2,3] and [4] cannot be broadcast together"),
        ("Conv2D", CONV, [s(1, 8, 8, 3), s(3, 3, 5, 4)], [],
         "the input [1,8,8,3] has 3 channels, the filter [3,3,5,4] is made for 5"),
        ("BiasAdd", {}, [s(1, 8, 8, 3), s(4)], [],
         "channels of the value [1,8,8,3] and length of the bias differ: 3 and 4"),
        ("Reshape", {}, [s(2, 3), s(2)], [None, i32(4, 2)], "cannot reshape [2,3] to [4,2]: 6 elements are not 8"),
        ("Reshape", {}, [s(2, 3), s(2)], [None, i32(4, -1)], "cannot reshape [2,3] to [4,?]: 6 is not a multiple of 4"),
        ("Squeeze", {"squeeze_dims": (0,)}, [s(2, 3)], [], "cannot squeeze axis 0 of [2,3]: its size is not 1"),
        ("ConcatV2", {"N": 2}, [s(2, 3), s(4, 5), s()], [None, None, np.array(1)], "shapes [2,?] and [4,?] differ"),
        ("Pack", {"N": 2}, [s(2), s(3)], [], "shapes [2] and [3] differ"),
        ("Split", {"num_split": 2}, [s(), s(5)], [np.array(0), None], "cannot split axis 0 of [5] into 2 equal parts"),
        ("Sum", {}, [s(2, 3), s(1)], [None, i32(2)], "axis 2 does not exist in a tensor of rank 2"),
        ("Range", {}, [s(), s(), s()], [np.array(0), np.array(4), np.array(0)], "the step of the range is 0"),
        ("Fill", {}, [s(1), s()], [i32(-1), None], "cannot fill a tensor of shape [-1]"),
        ("MaxPool", {"ksize": (1, 3, 3, 1), "strides": (1, 1, 1, 1), "padding": b"VALID"}, [s(1, 2, 2, 1)], [],
         "a window of 3 is longer than the axis of 2 elements"),
        ("AddN", {"N": 2}, [s(2), s(3)], [], "shapes [2] and [3] differ"),
    ],
)  # fmt: skip
def test_contradictions_are_named(
    op: str, attrs: Attrs, inputs: list[Shape], constants: list[np.ndarray | None], reason: str
) -> None:
    with pytest.raises(ShapeError) as error:
        infer(op, attrs, inputs, constants)
    assert str(error.value) == reason


def test_merge() -> None:
    assert merge(Shape(), s(2, 3)) == s(2, 3)
    assert merge(s(2, -1), s(-1, 3)) == s(2, 3)
    assert merge(s(-1, -5), Shape()) == s(-1, -1)
    with pytest.raises(ShapeError, match=r"shapes \[2,\?\] and \[3,\?\] differ"):
        merge(s(2, -1), s(3, -1))
    with pytest.raises(ShapeError, match="differ"):
        merge(s(2), s(2, 1))


def test_flatten_with_an_unknown_batch_keeps_what_is_known() -> None:
    image = s(-1, 4, 5, 6)
    shape = infer_value("Shape", {"T": FLOAT}, [image], [None])
    assert shape is not None
    assert shape.tolist() == [UNKNOWN, 4, 5, 6]
    batch = infer_value("StridedSlice", {"shrink_axis_mask": 1}, [s(4), *[s(1)] * 3], [shape, i32(0), i32(1), i32(1)])
    assert batch is None
    packed = infer_value("Pack", {"N": 2}, [s(), s()], [batch, np.array(120, np.int32)])
    assert packed is not None
    assert packed.tolist() == [UNKNOWN, 120]
    assert one("Reshape", {"T": FLOAT}, [image, s(2)], [None, packed]) == s(-1, 120)


PARTIAL = np.array([UNKNOWN, 4, 5, 6], np.int64)


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "constants", "value"),
    [
        ("Identity", {}, [s(4)], [PARTIAL], [UNKNOWN, 4, 5, 6]),
        ("Cast", {"SrcT": INT32, "DstT": INT64}, [s(4)], [PARTIAL], [UNKNOWN, 4, 5, 6]),
        ("Cast", {"SrcT": INT32, "DstT": FLOAT}, [s(4)], [PARTIAL], None),
        ("StridedSlice", {}, [s(4), s(1), s(1), s(1)], [PARTIAL, i32(1), i32(-1), i32(1)], [4, 5]),
        ("StridedSlice", {"shrink_axis_mask": 1}, [s(4), s(1), s(1), s(1)], [PARTIAL, i32(-1), i32(0), i32(1)], 6),
        ("StridedSlice", {"begin_mask": 1}, [s(4), s(1), s(1), s(1)], [PARTIAL, i32(2), i32(2), i32(1)], [UNKNOWN, 4]),
        ("Slice", {}, [s(4), s(1), s(1)], [PARTIAL, i32(0), i32(2)], [UNKNOWN, 4]),
        ("Slice", {}, [s(4), s(1), s(1)], [PARTIAL, i32(2), i32(-1)], [5, 6]),
        ("GatherV2", {}, [s(4), s(2), s()], [PARTIAL, i32(3, 0), np.array(0)], [6, UNKNOWN]),
        ("Gather", {}, [s(4), s()], [PARTIAL, np.array(1)], 4),
        ("GatherV2", {}, [s(4), s(1), s()], [PARTIAL, i32(9), np.array(0)], None),
        ("ConcatV2", {"N": 2}, [s(4), s(1), s()], [PARTIAL, i32(7), np.array(0)], [UNKNOWN, 4, 5, 6, 7]),
        ("ConcatV2", {"N": 2}, [s(2), s(1), s()], [None, i32(7), np.array(0)], [UNKNOWN, UNKNOWN, 7]),
        ("ConcatV2", {"N": 2}, [s(-1), s(1), s()], [None, i32(7), np.array(0)], None),
        ("Pack", {"N": 2}, [s(), s()], [np.array(3), None], [3, UNKNOWN]),
        ("Pack", {"N": 2}, [s(), s()], [None, None], None),
        ("Mul", {}, [s(), s()], [np.array(3), np.array(4)], 12),
        ("Mul", {}, [s(4), s()], [PARTIAL, np.array(4)], None),
        ("FloorDiv", {}, [s(), s()], [np.array(3), np.array(0)], None),
        ("Prod", {}, [s(2), s(1)], [i32(3, 4), i32(0)], 12),
        ("Prod", {}, [s(3), s(1)], [i32(*[1 << 30] * 3), i32(0)], None),
        ("Range", {}, [s(), s(), s()], [np.array(0), np.array(3), np.array(1)], [0, 1, 2]),
        ("Range", {}, [s(), s(), s()], [np.array(0), np.array(1 << 30), np.array(1)], None),
        ("Fill", {}, [s(1), s()], [i32(2), np.array(7)], [7, 7]),
        ("Rank", {}, [s(-1, 3)], [None], 2),
        ("Size", {}, [s(2, 3)], [None], 6),
        ("Size", {}, [s(-1, 3)], [None], None),
        ("Shape", {}, [Shape()], [None], None),
        ("Tanh", {}, [s()], [np.array(1.0)], None),
    ],
)
def test_values_known_in_part(
    op: str, attrs: Attrs, inputs: list[Shape], constants: list[np.ndarray | None], value: object
) -> None:
    found = infer_value(op, attrs, inputs, constants)
    assert (None if found is None else found.tolist()) == value


def test_an_unknown_element_is_no_minus_one() -> None:
    begin, size = i32(0, 0), np.array([UNKNOWN, 2])
    assert one("Slice", {}, [s(4, 5), s(2), s(2)], [None, begin, i32(-1, 2)]) == s(4, 2)
    assert one("Slice", {}, [s(4, 5), s(2), s(2)], [None, begin, size]) == s(-1, 2)


def test_values_known_in_part_are_unknown_where_all_must_be_known() -> None:
    pads = np.array([[0, UNKNOWN], [1, 1]])
    assert one("Pad", {}, [s(4, 5), s(2, 2)], [None, pads]) == s(-1, -1)


def test_loops() -> None:
    assert one("Enter", {"T": FLOAT, "frame_name": b"f"}, [s(2)]) == Shape()
    assert one("Enter", {"T": FLOAT, "frame_name": b"f", "is_constant": True}, [s(2)]) == s(2)
    assert infer("Merge", {"T": FLOAT, "N": 2}, [s(2, 3), s(2, 4)], []) == (s(2, -1), s())
    assert infer("Merge", {"T": FLOAT, "N": 2}, [s(2, 3), Shape()], []) == (Shape(), s())


def test_a_dimension_beyond_int64_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"2\^63"):
        infer("Tile", {}, [s(1 << 40), s(1)], [None, np.array([1 << 40])])


SHAPES = st.one_of(
    st.just(Shape()), st.lists(st.integers(-3, 9), max_size=6).map(lambda dims: Shape(tuple(dims))), st.just(s(1 << 62))
)
VALUES = st.one_of(
    st.none(),
    st.lists(st.integers(-5, 9), max_size=5).map(lambda v: np.array(v, np.int32)),
    st.sampled_from([np.array(2), np.array(-1), np.array(1.5), np.zeros((4, 2), np.int64), np.array([b"x"], object)]),
    st.sampled_from([np.array([UNKNOWN, 3]), np.array([1 << 62, 1 << 62]), np.array(np.nan), np.array(True)]),
)
ATTRS = st.one_of(
    st.integers(-3, 9),
    st.sampled_from([1 << 70, -(1 << 70), True, False, 0.5, b"SAME", b"NHWC", b"", FLOAT, INT32, None, "text", ()]),
    st.lists(st.integers(-2, 4), max_size=6).map(tuple),
    st.lists(st.sampled_from([FLOAT, INT32]), max_size=3).map(tuple),
    st.lists(SHAPES, max_size=2).map(tuple),
    SHAPES,
)


@pytest.mark.slow
@given(
    op=st.sampled_from(sorted({*RULES, "Svd", "NoSuchOp"})),
    inputs=st.lists(SHAPES, max_size=6),
    constants=st.lists(VALUES, max_size=6),
    data=st.data(),
)
@settings(max_examples=500 * TIMES, deadline=None)
def test_nothing_but_a_shape_error_comes_out(
    op: str, inputs: list[Shape], constants: list[np.ndarray | None], data: st.DataObject
) -> None:
    definition = find(op)
    names = list(definition.attrs) if definition else ["T"]
    attrs = {name: data.draw(st.one_of(SENSIBLE.get(name, ATTRS), ATTRS)) for name in names if data.draw(st.booleans())}
    found = infer_value(op, attrs, inputs, constants)
    assert found is None or found.dtype == np.int64
    with contextlib.suppress(ShapeError):
        result = infer(op, attrs, inputs, constants)
        assert len(result) >= 1
        assert all(shape.dims is None or min(shape.dims, default=0) >= -1 for shape in result)


SENSIBLE: dict[str, st.SearchStrategy[object]] = {
    "T": st.just(FLOAT),
    "N": st.integers(0, 4),
    "padding": st.sampled_from([b"SAME", b"VALID", b"EXPLICIT"]),
    "data_format": st.sampled_from([b"NHWC", b"NCHW", b"NDHWC"]),
    "strides": st.just((1, 2, 1, 1)),
    "ksize": st.just((1, 2, 2, 1)),
    "dilations": st.just((1, 1, 1, 1)),
}


def test_types_of_attributes_are_checked() -> None:
    wrong: Attrs = {**CONV, "strides": (1, DType, 1, 1)}
    assert one("Conv2D", wrong, [s(1, 8, 8, 3), s(3, 3, 3, 4)]) == Shape()
    assert shapes.infer("Unpack", {"T": FLOAT, "num": 1 << 60}, [s(2)], []) == (Shape(),)
