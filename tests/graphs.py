"""Graphs as text, for tests that show before and after.

::

    x = Placeholder()
    w = Const([[1, 2], [3, 4]])
    y = MatMul(x, w, ^x, transpose_b=True)
    -> y

Float constants may be written without a dtype; ``dtype='int32'`` says another one.
"""

from __future__ import annotations

import ast
import re
import textwrap
from typing import Any

import numpy as np

import pbslim
from pbslim import ops
from pbslim.dtypes import FLOAT, STRING, DType, Shape
from pbslim.ir import ArrayTensor, FunctionRef, Graph, Node, StringTensor, Tensor, TypeVariable, Value
from pbslim.ir.order import check
from pbslim.passes.pipeline import StepResult

_LINE = re.compile(r"(\S+) = (\w+)\((.*)\)")
_HIDDEN = {"dtype", "value", "T"}


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [part for part in [*parts, current.strip()] if part]


def _attr(key: str, text: str) -> Any:
    value = ast.literal_eval(text)
    if key in ("Index", "out_type", "SrcT", "DstT", "U") or key.endswith(("dtype", "types")) or key.startswith("T"):
        if isinstance(value, list):
            return tuple(map(DType.parse, value))
        return TypeVariable(value[1:]) if value.startswith("$") else DType.parse(value)
    if key in ("f", "cond", "body", "then_branch", "else_branch"):
        return FunctionRef(value, {})
    if key == "shape":
        return Shape(None if value is None else tuple(value))
    if isinstance(value, str):
        return value.encode()
    return tuple(v.encode() if isinstance(v, str) else v for v in value) if isinstance(value, list) else value


def _constant(text: str, dtype: DType) -> Tensor:
    value = ast.literal_eval(text)
    if dtype is STRING:
        array = np.array(value, dtype=object)
        return StringTensor(tuple(str(v).encode() for v in array.reshape(-1)), array.shape)
    return ArrayTensor(np.array(value, dtype.numpy), dtype)


def read_line(line: str) -> tuple[str, str, dict[str, Any], list[str]]:
    """Name, op, attributes and inputs of the node that a line draws."""
    match = _LINE.fullmatch(line)
    assert match, line
    name, op, rest = match.groups()
    arguments = _split(rest)
    attrs: dict[str, Any] = {}
    for argument in [a for a in arguments if re.match(r"\w+=", a)]:
        key, _, value = argument.partition("=")
        attrs[key] = _attr(key, value)
        arguments.remove(argument)
    if op == "Const":
        attrs["value"] = _constant(arguments.pop(0), attrs.setdefault("dtype", FLOAT))
    elif op == "Placeholder":
        attrs.setdefault("dtype", FLOAT)
    elif (definition := ops.find(op)) is None or "T" in definition.attrs:
        attrs.setdefault("T", FLOAT)
    return name, op, attrs, arguments


def parse(text: str) -> tuple[Graph, list[str]]:
    """The graph that `text` draws, and its outputs."""
    graph, outputs, lines = Graph(), [], []
    for raw in textwrap.dedent(text).strip().splitlines():
        line = raw.strip()
        if not line:
            continue
        if line.startswith("->"):
            outputs = _split(line[2:])
            continue
        name, op, attrs, arguments = read_line(line)
        device = attrs.pop("device", b"").decode()
        lines.append((graph.add(name, op, attrs=attrs, device=device), arguments))
    for node, arguments in lines:
        node.set_inputs(_value(graph, a) for a in arguments if not a.startswith("^"))
        node.set_controls(graph[a[1:]] for a in arguments if a.startswith("^"))
    graph.forget_changes()
    return graph, outputs


def _value(graph: Graph, text: str) -> Value:
    name, _, port = text.partition(":")
    node = graph.get(name) or graph.missing_node(name)
    return node.output(int(port or 0))


def show(graph: Graph) -> list[str]:
    """One line a node, sorted; what every node has is left out."""
    return sorted(_line(node) for node in graph)


def _line(node: Node) -> str:
    parts = [value.name for value in node.inputs] + sorted(f"^{control.name}" for control in node.controls)
    if node.op == "Const":
        tensor = node.tensor()
        array = tensor.numpy()
        values = array.tolist() if array.dtype.kind != "f" else np.round(array.astype(float), 4).tolist()
        parts = [str(values), *parts]
        if tensor.dtype is not FLOAT:
            parts.append(f"dtype={tensor.dtype}")
    for key, value in sorted(node.attrs.items()):
        if key not in _HIDDEN:
            parts.append(f"{key}={value!r}")
    if node.device:
        parts.append(f"@{node.device}")
    return f"{node.name} = {node.op}({', '.join(parts)})"


def apply(transforms: str, text: str, inputs: list[str] | None = None) -> tuple[Graph, list[StepResult]]:
    """`transforms` on the graph that `text` draws; placeholders are the inputs if none are named."""
    graph, outputs = parse(text)
    if inputs is None:
        inputs = [node.name for node in graph if node.op == "Placeholder"]
    results = pbslim.transform(graph, transforms, inputs, outputs)
    check(graph)
    for output in outputs:
        assert output.partition(":")[0] in graph
    return graph, results


def check_transform(transforms: str, before: str, after: str, inputs: list[str] | None = None) -> None:
    """`transforms` turns `before` into `after`, whatever the order of the nodes."""
    graph, _ = apply(transforms, before, inputs)
    assert show(graph) == show(parse(after)[0])


def check_refuses(transforms: str, before: str, reason: str) -> None:
    """`transforms` leaves `before` as it is, and says why."""
    graph, results = apply(transforms, before)
    assert show(graph) == show(parse(before)[0])
    reasons = [skipped.reason for result in results for skipped in result.skipped]
    assert any(reason in text for text in reasons), reasons
