"""FunctionDef ↔ `Function`: bodies are decoded on first need, and written back as their own bytes when untouched.

In a body ``x`` is an argument and ``node:output:index`` an element of a named output of a node. The op table says
which port that is; the signature does for a node that calls a function by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pbslim import ops
from pbslim.dtypes import DTYPES, DType
from pbslim.errors import DecodeError, GraphError, counted
from pbslim.ir import Attributes, Draft, Graph, Node, TypeVariable, Value
from pbslim.ir.functions import Body, EncodedFunction, Function, UnknownError
from pbslim.ir.inputs import controlling, is_control
from pbslim.wire import schema
from pbslim.wire.nodes import NodeReader, is_untouched, node_parts
from pbslim.wire.parts import Part, span, total
from pbslim.wire.sources import Source
from pbslim.wire.varint import LEN, fields, first_number, first_text, length_delimited, tag, varint

# Field numbers
_LIBRARY = 2
_FUNCTION, _GRADIENT = 1, 2
_SIGNATURE, _NODE, _RETURN, _ATTRS, _CONTROL_RETURN, _ARGUMENT_ATTRS = 1, 3, 4, 5, 6, 7
_NAME, _ATTR = 1, 4
_KEY, _VALUE = 1, 2


@dataclass(frozen=True)
class LibraryOrigin:
    """Where a library came from, and the spans of all that is not a function, tags included."""

    source: Source
    rest: tuple[tuple[int, int], ...] = ()


def read_library(source: Source, start: int, end: int, graph: Graph, reader: NodeReader) -> None:
    """Put the functions in a FunctionDefLibrary into the library of `graph`.

    Raises:
        DecodeError: the bytes are not one, or a node has no name.
        GraphError: two nodes of a function have the same name.
    """
    library = graph.library
    origin = library.origin if isinstance(library.origin, LibraryOrigin) else LibraryOrigin(source)
    last = start
    for number, kind, at, stop in fields(source, start, end, "the function library"):
        if number == _FUNCTION and kind == LEN:
            function = _read_function(source, at, stop, graph, reader)
            library.functions[function.name] = function
        else:
            origin = replace(origin, rest=(*origin.rest, (last, stop)))
            if number == _GRADIENT and kind == LEN:
                pair = {first_text(source, at, stop, 1), first_text(source, at, stop, 2)}
                library.pinned |= pair
        last = stop
    library.origin = origin


def _read_function(source: Source, start: int, end: int, graph: Graph, reader: NodeReader) -> Function:
    name = ""
    found: list[str] = []
    nodes: set[str] = set()
    variables: list[str] = []
    twice = ""
    for number, kind, at, stop in fields(source, start, end, "a function"):
        if kind == LEN and number == _NODE:
            node = reader.at(at, stop, len(found))
            twice = node.name if node.name in nodes else twice
            nodes.add(node.name)
            found.append(node.op)
        elif kind == LEN and number == _SIGNATURE:
            name = first_text(source, at, stop, _NAME)
            parts = fields(source, at, stop, "a signature")
            variables += [first_text(source, a, s, _NAME) for n, k, a, s in parts if n == _ATTR and k == LEN]
    if twice:
        raise GraphError(f"function '{name}' has two nodes named '{twice}'")
    encoded = EncodedFunctionDef(source, start, end, graph)
    return Function(graph, name, tuple(found), tuple(variables), encoded)


class EncodedFunctionDef(EncodedFunction):
    """A FunctionDef message that still lies in its file."""

    def __init__(self, source: Source, start: int, end: int, graph: Graph) -> None:
        self.source, self.start, self.end = source, start, end
        self._graph = graph

    def fields(self, *wanted: int) -> Iterator[tuple[int, int, int]]:
        """Number and content of the fields that have one of these numbers."""
        for number, kind, at, stop in fields(self.source, self.start, self.end, "a function"):
            if number in wanted and kind == LEN:
                yield number, at, stop

    def rest(self, *written: int, retyped: Collection[int] = ()) -> Iterator[tuple[int, int]]:
        """The spans, tags included, of the fields that are not among those `written` by `function_parts` itself.

        Nor are there notes on the shapes of arguments if some were `retyped`: they are those of a variable's handle.
        """
        last = self.start
        for number, _, at, stop in fields(self.source, self.start, self.end, "a function"):
            about_shapes = bool(retyped) and (
                (number == _ATTRS and first_text(self.source, at, stop, _KEY) == "_input_shapes")
                or (number == _ARGUMENT_ATTRS and first_number(self.source, at, stop, _KEY) in retyped)
            )
            if number not in written and not about_shapes:
                yield last, stop
            last = stop

    def drafts(self) -> Iterator[Draft]:
        """The nodes of the body as they lie in the file."""
        reader = NodeReader(self.source)
        for index, (_, at, stop) in enumerate(self.fields(_NODE)):
            yield reader.at(at, stop, index)

    def attributes(self) -> Iterator[Attributes]:
        """The attributes of each node."""
        return (draft.attrs for draft in self.drafts())

    def signature(self) -> Any:
        """The OpDef message.

        Raises:
            DecodeError: it cannot be decoded.
        """
        message = schema.new("OpDef")
        try:
            for _, at, stop in self.fields(_SIGNATURE):
                message.MergeFromString(bytes(self.source[at:stop]))
        except Exception as error:  # noqa: BLE001 - the implementations of protobuf raise different classes
            raise DecodeError(f"its signature cannot be decoded: {error}") from None
        return message

    def texts(self, wanted: int) -> dict[str, str]:
        """A field that is a map from text to text."""
        return {
            first_text(self.source, at, stop, _KEY): first_text(self.source, at, stop, _VALUE)
            for _, at, stop in self.fields(wanted)
        }

    def decode(self) -> Body:
        """The body.

        Raises:
            GraphError, DecodeError: it cannot be understood.
        """
        signature = self.signature()
        graph = Graph()
        for argument in signature.input_arg:
            graph.add(argument.name, "Placeholder", attrs={"dtype": _dtype(argument)})
        arguments = tuple(node.name for node in graph)
        drafts = list(self.drafts())
        for name, op, device, _, attrs, origin in drafts:
            graph.add(name, op, (), attrs, device=device, origin=origin)
        body = Body(graph, arguments, {}, tuple(map(_dtype, signature.output_arg)), {}, self._ports)
        for draft in drafts:
            node = graph[draft.name]
            data = (text for text in draft.inputs if not is_control(text))
            node.set_inputs(value for text in data for value in _resolve(body, text))
            node.set_controls(graph[controlling(text)] for text in draft.inputs if is_control(text))
        texts = self.texts(_RETURN)
        body.returns = {output.name: _returned(body, output, texts) for output in signature.output_arg}
        controls = self.texts(_CONTROL_RETURN)
        body.control_returns = {name: graph[controls[name]].name for name in controls}
        graph.forget_changes()
        return body

    def _ports(self, node: Node) -> Mapping[str, tuple[int, int]] | None:
        called = self._graph.library.functions.get(node.op)
        if called is None:
            return ops.output_ports(node.op, node.attrs)
        assert isinstance(called.encoded, EncodedFunctionDef)  # noqa: S101 - files are read by this package alone
        outputs = called.encoded.signature().output_arg
        return {output.name: (i, 1) for i, output in enumerate(outputs)} if not any(map(_is_list, outputs)) else None


def _is_list(argument: Any) -> bool:
    return bool(argument.number_attr or argument.type_list_attr)


def _dtype(argument: Any) -> DType | TypeVariable:
    if _is_list(argument):
        raise UnknownError(f"'{argument.name}' in its signature is a list")
    if argument.type_attr:
        return TypeVariable(argument.type_attr)
    if argument.type not in DTYPES:
        raise UnknownError(
            f"'{argument.name}' in its signature has data type number {argument.type}, which is not known"
        )
    return DTYPES[argument.type]


def _returned(body: Body, output: Any, texts: Mapping[str, str]) -> str:
    if output.name not in texts:
        raise GraphError(f"its output '{output.name}' is not returned")
    values = _resolve(body, texts[output.name])
    if len(values) != 1:
        raise GraphError(f"its output '{output.name}' is not one tensor")
    return values[0].name


def _resolve(body: Body, text: str) -> list[Value]:
    """What a body means by `text`; an output without an index stands for all its ports."""
    name, *place = text.split(":")
    node = body.graph[name]
    if name in body.arguments:
        if place not in ([], ["0"]):
            raise GraphError(f"'{text}' is not an argument")
        return [node.output()]
    ports = body.ports(node)
    if ports is None:
        raise UnknownError(f"the op {node.op} of '{name}' is not known, and so is the port that '{text}' names")
    if not place or place[0] not in ports or len(place) > 2:
        raise GraphError(f"'{text}' is not an output of '{name}' ({node.op})")
    first, count = ports[place[0]]
    if len(place) == 1:
        return [node.output(first + i) for i in range(count)]
    index = int(place[1]) if place[1].isascii() and place[1].isdigit() and len(place[1]) < 10 else count
    if index >= count:
        raise GraphError(f"'{text}': '{place[0]}' of '{name}' ({node.op}) has {counted(count, 'element')}")
    return [node.output(first + index)]


def library_parts(graph: Graph) -> Iterator[Part]:
    """The function library as a field of a GraphDef; nothing where the file had none."""
    origin = graph.library.origin
    if not isinstance(origin, LibraryOrigin):
        return
    parts: list[Part] = []
    for function in graph.library.functions.values():
        content = function_parts(function)
        parts += [tag(_FUNCTION, LEN) + varint(total(content)), *content]
    parts += [span(origin.source, start, stop) for start, stop in origin.rest]
    yield tag(_LIBRARY, LEN) + varint(total(parts))
    yield from parts


def function_parts(function: Function) -> list[Part]:
    """The FunctionDef message of `function`."""
    encoded, body = function.encoded, function.decoded
    assert isinstance(encoded, EncodedFunctionDef)  # noqa: S101 - files are read by this package alone
    signature, retyped = _new_signature(encoded, body) if body else (None, set[int]())
    if body is None or (signature is None and _is_untouched(encoded, body)):
        return [span(encoded.source, encoded.start, encoded.end)]
    written = [_NODE, _RETURN, _CONTROL_RETURN, *([_SIGNATURE] if signature else [])]
    parts: list[Part] = [length_delimited(_SIGNATURE, signature)] if signature else []
    parts += [span(encoded.source, start, stop) for start, stop in encoded.rest(*written, retyped=retyped)]
    for node in _nodes(body):
        content = node_parts(node, body.spelled)
        parts += [tag(_NODE, LEN) + varint(total(content)), *content]
    for name, tensor in body.returns.items():
        parts.append(_entry(_RETURN, name, body.spelled(body.value(tensor))))
    parts += [_entry(_CONTROL_RETURN, name, node) for name, node in body.control_returns.items()]
    return parts


def _new_signature(encoded: EncodedFunctionDef, body: Body) -> tuple[bytes | None, set[int]]:
    """The signature with the types that the body now has, None where they are as in the file; which inputs changed."""
    signature = encoded.signature()
    changed: tuple[set[int], set[int]] = set(), set()
    types = (body.argument_dtypes, body.dtypes)
    for indices, arguments, dtypes in zip(changed, (signature.input_arg, signature.output_arg), types, strict=True):
        for index, (argument, dtype) in enumerate(zip(arguments, dtypes, strict=True)):
            if isinstance(dtype, DType) and not argument.type_attr and argument.type != dtype.number:
                argument.type = dtype.number
                argument.ClearField("handle_data")  # of a variable
                indices.add(index)
    return (bytes(signature.SerializeToString()) if any(changed) else None), changed[0]


def _nodes(body: Body) -> list[Node]:
    return [node for node in body.graph if node.name not in body.arguments]


def _entry(number: int, key: str, value: str) -> bytes:
    return length_delimited(number, length_delimited(_KEY, key.encode()) + length_delimited(_VALUE, value.encode()))


def _is_untouched(encoded: EncodedFunctionDef, body: Body) -> bool:
    names = [first_text(encoded.source, at, stop, _NAME) for _, at, stop in encoded.fields(_NODE)]
    nodes = _nodes(body)
    return names == [node.name for node in nodes] and all(is_untouched(node, body.spelled) for node in nodes)
