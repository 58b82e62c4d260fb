"""Untouched nodes that follow each other are written at once; the bytes are those of writing one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pbslim.wire.read import read_graph
from pbslim.wire.varint import LEN, length_delimited, tag, varint
from pbslim.wire.write import to_bytes

FIELD = st.tuples(
    st.integers(0, 20_000),  # bytes of the device
    st.sampled_from(["short", "long tag", "long length", "after another field"]),
    st.sampled_from(["kept", "erased", "changed"]),
)


def _content(name: bytes, device: bytes) -> bytes:
    return length_delimited(1, name) + length_delimited(2, b"NoOp") + length_delimited(4, device)


def _longer(number: bytes) -> bytes:
    """The same number in one byte more than it takes."""
    return number[:-1] + bytes([number[-1] | 0x80, 0])


@given(st.lists(FIELD, max_size=6))
def test_the_bytes_are_those_of_writing_one_by_one(nodes: list[tuple[int, str, str]]) -> None:
    file, expected, rest = b"", b"", b""
    for k, (size, written, fate) in enumerate(nodes):
        name = b"n%d" % k
        content = _content(name, b"d" * (size + 1))
        head, length = tag(1, LEN), varint(len(content))
        if written == "after another field":
            file += length_delimited(15, b"?")
            rest += length_delimited(15, b"?")
        file += _longer(head) if written == "long tag" else head
        file += _longer(length) if written == "long length" else length
        file += content
        if fate != "erased":
            expected += length_delimited(1, content if fate == "kept" else _content(name, b"other"))
    graph = read_graph(file)
    for k, (*_, fate) in enumerate(nodes):
        if fate == "erased":
            graph.erase([graph[f"n{k}"]])
        elif fate == "changed":
            graph[f"n{k}"].set_device("other")
    if graph.edited:
        assert to_bytes(graph) == expected + rest
    else:
        assert to_bytes(graph) == file
