"""Shapes of control flow, variables, tensor arrays, tables and other ops that hold or pass on tensors."""

from __future__ import annotations

from pbslim.dtypes import Shape
from pbslim.ops.ports import MOST_PORTS
from pbslim.ops.shape_inference.call import Call, Dims, Result, UndecidableError, merge_all, merge_dims, normal, rule


@rule("Switch RefSwitch")
def switch(call: Call) -> Result:
    """The data on both sides."""
    call.ranked(1, 0)
    return [call.dims(0), call.dims(0)]


@rule("_SwitchN")
def switch_n(call: Call) -> Result:
    """The data in every branch."""
    call.ranked(1, 0)
    return [call.dims(0)] * min(call.attr("num_outs", int), MOST_PORTS)


@rule("IteratorGetNext IteratorGetNextSync DatasetToSingleElement OptionalGetValue")
def next_element(call: Call) -> Result:
    """The shapes that the attribute says."""
    call.ranked(0, 0)
    return _declared_outputs(call)


@rule("Merge RefMerge")
def merge(call: Call) -> Result:
    """What all inputs have in common, and the number of the one that arrived."""
    common = call.dims(0)
    for dims in call.all_dims():
        if common is None or dims is None or len(dims) != len(common):
            return [None, ()]
        common = tuple(a if a == b else -1 for a, b in zip(common, dims, strict=True))
    return [common, ()]


@rule("Enter RefEnter")
def enter(call: Call) -> Result:
    """The input, where it stays the same in each turn of the loop."""
    return call.dims(0) if call.attr("is_constant", bool) else None


@rule("IdentityN")
def identity_n(call: Call) -> Result:
    """Each input."""
    return call.all_dims()


@rule("If StatelessIf Case StatelessCase")
def conditional(call: Call) -> Result:
    """The shapes that the attribute says."""
    return _declared_outputs(call)


@rule("While StatelessWhile _While")
def while_loop(call: Call) -> Result:
    """The shapes that the attribute says."""
    return _declared_outputs(call)


def _declared_outputs(call: Call) -> list[Dims | None]:
    shapes = call.attr("output_shapes", tuple)
    if not shapes or not all(isinstance(shape, Shape) for shape in shapes):
        raise UndecidableError("output_shapes")
    return [normal(shape.dims) for shape in shapes]


@rule("Assign")
def assign(call: Call) -> Result:
    """The value; it must fit the variable where that is checked."""
    if call.attr("validate_shape", bool):
        return merge_dims(call.dims(0), call.dims(1))
    return call.dims(1)


@rule("AssignAdd AssignSub")
def assign_add(call: Call) -> Result:
    """Variable and value have one shape."""
    return merge_dims(call.dims(0), call.dims(1))


@rule("ApplyGradientDescent")
def apply_gradient_descent(call: Call) -> Result:
    """Variable and gradient have one shape."""
    return merge_dims(call.dims(0), call.dims(2))


@rule("ApplyAdam")
def apply_adam(call: Call) -> Result:
    """Variable, both slots and gradient have one shape."""
    return merge_all([call.dims(0), call.dims(1), call.dims(2), call.dims(9)])


@rule("ApplyMomentum")
def apply_momentum(call: Call) -> Result:
    """Variable, slot and gradient have one shape."""
    return merge_all([call.dims(0), call.dims(1), call.dims(3)])


@rule("VarHandleOp HashTableV2 MutableHashTableV2 VarIsInitializedOp IsVariableInitialized ScalarSummary")
@rule("MergeSummary HistogramSummary ImageSummary AudioSummary TensorSummary TensorArraySizeV3 TensorArrayWriteV3")
@rule("TensorArrayScatterV3 TensorArraySplitV3 TensorListReserve EmptyTensorList TensorListFromTensor")
@rule("TensorListLength TensorListSetItem TensorListPushBack NoOp Assert LookupTableSizeV2")
def scalar(call: Call) -> Result:  # noqa: ARG001
    """A handle, a number or a string."""
    return ()


@rule("TensorArrayV3")
def tensor_array(call: Call) -> Result:  # noqa: ARG001
    """A handle, and the flow that orders its uses."""
    return [(2,), ()]


@rule("TensorListStack")
def tensor_list_stack(call: Call) -> Result:
    """Elements of the list stacked."""
    element, number = call.operand(1), call.attr("num_elements", int)
    return None if element is None else (max(number, -1), *element)


@rule("SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN")
def sparse_segments(call: Call) -> Result:
    """One row for each segment."""
    rows = call.at_least(0, 1)
    merge_dims(call.ranked(1, 1), call.ranked(2, 1))
    return None if rows is None else (-1, *rows[1:])


@rule("SparseReshape")
def sparse_reshape(call: Call) -> Result:
    """New coordinates, and the new shape."""
    (count, _), (rank,) = call.ranked(0, 2), call.ranked(2, 1)
    return [(count, rank), (rank,)]


@rule("SparseFillEmptyRows")
def sparse_fill_empty_rows(call: Call) -> Result:
    """Coordinates and values of more elements, which rows were empty, and where the old elements went."""
    (old, _), (rank,) = call.ranked(0, 2), call.ranked(2, 1)
    call.ranked(1, 1)
    rows = call.vector(2)
    first = rows[0] if rows else None
    return [(-1, rank), (-1,), (-1 if first is None else first,), (old,)]


@rule("StringSplit")
def string_split(call: Call) -> Result:
    """Coordinates and values of the words, and the shape of their table."""
    call.ranked(0, 1)
    return [(-1, 2), (-1,), (2,)]
