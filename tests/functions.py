"""Graphs with functions as text, for tests.

::

    {"F(a: float, b: float)": '''
        m = Mul(a, b)
        k = Const(2)
        y = Add(m:z:0, k:output:0)
        -> result = y:z:0, ^done = m
    '''}

Values in a body are spelled as in the file; ``T`` before the arguments, as in ``F<T>(a: T)``, is an attribute.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import pbslim
from pbslim.dtypes import DType
from pbslim.ir import Graph
from pbslim.wire import schema, to_bytes
from pbslim.wire.attributes import encode_attr
from pbslim.wire.parts import joined
from tests import graphs

_HEAD = re.compile(r"(\w+)(?:<(\w+)>)?\((.*)\)")


def message(main: str, functions: Mapping[str, str]) -> Any:
    """The GraphDef message with these nodes and functions."""
    found = schema.new("GraphDef")
    found.ParseFromString(to_bytes(graphs.parse(main)[0]))
    for head, body in functions.items():
        _fill(found.library.function.add(), head, body)
    return found


def load(main: str, functions: Mapping[str, str]) -> Graph:
    """The same as a graph, read from its bytes."""
    return pbslim.load(bytes(message(main, functions).SerializeToString()))


def run(transforms: str, main: str, functions: Mapping[str, str], **options: Any) -> Graph:
    """`transforms` on such a graph, with its placeholders as inputs."""
    graph = load(main, functions)
    inputs = options.get("inputs", [node.name for node in graph if node.op == "Placeholder"])
    pbslim.transform(graph, transforms, inputs, graphs.parse(main)[1])
    return graph


def _fill(function: Any, head: str, body: str) -> None:
    match = _HEAD.fullmatch(head)
    assert match, head
    function.signature.name, variable, arguments = match.groups()
    if variable:
        function.signature.attr.add(name=variable, type="type")
    for argument in filter(None, arguments.split(", ")):
        name, _, dtype = argument.partition(": ")
        _set_type(function, function.signature.input_arg.add(name=name), dtype)
    for raw in textwrap.dedent(body).strip().splitlines():
        if raw.startswith("->"):
            _fill_returns(function, raw[2:])
        else:
            name, op, attrs, inputs = graphs.read_line(raw.strip())
            node = function.node_def.add(name=name, op=op, input=inputs, device=attrs.pop("device", b""))
            for key, value in attrs.items():
                node.attr[key].ParseFromString(joined(encode_attr(value)))


def _set_type(function: Any, argument: Any, dtype: str) -> None:
    if dtype in [attr.name for attr in function.signature.attr]:
        argument.type_attr = dtype
    else:
        argument.type = DType.parse(dtype).number


def _fill_returns(function: Any, text: str) -> None:
    for item in text.split(", "):
        name, _, value = item.strip().partition(" = ")
        if name.startswith("^"):
            function.signature.control_output.append(name[1:])
            function.control_ret[name[1:]] = value
        else:
            name, _, dtype = name.partition(": ")
            _set_type(function, function.signature.output_arg.add(name=name), dtype or "float")
            function.ret[name] = value
