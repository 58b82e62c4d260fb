"""NodeDef ↔ `Node`: names and edges are read, the rest is skipped; untouched nodes go back as their own bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pbslim.errors import DecodeError
from pbslim.ir import Attributes, AttrValue, Draft, Encoded, Node, Value
from pbslim.ir.inputs import controlling, is_control, split_input
from pbslim.wire.attributes import HELD_BYTES, EncodedAttr, encode_attr, read_entry
from pbslim.wire.parts import Part, span, total
from pbslim.wire.sources import Source
from pbslim.wire.varint import LEN, MessageError, fields, length_delimited, read_text, tag, varint

_NAME, _OP, _INPUT, _DEVICE, _ATTR = 1, 2, 3, 4, 5
SMALL_BYTES = 1 << 11
"""Nodes up to this size are read many at once."""
_NAME_TAG, _OP_TAG, _INPUT_TAG = (number << 3 | LEN for number in (_NAME, _OP, _INPUT))

Spelling = Callable[[Value], str]


EXPLICIT_PORTS = object()
"""The origin of a new node that is to be written with port 0 as ``x:0``, in its own inputs and by those who read it."""


def spelled(value: Value) -> str:
    """How a GraphDef writes `value` in the inputs of its readers."""
    return _with_port(value) if value.node.origin is EXPLICIT_PORTS else value.name


def _with_port(value: Value) -> str:
    return f"{value.node.name}:{value.port}"


class NodeOrigin:
    """Where a node came from: its bytes in a file."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end

    def draft(self) -> Draft:
        """What the bytes say."""
        return NodeReader(self.source).at(self.start, self.end, 0)

    def unknown(self) -> Iterator[tuple[int, int]]:
        """Spans of fields that pbslim does not know, tags included; they are kept."""
        last = self.start
        for number, kind, _, stop in fields(self.source, self.start, self.end, "a node"):
            if kind != LEN or not _NAME <= number <= _ATTR:
                yield last, stop
            last = stop


def read_node(source: Source, start: int, end: int, index: int) -> Draft:
    """The node in these bytes, number `index` of its graph.

    Raises:
        DecodeError: they are not a NodeDef, or it has no name.
    """
    name = op = device = ""
    inputs: list[str] = []
    attrs: dict[str, AttrValue | Encoded] = {}
    for number, kind, at, stop in fields(source, start, end, "a node"):
        if kind != LEN:
            continue
        if number == _INPUT:
            inputs.append(read_text(source, at, stop, "an input"))
        elif number == _ATTR:
            key, first, last = read_entry(source, at, stop)
            attrs[key] = _held(source, first, last)
        elif number == _NAME:
            name = read_text(source, at, stop, "a node's name")
        elif number == _OP:
            op = read_text(source, at, stop, "an op")
        elif number == _DEVICE:
            device = read_text(source, at, stop, "a device")
    if not name:
        raise DecodeError(f"node number {index} (op '{op}') has no name")
    return Draft(name, op, device, tuple(inputs), Attributes(attrs), NodeOrigin(source, start, end))


def _held(source: Source, start: int, stop: int) -> EncodedAttr:
    found = EncodedAttr(source, start, stop)
    found.check()
    if isinstance(source, memoryview) or found.size > HELD_BYTES:
        return found
    return EncodedAttr(source[start:stop], 0, found.size)


