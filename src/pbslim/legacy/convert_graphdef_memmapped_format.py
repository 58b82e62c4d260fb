"""Move the constants of a graph into regions of a file that a runtime maps instead of loading them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from pbslim.errors import DecodeError, GraphError, UsageError
from pbslim.ir import ArrayTensor, DeferredTensor, Encoded, Graph, Node, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.ops import buffers
from pbslim.wire.files import GraphLike, load
from pbslim.wire.memmapped import become_immutable, kept_attributes, save_package
from pbslim.wire.outputs import require_apart, require_room
from pbslim.wire.packages import MappedConstant, RegionNames
from pbslim.wire.paths import expanded

DEFAULT_SIZE = 10000
_PROBE_ELEMENTS = 1024

REFERENCE_TYPES = {
    "int64",
    "int32",
    "uint16",
    "int16",
    "uint8",
    "int8",
    "half",
    "bfloat16",
    "float",
    "double",
    "complex64",
    "complex128",
    "bool",
}
TYPES = REFERENCE_TYPES | {"quint8", "qint8", "quint16", "qint16", "uint32", "uint64"}
"""The types of constants that are mapped.

Not qint32: with oneDNN, TensorFlow 2.21 has no kernel to Dequantize a mapped one in mode SCALED.
"""

BELOW = "below the threshold"
LOST = "an attribute or field would be lost"
UNREADABLE = "what reads the constants of this function is unknown"
WRITER = "its consumer may write into the mapping"
_WHOLE = "give the package or the graph that has it as a Const"


@dataclass(frozen=True)
class Remark:
    """A constant, and what is to be said about it."""

    node: str
    reason: str


@dataclass
class Conversion:
    """What was converted.

    Attributes:
        converted: names of the nodes whose values are mapped now.
        kept: the constants that stay in the graph, and why.
        endangered: constants that are mapped although a consumer may write into them, which kills the process that
            runs the graph (only as ``reference``); the reason names the consumer.
        regions: the number of regions that hold tensors; equal tensors share one.
        mapped_bytes: bytes of all these regions, without padding.
        graph_bytes: bytes of the graph region.
        size: bytes of the package.
    """

    converted: list[str] = field(default_factory=list)
    kept: list[Remark] = field(default_factory=list)
    endangered: list[Remark] = field(default_factory=list)
    regions: int = 0
    mapped_bytes: int = 0
    graph_bytes: int = 0
    size: int = 0

    @property
    def reasons(self) -> dict[str, int]:
        """How many constants stay for each kind of reason."""
        return dict(Counter(remark.reason.partition(": '")[0] for remark in self.kept).most_common())


def convert_graphdef_memmapped_format(
    in_graph: GraphLike,
    out_graph: str | Path,
    *,
    min_conversion_tensor_size: int = DEFAULT_SIZE,
    reference: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Conversion:
    """Write the graph in `in_graph` to `out_graph` as a memory-mapped package.

    Elements are streamed from one file to the other. A `Graph` is left as it was.

    A constant stays in the graph if an op may write into its memory, which is read-only when it is mapped: that kills
    the process that runs the graph. `pbslim.ops.buffers` knows which ops do not.

    Args:
        min_conversion_tensor_size: constants of fewer bytes stay in the graph.
        reference: convert exactly what TensorFlow's tool converts, also where a consumer would write into the
            mapping, and nothing else; the package is the same but for the order of attributes.
        progress: called with each number of bytes written.

    Raises:
        UsageError: the threshold is not positive, or `out_graph` is the input.
        PbslimError: the graph cannot be read, a constant has no readable value or one in another file, or the package
            cannot be written.
    """
    if min_conversion_tensor_size <= 0:
        raise UsageError(f"min_conversion_tensor_size must be > 0, not {min_conversion_tensor_size}")
    target = expanded(out_graph)
    if isinstance(in_graph, str | PathLike):
        require_apart(target, Path(in_graph))
    graph = load(in_graph)
    _require_unmapped(graph)
    mark = len(graph.journal)
    try:
        result, regions = _convert(graph, min_conversion_tensor_size, reference)
        result.regions = len(regions)
        result.mapped_bytes = sum(tensor.nbytes for tensor in regions.values())
        require_room(target, result.mapped_bytes)
        package = save_package(graph, regions.items(), target, progress)
    finally:
        graph.rollback(mark)
    result.graph_bytes = package.graph.length
    result.size = package.size
    return result


def _require_unmapped(graph: Graph) -> None:
    """Refuse constants that lie in other files already: no region of the package would have their elements."""
    for node in graph:
        if node.op == "ImmutableConst":
            raise GraphError(f"the value of node '{node.name}' (ImmutableConst) is in another file; {_WHOLE}")
    for function in graph.library.functions.values():
        if "ImmutableConst" in function.ops:
            raise GraphError(f"function '{function.name}' reads a value from another file; {_WHOLE}")


def _convert(graph: Graph, threshold: int, reference: bool) -> tuple[Conversion, dict[str, Tensor]]:
    """Let the constants of `graph` read regions; the second thing is what belongs into these, by name."""
    result = Conversion()
    chosen: list[tuple[str, Node, Tensor]] = []
    for name, node, returned in _constants(graph, reference, result):
        tensor = _value(name, node)
        if reason := _unsuitable(node, tensor, threshold, reference):
            result.kept.append(Remark(name, reason))
        elif (risk := _risk(node, returned)) and not reference:
            result.kept.append(Remark(name, risk))
        else:
            if risk:
                result.endangered.append(Remark(name, risk))
            chosen.append((name, node, tensor))
    same = {} if reference else _twins([tensor for *_, tensor in chosen])
    names = RegionNames()
    regions: dict[str, Tensor] = {}
    region_of: dict[int | str, str] = {}  # by the id of the first tensor with these bytes
    for name, node, tensor in chosen:
        first = same.get(id(tensor), tensor)
        key = name if reference else id(first)  # the reader shares one tensor between equal small constants
        if key not in region_of:
            region_of[key] = names.new(name)
            regions[region_of[key]] = first
        kept = {} if reference else kept_attributes(node, tensor)
        constant = MappedConstant(name, region_of[key], tensor.dtype, tensor.shape)
        become_immutable(node, constant, kept or {})
        result.converted.append(name)
    return result, regions


def _constants(graph: Graph, reference: bool, result: Conversion) -> Iterator[tuple[str, Node, frozenset[Value]]]:
    """Each Const: its full name, the node, and the values that the function around it returns."""
    for node in graph:
        if node.op == "Const":
            yield node.name, node, frozenset()
    if reference:
        return
    for function in graph.library.functions.values():
        if "Const" not in function.ops:
            continue
        try:
            body = function.body()
        except GraphError as error:
            result.kept.append(Remark(function.name, f"{UNREADABLE}: '{error}'"))
            continue
        returned = frozenset(map(body.value, body.returns.values()))
        for node in body.graph:
            if node.op == "Const":
                yield body.graph.scope + node.name, node, returned


def _value(name: str, node: Node) -> Tensor:
    """The value of a Const, decoded anew by each look where that takes memory: the graph would hold on to it."""
    stored = node.attrs.stored().get("value")
    try:
        value = stored.decode() if isinstance(stored, Encoded) else stored
    except DecodeError as error:
        raise DecodeError(f"node '{name}': {error}") from None
    if not isinstance(value, Tensor):
        raise GraphError(f"node '{name}' (Const) has no 'value' tensor")
    if isinstance(value, ArrayTensor) and isinstance(stored, Encoded):
        encoded = stored
        return DeferredTensor(lambda: _array(encoded), value.dtype, value.shape)
    return value


def _array(stored: Encoded) -> Array:
    value = stored.decode()
    if not isinstance(value, Tensor):
        raise DecodeError("the value of a constant has changed")
    return value.numpy()


def _unsuitable(node: Node, tensor: Tensor, threshold: int, reference: bool) -> str:
    """Why a constant is not to be mapped, whatever reads it."""
    if tensor.dtype.name not in (REFERENCE_TYPES if reference else TYPES):
        return f"its type is {tensor.dtype}"
    if tensor.nbytes < threshold:
        return BELOW
    if node.inputs:
        return "it has inputs, which no constant can have"
    return LOST if not reference and kept_attributes(node, tensor) is None else ""


def _risk(node: Node, returned: frozenset[Value]) -> str:
    """The op that may take over the memory of the constant `node`, empty if none does."""
    todo, seen = [node], {node}
    while todo:
        for value in todo.pop().outputs:
            if value in returned:
                return f"{WRITER}: 'return' (whoever calls the function)"
            for user, slot in value.uses:
                if buffers.hands_on(user.op, slot):
                    if user not in seen:
                        seen.add(user)
                        todo.append(user)
                elif not buffers.only_reads(user.op, slot):
                    return f"{WRITER}: '{user.name}' ({user.op})"
    return ""


def _twins(tensors: Sequence[Tensor]) -> dict[int, Tensor]:
    """For each tensor (by id) the first one of the same bytes; only those that look alike are read whole."""
    groups: dict[object, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.nbytes, []).append(tensor)
    for key in (_head, _digest):
        finer: dict[object, list[Tensor]] = {}
        for group in groups.values():
            for tensor in group:
                same = (tensor.nbytes, key(tensor)) if len(group) > 1 else id(tensor)
                finer.setdefault(same, []).append(tensor)
        groups = finer
    return {id(tensor): group[0] for group in groups.values() for tensor in group}


def _head(tensor: Tensor) -> bytes:
    return np.ascontiguousarray(next(tensor.chunks())[:_PROBE_ELEMENTS]).tobytes()


def _digest(tensor: Tensor) -> bytes:
    digest = hashlib.sha256()
    for chunk in tensor.chunks():
        digest.update(np.ascontiguousarray(chunk).view(np.uint8).data)
    return digest.digest()
