"""Load a graph from a file or bytes, binary or text; save it whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

from pbslim.errors import DecodeError, GraphError, PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.wire import memmapped, packages, schema
from pbslim.wire.models import freeze_model, is_model
from pbslim.wire.outputs import replacing
from pbslim.wire.parts import total
from pbslim.wire.paths import expanded
from pbslim.wire.read import read_graph, sources_of
from pbslim.wire.sources import InputFile, Source, open_source
from pbslim.wire.write import graph_parts, to_bytes, write_parts

_HEAD, _TAIL = 1 << 16, 8
PROTOBUF_LIMIT = (1 << 31) - 1
"""TensorFlow cannot read a message of more bytes than this."""


class Message(Protocol):
    """A ``GraphDef`` message, of TensorFlow's class or any other."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The bytes of the message."""
        ...


GraphLike: TypeAlias = "Graph | Message | bytes | str | PathLike[str]"
"""A graph, TensorFlow's ``GraphDef`` message, the bytes of one, or the path of a file or of a model's folder."""


def load(source: GraphLike) -> Graph:
    """The graph in a GraphDef file (binary or text), in a memory-mapped package, or in the bytes of one of these.

    The folder of a SavedModel, or a checkpoint with its ``.meta``, gives the graph that `pbslim.freeze` makes of it.

    A GraphDef message, TensorFlow's or any other, will do as well, and a `Graph` is taken as it is.

    Constants are not read yet; those that a package maps are ordinary ones in the graph. ``-`` is standard input.

    A file stays open as long as the graph lives; it must not be changed meanwhile.

    Raises:
        DecodeError: it is not a GraphDef; the message says what it is instead and what to do.
        GraphError: it is one, but nodes have no name or share one.
        UsageError: `source` is none of these things.
    """
    if isinstance(source, Graph):
        return source
    if isinstance(source, bytes):
        return load_from(memoryview(source), Path("<bytes>"))
    if isinstance(source, str | PathLike):
        path = Path(source)
        return freeze_model(expanded(path)) if is_model(expanded(path)) else load_from(open_source(path), path)
    return _from_message(source)


def load_from(source: Source, path: Path) -> Graph:
    """The graph in `source`, which is called `path` in messages; see `load`."""
    if packages.is_package(source):
        return _load_package(source, path)
    head = bytes(source[:_HEAD])
    try:
        graph = read_graph(source)
        if len(graph):
            return graph
        problem = "it has no nodes"
    except DecodeError as error:
        problem = str(error)
    except GraphError as error:
        raise GraphError(f"'{path}': {error}") from None
    from pbslim.wire.sniff import is_graph_text, sniff  # of no use to a graph

    if is_graph_text(head):
        return _load_text(source, path)
    if packages.was_package(source):
        return _load_package(source, path)
    kind = sniff(head, path, bytes(source[-_TAIL:]))
    raise DecodeError(f"'{path}' is not a frozen graph ({problem}); it looks like {kind.name}: {kind.advice}")


def _load_package(source: Source, path: Path) -> Graph:
    try:
        return memmapped.read_package(source)
    except DecodeError as error:
        raise DecodeError(f"'{path}' is a damaged memory-mapped package: {error}") from None
    except GraphError as error:
        raise GraphError(f"'{path}', a memory-mapped package: {error}") from None


def _load_text(source: Source, path: Path) -> Graph:
    from pbslim.wire.text import message_bytes

    try:
        content = message_bytes(bytes(source[:]), "GraphDef")
    except DecodeError as error:
        raise DecodeError(f"'{path}' is not a GraphDef in text form: {error}") from None
    if isinstance(source, InputFile):
        source.require_unchanged()
    return read_graph(memoryview(content))


def save(
    graph: GraphLike, path: str | Path, *, as_text: bool = False, progress: Callable[[int], None] | None = None
) -> int:
    """Write `graph` to `path` as a GraphDef and give its size in bytes; constants are streamed.

    The file appears whole or not at all, and may replace the one that was loaded. ``-`` is standard output.

    Raises:
        PbslimError: the file cannot be written, or the one that the graph was read from has changed since.
    """
    graph = load(graph)
    with replacing(path, *sources_of(graph)) as out:
        return write(graph, out, as_text=as_text, progress=progress)


def write(graph: Graph, out: BinaryIO, *, as_text: bool = False, progress: Callable[[int], None] | None = None) -> int:
    """Write `graph` into an open file and give the number of bytes; see `save`."""
    if as_text:
        text = to_text(graph).encode()
        out.write(text)
        return len(text)
    return write_parts(graph_parts(graph), out, progress)


def size_of(graph: Graph) -> int:
    """The bytes that `graph` takes in a file, without writing it."""
    return total(graph_parts(graph))


def _from_message(message: Any) -> Graph:
    descriptor = getattr(message, "DESCRIPTOR", None)
    if getattr(descriptor, "full_name", None) != "tensorflow.GraphDef" or isinstance(message, type):
        kind = type(message).__name__
        raise UsageError(f"a graph must be a GraphDef, bytes, a path or a pbslim.Graph, not {kind}")
    try:
        data = message.SerializeToString()
    except Exception as error:  # noqa: BLE001 - the implementations of protobuf raise different classes
        raise DecodeError(f"the GraphDef cannot be serialized ({error}); give the path of a file instead") from None
    return read_graph(memoryview(data))


def into_message(graph: Graph, message: Any) -> Any:
    """Put `graph` into an empty GraphDef message.

    Raises:
        PbslimError: it is too large for one.
    """
    data = to_bytes(graph)
    if len(data) > PROTOBUF_LIMIT:
        raise PbslimError(f"the result has {len(data)} bytes, too many for a message; give the path of a file instead")
    message.ParseFromString(data)
    return message


def to_text(graph: Graph) -> str:
    """The GraphDef of `graph` in protobuf's text form.

    Raises:
        PbslimError: it is too large for that form.
    """
    from google.protobuf import text_format

    message: Any = schema.new("GraphDef")
    try:
        message.ParseFromString(to_bytes(graph))
    except Exception as error:  # noqa: BLE001 - the implementations of protobuf raise different classes
        raise PbslimError(f"the graph cannot be written as text: {error}") from None
    return text_format.MessageToString(message)
