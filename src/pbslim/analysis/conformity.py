"""Whether every node fits its op: the number of its inputs, the outputs that it reads, the types that these have.

TensorFlow loads no graph with a node that does not. Ops that are not in the op table, and nodes of which the attributes
do not determine the types, are taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.errors import DecodeError, PbslimError, counted
from pbslim.ir import Attributes, Body, FunctionRef, Graph, Library, Node, Value
from pbslim.ir.attributes import colocated_with
from pbslim.ir.functions import used_functions
from pbslim.ops.families import CALLS, FUNCTIONAL, WHILES

_SHOWN = 3
_STABLE = ("_Arg", "_Retval", "_SwitchN")
_REFERENCES = ("f", "then_branch", "else_branch", "branches", "cond", "body")


@dataclass(frozen=True)
class Misfit:
    """A node that does not fit its op.

    Attributes:
        node: its name.
        function: the function in whose body it is, empty for none.
        problem: what does not fit.
    """

    node: str
    op: str
    function: str
    problem: str

    def __str__(self) -> str:
        where = f"{self.function}/{self.node}" if self.function else self.node
        return f"'{where}' ({self.op}): {self.problem}"


def misfits(graph: Graph) -> list[Misfit]:
    """The nodes of `graph` that do not fit their ops, in file order, then those in the functions that it uses."""
    found = list(_misfits(graph, graph, ""))
    for name, body in used_bodies(graph).items():
        inner = (node for node in body.graph if node.name not in body.arguments)
        found += _misfits(body.graph, inner, name)
    return found


def listed(found: Sequence[object]) -> str:
    """The first few of what was found, in one line."""
    more = len(found) - _SHOWN
    return "; ".join(map(str, found[:_SHOWN])) + (f"; and {more} more" if more > 0 else "")


def used_bodies(graph: Graph) -> dict[str, Body]:
    """The bodies of the functions that can run when `graph` does, as far as they can be decoded."""
    used = used_functions(graph) if graph.library.functions else set()
    found = ((name, called_body(name, graph.library)) for name in graph.library.functions if name in used)
    return {name: body for name, body in found if body}


def _misfits(graph: Graph, nodes: Iterable[Node], function: str) -> Iterator[Misfit]:
    conformity = Conformity(graph)
    for node in nodes:
        if problem := conformity.problem(node):
            yield Misfit(node.name, node.op, function, problem)


class Conformity:
    """What the nodes of one graph, or of the body of a function, give and expect."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._library = graph, graph.library
        self._signatures: dict[tuple[str, int], _Signature] = {}
        self._fitting: set[tuple[object, ...]] = set()

    def problem(self, node: Node) -> str:
        """What is wrong with a node, empty when it fits its op or cannot be decoded."""
        kind = self._kind(node)
        if kind in self._fitting:
            return ""
        try:
            problem = self._problem(node)
        except DecodeError:
            return ""
        if kind and not problem:
            self._fitting.add(kind)
        return problem

    def _kind(self, node: Node) -> tuple[object, ...] | None:
        """What decides whether a node fits, which many have in common; None where functions or other nodes do."""
        if self._library.functions:
            return None
        signature = self._signature(node)
        if signature.is_colocated:
            return None
        return (signature, *[(self._signature(value.node), value.port) for value in node.inputs])

    def _problem(self, node: Node) -> str:
        if lost := self._lost_colocation(node):
            return f"it is to be colocated with '{lost}', which is not in the graph"
        signature = self._signature(node)
        expected, count = signature.expected, signature.count
        if count is not None and count != len(node.inputs):
            return f"it has {counted(len(node.inputs), 'input')}, expected {count}"
        for slot, value in enumerate(node.inputs):
            if problem := self._wrong_input(value, expected[slot] if expected else None):
                return f"input {slot} {problem}"
        return self._wrong_function(node, expected) if expected and calls(node) else ""

    def dtype(self, value: Value) -> DType | None:
        """The type of a value, None where it is not known."""
        given = self._signature(value.node).given
        return given[value.port] if isinstance(given, tuple) and value.port < len(given) else None

    def _wrong_input(self, value: Value, expected: DType | None) -> str:
        given = self._signature(value.node).given
        count = len(given) if isinstance(given, tuple) else given
        if count is not None and value.port >= count:
            return f"is '{value.node.name}:{value.port}', but {value.node.op} has {counted(count, 'output')}"
        if expected is None or not isinstance(given, tuple):
            return ""
        dtype = given[value.port]
        fits = dtype is expected or (dtype.base is expected.base and not expected.is_ref)
        return "" if fits else f"is '{value.name}', which is {dtype}, not {expected}"

    def _wrong_function(self, node: Node, expected: Sequence[DType | None]) -> str:
        handed = expected[arguments_from(node) :]
        for name, body in called_bodies(node, self._library).items():
            takes = body.argument_dtypes
            if len(takes) != len(handed):
                return f"it hands over {counted(len(handed), 'input')}, function '{name}' takes {len(takes)}"
            for k, (given, dtype) in enumerate(zip(handed, takes, strict=True)):
                if isinstance(dtype, DType) and dtype is not given:
                    return f"argument {k} of function '{name}' is {dtype}, not {given}"
        return ""

    def _lost_colocation(self, node: Node) -> str:
        if self._graph.scope or "_class" not in node.attrs:  # TensorFlow ignores it in functions
            return ""
        colocations = map(colocated_with, node.attr("_class", tuple, ()))
        return next((name for name in colocations if name and name not in self._graph), "")

    def _signature(self, node: Node) -> _Signature:
        op, attrs = node.op, node.attrs
        found = self._signatures.get((op, id(attrs)))
        if found is None:
            if op in self._library.functions:
                return _signature_of_function(attrs, called_body(op, self._library))
            found = self._signatures[op, id(attrs)] = _signature_of_op(op, attrs)
        return found


