"""Damaged memory-mapped packages, each made from a seed: bytes, directory and graph spoiled as an enemy would do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from pbslim.wire.packages import GRAPH_REGION, PREFIX
from pbslim.wire.varint import length_delimited, tag, varint
from tests.packages import Entry, Pieces, take_apart

NUMBERS = [0, 1, 2, 7, 8, 9, 31, 63, 64, 65, 127, 128, 255, 256, 4095, 4096, 65535]
NUMBERS += [power + off for power in (1 << 31, 1 << 32, 1 << 48, 1 << 62, 1 << 63, 1 << 64) for off in (-64, -1, 0, 64)]
REGIONS = [b"", b".", b"..", b"/", b"../../etc/passwd", b"w\n\x1b[31m", b"\xff\xfe", b"x" * 5000, "ü".encode()]
FILES = [b"/etc/passwd", b"/dev/zero", b"relative", b"file:///etc/passwd", b"", b"\xff", b"memmapped_package:/w"]
NAMES = ["", ".", "a b", "a\nb", "\x1b[2J", "w:0", "^w", "/", "ü", "_", "n" * 5000]
INPUTS = ["^gone", "gone", "gone:1", "x:99999999999999999999", ":", "^", "x:-1", "x:y", "x:0:1"]


def hostile(random: Random, near: int = 0) -> int:
    """A number of 64 bits that hurts, often one close to `near`."""
    if random.random() < 0.4:
        return max(0, near + random.choice([-65, -64, -63, -1, 0, 1, 63, 64, 65]))
    return min(random.choice(NUMBERS), (1 << 64) - 1)


# Bytes


def flip(data: bytes, random: Random) -> bytes:
    """A few bytes are others; most near the end, where few mean much."""
    spoiled = bytearray(data)
    for _ in range(random.randint(1, 8) if data else 0):
        near = min(len(data), random.choice([12, 300, 3000, len(data)]))
        spoiled[-random.randint(1, near)] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
    return bytes(spoiled)


def truncate(data: bytes, random: Random) -> bytes:
    """The end or the start is missing."""
    cut = min(len(data), random.choice([1, 7, 8, 9, 64, random.randint(0, 300), random.randint(0, len(data))]))
    return data[cut:] if random.random() < 0.2 else data[: len(data) - cut]


def insert(data: bytes, random: Random) -> bytes:
    """Bytes too many, at the end or anywhere."""
    more = random.choice(
        [bytes(random.randint(1, 200)), random.randbytes(random.randint(1, 200)), data[-random.randint(1, 200) :]]
    )
    at = random.choice([0, len(data), len(data) - 8, random.randint(0, len(data))])
    return data[:at] + more + data[at:]


def overwrite(data: bytes, random: Random) -> bytes:
    """A span of zeros, ones, noise or another part of the file."""
    size = min(len(data), random.choice([4, 64, 1000, 50_000]))
    at, other = random.randint(0, len(data) - size), random.randint(0, len(data) - size)
    span = random.choice([bytes(size), b"\xff" * size, random.randbytes(size), data[other : other + size]])
    return data[:at] + span + data[at + size :]


def splice(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """The head of one package and the tail of another."""
    other = random.choice(others)
    tail = random.choice([8, random.randint(0, min(len(other), 3000)), random.randint(0, len(other))])
    return data[: random.randint(0, len(data))] + other[len(other) - tail :]


BYTES = [flip, flip, flip, truncate, insert, overwrite]


# Directory


def spoil_directory(pieces: Pieces, random: Random) -> None:
    """The directory says something else."""
    entries, one = pieces.entries, random.choice(pieces.entries)
    what = random.randrange(12)
    if what == 0:
        one.offset = hostile(random, one.offset)
    elif what == 1:
        one.length = hostile(random, one.length)
    elif what == 2:
        one.name = PREFIX.encode() + random.choice(REGIONS)
    elif what == 3:
        one.name = random.choice([*REGIONS, random.choice(entries).name])
    elif what == 4 and len(entries) > 1:
        entries.remove(one)
    elif what == 5:
        entries.insert(random.randint(0, len(entries)), Entry(one.name, hostile(random, one.offset), one.length))
    elif what == 6:
        random.shuffle(entries)
    elif what == 7:
        for entry in entries:
            entry.length = 0
    elif what == 8:
        pieces.offset = hostile(random, len(pieces.body))
    elif what == 9:
        pieces.extra = random.choice(
            [
                length_delimited(2, random.randbytes(30)),
                length_delimited(1, b""),
                tag(1, 0) + varint(5),
                tag(1, 2) + varint(hostile(random)),
                tag(1, 3) * random.randint(1, 20_000),
                b"\xff" * random.randint(1, 30),
                random.randbytes(random.randint(1, 60)),
            ]
        )
    elif what == 10:
        one.offset, one.length = one.offset + 64, max(0, one.length - 64)
    else:
        first, second = random.choice(entries), random.choice(entries)
        first.name, second.name = second.name, first.name


# Graph


def nodes_of(message: Any) -> list[Any]:
    """The nodes of a GraphDef message, those in functions included."""
    return [*message.node, *(node for function in message.library.function for node in function.node_def)]


def spoil_graph(message: Any, random: Random) -> None:
    """One thing in the graph is wrong, most often a constant in a region."""
    nodes = nodes_of(message)
    mapped = [node for node in nodes if node.op == "ImmutableConst"]
    node = random.choice(mapped if mapped and random.random() < 0.8 else nodes)
    random.choice(GRAPH)(message, node, random)


def _dtype(_message: Any, node: Any, random: Random) -> None:
    node.attr["dtype"].type = random.choice([*range(31), 101, 107, -1, 99, (1 << 31) - 1])


def _shape(_message: Any, node: Any, random: Random) -> None:
    shape = node.attr["shape"].shape
    if random.random() < 0.5:
        del shape.dim[:]
    for _ in range(random.choice([0, 1, 2, 3, 70, 300])):
        size = random.choice([0, 1, -1, 2, hostile(random)])
        shape.dim.add(size=min(size, (1 << 63) - 1))
    shape.unknown_rank = random.random() < 0.1


def _region(message: Any, node: Any, random: Random) -> None:
    others = [other.attr["memory_region_name"].s for other in message.node if other.op == "ImmutableConst"]
    inside = [PREFIX.encode() + name for name in REGIONS]
    node.attr["memory_region_name"].s = random.choice([*others, *FILES, *inside, GRAPH_REGION.encode()])


def _attribute(message: Any, node: Any, random: Random) -> None:
    keys = ["dtype", "shape", "memory_region_name", "value", "_pbslim_listed", "_class", "mine"]
    key, other = random.choice(keys), random.choice(nodes_of(message))
    what = random.randrange(6)
    if what == 0:
        node.attr.pop(key, None)
    elif what == 1:
        node.attr[key].i = random.choice([0, 1, 2, -1, 5, (1 << 63) - 1])
    elif what == 2:
        node.attr[key].s = random.randbytes(random.randint(0, 40))
    elif what == 3 and other.attr:
        node.attr[key].CopyFrom(other.attr[random.choice(list(other.attr))])
    elif what == 4:
        node.attr[key].list.s.extend([b"loc:@gone", b"\xff"])
    else:
        tensor = node.attr[key].tensor
        tensor.dtype = random.choice([1, 3, 7, 9, 14, 99])
        tensor.tensor_shape.dim.add(size=random.choice([0, 1, 4, -1, (1 << 63) - 1]))
        tensor.tensor_content = random.randbytes(random.choice([0, 4, 16]))
        tensor.int_val.extend(range(random.choice([0, 1, 4])))


def _inputs(message: Any, node: Any, random: Random) -> None:
    node.input.append(random.choice([*INPUTS, node.name, random.choice(message.node).name]))


def _op(message: Any, node: Any, random: Random) -> None:
    node.op = random.choice(["ImmutableConst", "Const", "NoOp", "", "x" * 5000, random.choice(message.node).op])


def _name(message: Any, node: Any, random: Random) -> None:
    node.name = random.choice([*NAMES, random.choice(nodes_of(message)).name])


def _more(message: Any, node: Any, random: Random) -> None:
    for k in range(random.choice([1, 2, 100])):
        copy = message.node.add()
        copy.CopyFrom(node)
        copy.name = f"{node.name}_{k}" if random.random() < 0.99 else node.name


def _fewer(message: Any, _node: Any, random: Random) -> None:
    del message.node[random.randint(1, len(message.node)) :]


def _function(message: Any, node: Any, random: Random) -> None:
    function = random.choice(message.library.function) if message.library.function else message.library.function.add()
    what = random.randrange(5)
    if what == 0:
        function.signature.name = random.choice([*NAMES, "Reads"])
    elif what == 1:
        function.node_def.add().CopyFrom(node)
    elif what == 2:
        function.ret[random.choice(["result", "", "other"])] = random.choice(INPUTS)
    elif what == 3:
        function.signature.input_arg.add(name=random.choice(NAMES), type=random.choice([0, 1, 99]))
    else:
        message.library.function.add().CopyFrom(function)


Spoiler = Callable[[Any, Any, Random], None]
"""Takes a GraphDef message, a node in it, and what decides."""

NODES: list[Spoiler] = [_inputs, _op, _name, _more, _fewer, _function]
GRAPH: list[Spoiler] = [*[_dtype, _shape, _region, _attribute] * 2, *NODES]  # some twice: packages are about them


def damaged(seed: int, packages: Sequence[bytes]) -> bytes:
    """One of `packages` with one to three things wrong with it."""
    random = Random(seed)  # noqa: S311 - nothing secret
    data = random.choice(packages)
    what = random.randrange(10)
    if what < 8:
        pieces = take_apart(data)
        for _ in range(random.choice([1, 1, 2, 3])):
            if what < 3:
                spoil_directory(pieces, random)
            elif what < 7:
                message = pieces.graph
                spoil_graph(message, random)
                pieces.graph = message
            else:
                start = pieces["."].offset
                pieces.graph = random.choice(BYTES)(pieces.body[start : start + pieces["."].length], random)
        data = pieces.to_bytes()
    if what >= 8 or random.random() < 0.1:
        data = splice(data, random, packages) if random.random() < 0.2 else random.choice(BYTES)(data, random)
    return data
