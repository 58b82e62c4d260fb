"""NodeDef ↔ `Node`: names and edges are read, the rest is skipped; untouched nodes go back as their own bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pbslim.errors import DecodeError, GraphError
from pbslim.ir import Attributes, AttrValue, Encoded, Node, Value
from pbslim.wire.attributes import EncodedAttr, encode_attr, total
from pbslim.wire.mapping import Source
from pbslim.wire.tensors import Piece
from pbslim.wire.varint import LEN, VARINT, fields, length_delimited, read_varint, tag, varint

_NAME, _OP, _INPUT, _DEVICE, _ATTR = 1, 2, 3, 4, 5
_KEY, _VALUE = 1, 2
_COPY_BYTES = 1 << 20

Part = bytes | Piece
Spelling = Callable[[Value], str]


EXPLICIT_PORTS = object()
"""The origin of a new node that is to be written with port 0 as ``x:0``, in its own inputs and by those who read it."""


def spelled(value: Value) -> str:
    """How a GraphDef writes `value` in the inputs of its readers."""
    return _with_port(value) if value.node.origin is EXPLICIT_PORTS else value.name


def _with_port(value: Value) -> str:
    return f"{value.node.name}:{value.port}"


@dataclass(frozen=True)
class NodeOrigin:
    """Where a node came from: its bytes, and what they say, to know later whether they still hold.

    Attributes:
        data_inputs: the strings of the data inputs, in order.
        control_inputs: the strings of the control inputs, without ``^``.
        unknown: spans of fields that pbslim does not know, tags included; they are kept.
    """

    source: Source
    start: int
    end: int
    name: str
    op: str
    device: str
    data_inputs: tuple[str, ...]
    control_inputs: tuple[str, ...]
    attrs: Attributes
    unknown: tuple[tuple[int, int], ...]


def read_node(source: Source, view: memoryview, start: int, end: int, index: int) -> NodeOrigin:
    """The node in these bytes, number `index` of its graph.

    Raises:
        DecodeError: they are not a NodeDef, or it has no name.
    """
    name = op = device = ""
    data: list[str] = []
    controls: list[str] = []
    attrs: dict[str, AttrValue | Encoded] = {}
    unknown: list[tuple[int, int]] = []
    last = start
    for number, kind, at, stop in fields(view, start, end, "a node"):
        if kind != LEN or not _NAME <= number <= _ATTR:
            unknown.append((last, stop))
        elif number == _INPUT:
            text = read_text(view, at, stop, "an input")
            if text.startswith("^"):
                controls.append(text[1:])
            else:
                data.append(text)
        elif number == _ATTR:
            key, value_start, value_stop = _read_attr(view, at, stop)
            attrs[key] = EncodedAttr(source, value_start, value_stop)
        elif number == _NAME:
            name = read_text(view, at, stop, "a node's name")
        elif number == _OP:
            op = read_text(view, at, stop, "an op")
        else:
            device = read_text(view, at, stop, "a device")
        last = stop
    if not name:
        raise DecodeError(f"node number {index} (op '{op}') has no name")
    held = Attributes(attrs)
    return NodeOrigin(source, start, end, name, op, device, tuple(data), tuple(controls), held, tuple(unknown))


def _read_attr(view: memoryview, start: int, end: int) -> tuple[str, int, int]:
    key, value = "", (end, end)
    for number, kind, at, stop in fields(view, start, end, "an attribute"):
        if number == _KEY and kind == LEN:
            key = read_text(view, at, stop, "an attribute's name")
        elif number == _VALUE and kind == LEN:
            value = (at, stop)
    return key, *value


def split_input(text: str) -> tuple[str, int]:
    """Node name and port of a data input: ``x`` is port 0 of x, ``x:1`` port 1."""
    name, colon, port = text.partition(":")
    if not colon:
        return text, 0
    digits = port.partition(":")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise GraphError(f"input '{text}' does not name an output port by its number")
    return name, int(digits)


def input_text(node: Node, slot: int) -> str:
    """Data input `slot` of `node` as its file spells it (``x`` or ``x:0``), as long as it is the same."""
    value, origin = node.inputs[slot], node.origin
    if isinstance(origin, NodeOrigin) and slot < len(origin.data_inputs):
        text = origin.data_inputs[slot]
        if split_input(text) == (value.node.name, value.port):
            return text
    return _with_port(value) if origin is EXPLICIT_PORTS else spelled(value)


def spelled_inputs(node: Node) -> list[str]:
    """All inputs of `node` as its file spells them, as far as they are the same; control inputs last, with ``^``."""
    controls, origin = [control.name for control in node.controls], node.origin
    if isinstance(origin, NodeOrigin) and {text.partition(":")[0] for text in origin.control_inputs} == set(controls):
        controls = list(origin.control_inputs)
    return [input_text(node, slot) for slot in range(len(node.inputs))] + [f"^{name}" for name in controls]


def first_text(view: memoryview, start: int, end: int, wanted: int) -> str:
    """The first text in field `wanted` of a message, empty when there is none."""
    for number, kind, at, stop in fields(view, start, end, "a message"):
        if number == wanted and kind == LEN:
            return read_text(view, at, stop, "a name")
    return ""


def first_number(view: memoryview, start: int, end: int, wanted: int) -> int:
    """The first number in field `wanted` of a message, 0 when there is none."""
    for number, kind, at, stop in fields(view, start, end, "a message"):
        if number == wanted and kind == VARINT:
            return read_varint(view, at, stop)[0]
    return 0


def read_text(view: memoryview, start: int, stop: int, what: str) -> str:
    """The text in these bytes; `what` names it in the DecodeError when they are not UTF-8."""
    try:
        return str(view[start:stop], "utf-8")
    except UnicodeDecodeError:
        raise DecodeError(f"{what} at byte {start} is not UTF-8 text") from None


def span(source: Source, start: int, stop: int) -> Piece:
    """Bytes that are copied from a source as they are, a piece at a time."""

    def pieces() -> Iterator[memoryview]:
        for at in range(start, stop, _COPY_BYTES):
            yield source.read(at, min(at + _COPY_BYTES, stop))

    return Piece(stop - start, pieces)


def is_untouched(node: Node, spell: Spelling = spelled) -> bool:
    """Whether `node` still is what its origin says."""
    origin = node.origin
    return (
        isinstance(origin, NodeOrigin)
        and node.attrs is origin.attrs
        and node.name == origin.name
        and node.op == origin.op
        and node.device == origin.device
        and [_normal(spell(value)) for value in node.inputs] == [_normal(text) for text in origin.data_inputs]
        and {control.name for control in node.controls} == {text.partition(":")[0] for text in origin.control_inputs}
    )


def _normal(text: str) -> str:
    return text.removesuffix(":0")


def node_parts(node: Node, spell: Spelling = spelled) -> list[Part]:
    """The NodeDef message of `node`, in which `spell` writes the inputs."""
    origin = node.origin
    if isinstance(origin, NodeOrigin) and is_untouched(node, spell):
        return [span(origin.source, origin.start, origin.end)]
    head = [length_delimited(1, node.name.encode()), length_delimited(2, node.op.encode())]
    if spell is spelled:
        inputs = [input_text(node, slot) for slot in range(len(node.inputs))]
    else:
        inputs = [spell(value) for value in node.inputs]
    head += [length_delimited(3, text.encode()) for text in inputs]
    head += [length_delimited(3, f"^{control.name}".encode()) for control in node.controls]
    if node.device:
        head.append(length_delimited(4, node.device.encode()))
    parts: list[Part] = [b"".join(head)]
    for key, value in sorted(node.attrs.stored().items()):
        if isinstance(value, EncodedAttr):
            content: list[Part] = [span(value.source, value.start, value.end)]
        else:
            assert not isinstance(value, Encoded)  # noqa: S101 - files are read by this package alone
            content = encode_attr(value)
        size = total(content)
        entry = length_delimited(1, key.encode()) + tag(2, LEN) + varint(size)
        parts.append(tag(5, LEN) + varint(len(entry) + size) + entry)
        parts += content
    if isinstance(origin, NodeOrigin):
        parts += [span(origin.source, start, stop) for start, stop in origin.unknown]
    return parts