@dataclass(frozen=True, eq=False)
class _Signature:
    """The ports of nodes of one op with the same attributes; nodes of a file share equal ones.

    Attributes:
        attrs: the attributes; held, so that no others have the same id.
        expected: the types of the inputs, as far as they are known; empty where none is.
        count: how many inputs there are, None where that is not known.
        given: the types of the outputs; their number where only that is known.
    """

    attrs: Attributes
    expected: Sequence[DType | None] = ()
    count: int | None = None
    given: tuple[DType, ...] | int | None = None

    @cached_property
    def is_colocated(self) -> bool:
        """Whether they are to be colocated with others."""
        return "_class" in self.attrs


def _signature_of_op(op: str, attrs: Attributes) -> _Signature:
    if _is_internal(op):
        return _Signature(attrs)
    expected, given = ops.input_dtypes(op, attrs), ops.output_dtypes(op, attrs)
    count = ops.input_count(op, attrs) if expected is None else len(expected)
    return _Signature(attrs, expected or (), count, ops.output_count(op, attrs) if given is None else given)


def _signature_of_function(attrs: Attributes, body: Body | None) -> _Signature:
    if body is None:
        return _Signature(attrs)
    expected = [each if isinstance(each, DType) else None for each in body.argument_dtypes]
    given = tuple(each for each in body.dtypes if isinstance(each, DType))
    return _Signature(attrs, expected, len(expected), given if len(given) == len(body.dtypes) else len(body.dtypes))


def _is_internal(op: str) -> bool:
    """Whether an op may have another signature in another release."""
    return op.startswith("_") and op not in _STABLE


def calls(node: Node) -> bool:
    """Whether a node hands its inputs to functions that its attributes name."""
    return node.op in CALLS or node.op in FUNCTIONAL


def arguments_from(node: Node) -> int:
    """The number of the first input that such a node hands to its functions."""
    return 0 if node.op in CALLS or node.op in WHILES else 1


def called_bodies(node: Node, library: Library) -> dict[str, Body]:
    """The functions that such a node calls, as far as they can be had."""
    found: dict[str, Body] = {}
    for key in _REFERENCES if calls(node) else ():
        value = node.attr(key, object, None)
        for ref in value if isinstance(value, tuple) else (value,):
            if isinstance(ref, FunctionRef) and (body := called_body(ref.name, library)):
                found[ref.name] = body
    if node.op in library.functions and (body := called_body(node.op, library)):
        found[node.op] = body
    return found


def called_body(name: str, library: Library) -> Body | None:
    """The body of a function; None where there is none of that name or it cannot be decoded."""
    try:
        return library.functions[name].body() if name in library.functions else None
    except PbslimError:
        return None
