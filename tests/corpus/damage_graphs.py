"""Damaged graphs, each made from a seed: ops, edges, attributes and values spoiled, and the bytes of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from pbslim.kernels import kernel_names
from pbslim.wire import schema
from tests.corpus.damage import BYTES, NODES, Spoiler, hostile, nodes_of

TYPES = [*range(31), 99, 101, 103, -5]
FLOATS = [float("nan"), float("inf"), -1.0, 0.0, 1e30, 3.4e38]
TEXTS = [b"", b"NCHW", b"NHWC", b"SAME", b"VALID", b"EXPLICIT", b"MIN_FIRST", b"\xff\xfe", b"x" * 50]
OPS = ["Switch", "Merge", "Enter", "Exit", "NextIteration", "If", "StatelessWhile", "PartitionedCall", "Placeholder"]
OPS += ["FusedBatchNorm", "Conv2DBackpropInput", "QuantizedConv2D", "ImmutableConst", "VariableV2", *kernel_names()]
PORTS = [":1", ":7", ":0", ":out:0", ""]


def _signed(random: Random) -> int:
    return min(hostile(random), (1 << 63) - 1) * random.choice([1, 1, -1])


def _dimensions(shape: Any, random: Random) -> None:
    what = random.randrange(3)
    if what == 0:
        shape.unknown_rank = not shape.unknown_rank
    elif what == 1 or not shape.dim:
        shape.dim.add(size=random.choice([0, 1, 2, -1, _signed(random)]))
    else:
        random.choice(shape.dim).size = random.choice([0, 1, 2, -1, _signed(random)])


def _tensor(tensor: Any, random: Random) -> None:
    what = random.randrange(5)
    if what == 0:
        tensor.dtype = random.choice(TYPES)
    elif what == 1:
        _dimensions(tensor.tensor_shape, random)
    elif what == 2:
        tensor.tensor_content = random.choice([tensor.tensor_content[:-1], tensor.tensor_content * 2, b"", b"1234"])
    elif what == 3:
        tensor.float_val.append(random.choice(FLOATS))
    else:
        tensor.Clear()


def _list(values: Any, random: Random) -> None:
    filled = [field.name for field, _ in values.ListFields()]
    if filled and random.random() < 0.6:
        del getattr(values, random.choice(filled))[0]
    elif random.random() < 0.5:
        values.i.append(_signed(random))
    else:
        values.type.append(random.choice(TYPES))


VALUES: dict[str, Callable[[Any, Random], None]] = {
    "tensor": lambda value, random: _tensor(value.tensor, random),
    "shape": lambda value, random: _dimensions(value.shape, random),
    "list": lambda value, random: _list(value.list, random),
    "type": lambda value, random: setattr(value, "type", random.choice(TYPES)),
    "i": lambda value, random: setattr(value, "i", _signed(random)),
    "f": lambda value, random: setattr(value, "f", random.choice(FLOATS)),
    "b": lambda value, _: setattr(value, "b", not value.b),
    "s": lambda value, random: setattr(value, "s", random.choice(TEXTS)),
    "func": lambda value, random: setattr(value.func, "name", random.choice(["", "gone", value.func.name + "_"])),
}


def _value(message: Any, _node: Any, random: Random) -> None:
    having = [node for node in nodes_of(message) if node.attr]
    if having:
        node = random.choice(having)
        value = node.attr[random.choice(list(node.attr))]
        kind = value.WhichOneof("value")
        if kind in VALUES:
            VALUES[kind](value, random)


def _attribute(message: Any, node: Any, random: Random) -> None:
    other = random.choice(nodes_of(message))
    if node.attr and random.random() < 0.5:
        node.attr.pop(random.choice(list(node.attr)))
    elif other.attr:
        key = random.choice(list(other.attr))
        node.attr[random.choice([key, *node.attr])].CopyFrom(other.attr[key])


def _edge(message: Any, node: Any, random: Random) -> None:
    if node.input:
        other = random.choice(nodes_of(message)).name
        slot = random.randrange(len(node.input))
        node.input[slot] = random.choice(["", "^"]) + other + random.choice(PORTS)


def _fewer_edges(_message: Any, node: Any, random: Random) -> None:
    if node.input:
        del node.input[random.randrange(len(node.input))]


def _known_op(_message: Any, node: Any, random: Random) -> None:
    node.op = random.choice(OPS)


SPOILERS: list[Spoiler] = [*[_value] * 6, *[_edge, _known_op, _attribute] * 2, _fewer_edges, *NODES]


def damaged_graph(seed: int, graphs: Sequence[bytes]) -> bytes:
    """One of `graphs` with a few things wrong with it."""
    random = Random(seed)  # noqa: S311 - nothing secret
    data = random.choice(graphs)
    if random.random() < 0.2:
        return random.choice(BYTES)(data, random)
    message = schema.new("GraphDef")
    message.ParseFromString(data)
    for _ in range(random.choice([1, 1, 2, 3, 6])):
        nodes = nodes_of(message)
        if nodes:
            random.choice(SPOILERS)(message, random.choice(nodes), random)
    return bytes(message.SerializeToString())