class NodeReader:
    """Reads the many small nodes of a file, a batch at a time.

    Nodes are written as name, op and inputs, then device and attributes. These are often the same bytes as before, and
    then the same objects, which is quick and takes little memory.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts: dict[bytes, str] = {}
        self._rests: dict[bytes, tuple[str, Attributes]] = {}
        self._entries: dict[bytes, tuple[str, EncodedAttr]] = {}

    def at(self, start: int, stop: int, index: int) -> Draft:
        """The node in these bytes of the file, number `index` of its graph.

        Raises:
            DecodeError: they are not a NodeDef, or it has no name.
        """
        if stop - start > SMALL_BYTES:
            return read_node(self._source, start, stop, index)
        return self._node(bytes(self._source[start:stop]), start, 0, stop - start, index)

    def batch(self, data: bytes, offset: int, spans: Sequence[tuple[int, int]], index: int) -> list[Draft]:
        """The nodes at `spans` of `data`, which is what stands in the file at `offset`; the first is number `index`.

        Raises:
            DecodeError: one of them is not a NodeDef, or has no name.
        """
        return [self._node(data, offset, *span, index + i) for i, span in enumerate(spans)]

    def _node(self, data: bytes, offset: int, start: int, stop: int, index: int) -> Draft:
        try:
            name, op, inputs, at = _beginning(data, start, stop)
            rest = data[at:stop]
            found = self._rests.get(rest)
            if found is None:
                found = self._rests[rest] = self._rest(rest)
        except (_UncommonError, MessageError):  # slower, and able to say what is wrong
            return read_node(self._source, offset + start, offset + stop, index)
        origin = NodeOrigin(self._source, offset + start, offset + stop)
        return Draft(name, self._text(op), found[0], inputs, found[1], origin)

    def _rest(self, rest: bytes) -> tuple[str, Attributes]:
        """Device and attributes."""
        device, entries = "", []
        for number, kind, start, stop in fields(rest, 0, len(rest), "a node"):
            if kind != LEN or number not in (_DEVICE, _ATTR):
                raise _UncommonError
            if number == _DEVICE:
                device = self._text(rest[start:stop])
            else:
                entries.append(rest[start:stop])
        return device, Attributes(dict(map(self._entry, entries)))

    def _text(self, encoded: bytes) -> str:
        found = self._texts.get(encoded)
        if found is None:
            found = self._texts[encoded] = read_text(encoded, 0, len(encoded), "an op or a device")
        return found

    def _entry(self, entry: bytes) -> tuple[str, EncodedAttr]:
        found = self._entries.get(entry)
        if found is None:
            key, start, stop = read_entry(entry, 0, len(entry))
            value = EncodedAttr(entry, start, stop)
            value.check()
            found = self._entries[entry] = key, value
        return found


class _UncommonError(Exception):
    """A node that is not written as nearly all are."""


def _beginning(data: bytes, at: int, end: int) -> tuple[str, bytes, tuple[str, ...], int]:
    """Name, op and inputs of a node, and where the rest starts."""
    name, op = "", b""
    inputs: list[str] = []
    try:
        while at < end and (tag := data[at]) <= _INPUT_TAG:
            size = data[at + 1]
            at += 2
            if size >= 0x80:
                size = size & 0x7F | data[at] << 7
                at += 1
            content = data[at : at + size]
            at += size
            if tag == _INPUT_TAG:
                inputs.append(content.decode())
            elif tag == _OP_TAG:
                op = content
            elif tag == _NAME_TAG:
                name = content.decode()
            else:
                raise _UncommonError
    except (UnicodeDecodeError, IndexError):
        raise _UncommonError from None
    if at > end or not name:
        raise _UncommonError
    return name, op, tuple(inputs), at


def input_text(node: Node, slot: int) -> str:
    """Data input `slot` of `node` as its file spells it (``x`` or ``x:0``), as long as it is the same."""
    return spelled_inputs(node)[slot]


def spelled_inputs(node: Node) -> list[str]:
    """All inputs of `node` as its file spells them, as far as they are the same; control inputs last, with ``^``."""
    return _spelled_inputs(node, node.origin.draft().inputs if isinstance(node.origin, NodeOrigin) else ())


def _spelled_inputs(node: Node, written: Sequence[str]) -> list[str]:
    if node.origin is EXPLICIT_PORTS:
        return [*map(_with_port, node.inputs), *(f"^{control.name}" for control in node.controls)]
    data = [text for text in written if not is_control(text)]
    for slot, value in enumerate(node.inputs):
        if slot >= len(data) or split_input(data[slot]) != (value.node.name, value.port):
            data[slot : slot + 1] = [spelled(value)]
    controls = [text for text in written if is_control(text)]
    if {controlling(text) for text in controls} != {control.name for control in node.controls}:
        controls = [f"^{control.name}" for control in node.controls]
    return data[: len(node.inputs)] + controls


def is_untouched(node: Node, spell: Spelling = spelled) -> bool:
    """Whether `node` still is what its origin says."""
    origin = node.origin
    if not isinstance(origin, NodeOrigin):
        return False
    return (not node.touched and spell is spelled) or _says(origin.draft(), node, spell)


def _says(draft: Draft, node: Node, spell: Spelling) -> bool:
    """Whether a file has `node` as it is."""
    data = [_normal(text) for text in draft.inputs if not is_control(text)]
    return (
        (node.name, node.op, node.device) == (draft.name, draft.op, draft.device)
        and (not node.touched or _same_attributes(node.attrs, draft.attrs))
        and [_normal(spell(value)) for value in node.inputs] == data
        and {control.name for control in node.controls} == {controlling(t) for t in draft.inputs if is_control(t)}
    )


def _normal(text: str) -> str:
    return text.removesuffix(":0")


def _same_attributes(first: Attributes, second: Attributes) -> bool:
    a, b = first.stored(), second.stored()
    return a.keys() == b.keys() and all(_same_message(value, b[key]) for key, value in a.items())


def _same_message(a: AttrValue | Encoded, b: AttrValue | Encoded) -> bool:
    if not isinstance(a, EncodedAttr) or not isinstance(b, EncodedAttr):
        return False
    if a.size > HELD_BYTES:  # still in the file
        return (a.source, a.start, a.end) == (b.source, b.start, b.end)
    return a.source[a.start : a.end] == b.source[b.start : b.end]


def node_parts(node: Node, spell: Spelling = spelled) -> list[Part]:
    """The NodeDef message of `node`, in which `spell` writes the inputs."""
    origin = node.origin
    written: tuple[str, ...] = ()
    if isinstance(origin, NodeOrigin):
        draft = origin.draft() if node.touched or spell is not spelled else None
        if draft is None or _says(draft, node, spell):
            return [span(origin.source, origin.start, origin.end)]
        written = draft.inputs
    head = [length_delimited(1, node.name.encode()), length_delimited(2, node.op.encode())]
    if spell is spelled:
        inputs = _spelled_inputs(node, written)
    else:
        inputs = [*map(spell, node.inputs), *(f"^{control.name}" for control in node.controls)]
    head += [length_delimited(3, text.encode()) for text in inputs]
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
        parts += [span(origin.source, start, stop) for start, stop in origin.unknown()]
    return parts
