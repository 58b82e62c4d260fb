"""Rules of ops that move elements to other places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pbslim.dtypes import FLOAT, INT32
from pbslim.gradients.registry import rule, rule_for_many, simple
from pbslim.gradients.tape import Tape, attrs_of
from pbslim.ir import Node, Value


@simple("Reshape", "Squeeze", "ExpandDims")
def _reshaped(tape: Tape, node: Node, gradient: Value) -> Value:
    return tape.reshaped(gradient, node.inputs[0])


@simple("Transpose")
def _transpose(tape: Tape, node: Node, gradient: Value) -> Value:
    kind = node.attrs.get("Tperm", INT32)
    back = tape.op("InvertPermutation", node.inputs[1], T=kind)
    return tape.op("Transpose", gradient, back, Tperm=kind)


@simple("Pad", "PadV2")
def _pad(tape: Tape, node: Node, gradient: Value) -> Value:
    """What is not padding."""
    kind = node.attrs.get("Tpaddings", INT32)
    first = tape.op(
        "StridedSlice",
        node.inputs[1],
        *(tape.const(each) for each in ([0, 0], [0, 1], [1, 1])),
        T=kind,
        Index=INT32,
        begin_mask=1,
        end_mask=1,
        shrink_axis_mask=2,
    )
    first = tape.cast(first, kind, INT32)
    return tape.op("Slice", gradient, first, tape.shape(node.inputs[0]), Index=INT32)


@simple("MirrorPad")
def _mirror_pad(tape: Tape, node: Node, gradient: Value) -> Value:
    kind = node.attrs.get("Tpaddings", INT32)
    return tape.op("MirrorPadGrad", gradient, node.inputs[1], mode=node.attrs["mode"], Tpaddings=kind)


@simple("Slice")
def _slice(tape: Tape, node: Node, gradient: Value) -> Value:
    """Zeros around it."""
    x = node.inputs[0]
    begin = tape.cast(node.inputs[1], node.attrs.get("Index", INT32), INT32)
    end = tape.op("Sub", tape.op("Sub", tape.shape(x), begin, T=INT32), tape.shape(node.output()), T=INT32)
    paddings = tape.op("Pack", begin, end, T=INT32, N=2, axis=1)
    return tape.op("Pad", gradient, paddings, Tpaddings=INT32)


_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@simple("StridedSlice")
def _strided_slice(tape: Tape, node: Node, gradient: Value) -> Value:
    x, begin, end, strides = node.inputs
    kind = node.attrs.get("Index", INT32)
    shape = tape.cast(tape.shape(x), INT32, kind)
    masks = {mask: node.attrs.get(mask, 0) for mask in _MASKS}
    return tape.op("StridedSliceGrad", shape, begin, end, strides, gradient, Index=kind, **masks)


@rule("ConcatV2", "Concat")
def _concat(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    *parts, axis = node.inputs if node.op == "ConcatV2" else (*node.inputs[1:], node.inputs[0])
    first = 0 if node.op == "ConcatV2" else 1
    axis = tape.op("FloorMod", axis, tape.op("Rank", parts[0]), T=INT32)
    offsets = tape.op("ConcatOffset", axis, *(tape.shape(part) for part in parts), T=INT32, N=len(parts)).node
    return {
        slot: tape.op("Slice", gradient, offsets.output(slot - first), tape.shape(node.inputs[slot]), Index=INT32)
        for slot in wanted
        if 0 <= slot - first < len(parts)
    }


def _all(tape: Tape, node: Node, gradients: Sequence[Value | None], count: int) -> list[Value]:
    """The gradients of all outputs, zeros for those on which nothing depends."""
    known = [*gradients, *[None] * count][:count]
    return [each or tape.op("ZerosLike", node.output(port)) for port, each in enumerate(known)]


def _count(node: Node, key: str) -> int:
    found = node.attrs.get(key)
    return found if isinstance(found, int) else 0


@rule_for_many("Split", "SplitV")
def _split(tape: Tape, node: Node, gradients: Sequence[Value | None], wanted: Collection[int]) -> Mapping[int, Value]:
    slot, axis = (1, node.inputs[0]) if node.op == "Split" else (0, node.inputs[2])
    count = _count(node, "num_split")
    if slot not in wanted:
        return {}
    return {slot: tape.op("ConcatV2", *_all(tape, node, gradients, count), axis, N=count, Tidx=INT32)}


@rule("Pack")
def _pack(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    parts = tape.op("Unpack", gradient, num=len(node.inputs), axis=node.attrs.get("axis", 0)).node
    return {slot: parts.output(slot) for slot in wanted}


@rule_for_many("Unpack")
def _unpack(tape: Tape, node: Node, gradients: Sequence[Value | None], _wanted: Collection[int]) -> Mapping[int, Value]:
    count = _count(node, "num")
    return {0: tape.op("Pack", *_all(tape, node, gradients, count), N=count, axis=node.attrs.get("axis", 0))}


@simple("DepthToSpace", "SpaceToDepth")
def _depth_to_space(tape: Tape, node: Node, gradient: Value) -> Value:
    back = "SpaceToDepth" if node.op == "DepthToSpace" else "DepthToSpace"
    return tape.op(back, gradient, **attrs_of(node, ("block_size", "data_format")))


@simple("SpaceToBatchND", "BatchToSpaceND")
def _space_to_batch(tape: Tape, node: Node, gradient: Value) -> Value:
    """Paddings are what the other op crops, and the other way round."""
    is_forth = node.op == "SpaceToBatchND"
    back, ours, other = (
        ("BatchToSpaceND", "Tpaddings", "Tcrops") if is_forth else ("SpaceToBatchND", "Tcrops", "Tpaddings")
    )
    kinds = {"Tblock_shape": node.attrs.get("Tblock_shape", INT32), other: node.attrs.get(ours, INT32)}
    return tape.op(back, gradient, *node.inputs[1:], **kinds)


@rule("Select", "SelectV2")
def _select(tape: Tape, node: Node, gradient: Value, wanted: Collection[int]) -> Mapping[int, Value]:
    condition, *operands = node.inputs
    if len({tuple(tape.dims(each) or ()) for each in (condition, *operands)}) > 1:
        return {}  # broadcast
    zeros = tape.op("ZerosLike", gradient)
    given = {1: (gradient, zeros), 2: (zeros, gradient)}
    return {slot: tape.op("Select", condition, *given[slot]) for slot in wanted if slot in given}


@rule("Cast")
def _cast(_tape: Tape, node: Node, gradient: Value, _wanted: Collection[int]) -> Mapping[int, Value]:
    """Those of float32 to itself; what becomes whole numbers has no gradient."""
    is_kept = node.attrs.get("SrcT") is FLOAT and node.attrs.get("DstT") is FLOAT
    return {0: gradient} if is_kept else {}
