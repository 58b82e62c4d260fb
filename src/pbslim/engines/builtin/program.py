"""A graph that is ready to run, and what may be wrong with it beforehand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pbslim import ops
from pbslim.dtypes import STRING, DType, Shape
from pbslim.engines.builtin.actions import make_action
from pbslim.engines.builtin.frames import frames_of
from pbslim.engines.builtin.functions import called
from pbslim.engines.builtin.plan import Plan, count_branches, make_plan, needed_nodes
from pbslim.engines.builtin.scope import CannotRun, Run, Scope, Shared
from pbslim.engines.protocol import Array, Feeds, Program, See, Unsupported, as_fed, find_value
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph, Node, Value
from pbslim.ir.order import check_inputs
from pbslim.kernels import KernelError
from pbslim.kernels.limits import current, limited
from pbslim.ops.families import FEEDABLE, MERGES, PLACEHOLDERS, SWITCHES

_MERGED = MERGES | PLACEHOLDERS
_OLD_PRODUCER = 24  # files before wrote a shape that is not known like that of a scalar


class BuiltinProgram(Program):
    """A graph; it must not be changed as long as the program is in use."""

    def __init__(self, graph: Graph, watched: Mapping[Node, See] | None = None) -> None:
        check_inputs(graph)
        self._graph, self._watched = graph, watched
        self._scope = Scope(graph, Shared(graph, watched))
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], Plan] = {}

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`. They may share memory with feeds and constants."""
        values = [self._fed(name, value) for name, value in feeds.items()]
        self._scope.shared.run = Run()
        with np.errstate(all="ignore"), limited(replace(current(), exact=False)):
            key = tuple(feeds), tuple(fetches)
            if key not in self._plans:
                self._plans[key] = self._plan(*key)
            try:
                results = self._plans[key].run(values)
            except KernelError as error:
                raise PbslimError(str(error)) from None
        for name, result in zip(fetches, results, strict=True):
            if not isinstance(result, np.ndarray):
                raise UsageError(f"'{name}' is not a tensor but a resource")
        return results

    def observed(self, watched: Mapping[Node, See]) -> Program:
        """The same graph with some nodes watched; see `Program.observed`."""
        return BuiltinProgram(self._graph, watched)

    def release(self) -> None:
        """Forget the plans and the constants that they hold."""
        self._plans.clear()

    def close(self) -> None:
        """Forget all that runs have left."""
        self.release()
        self._scope = Scope(self._graph, Shared(self._graph, self._watched))

    def _fed(self, name: str, value: object) -> Array:
        node = find_value(self._graph, name).node
        array = as_fed(value)
        dtype = _dtype_of(find_value(self._graph, name))
        if dtype is not None and dtype is not STRING and dtype.scalar is not None:
            if array.dtype.kind == "O" or not np.can_cast(array.dtype, dtype.numpy, "same_kind"):
                raise UsageError(f"input '{name}' takes {dtype}, it is fed {array.dtype}")
            array = array.astype(dtype.numpy, copy=False)
        elif dtype is STRING and array.dtype.kind != "O":
            raise UsageError(f"input '{name}' takes strings, it is fed {array.dtype}")
        if node.op in FEEDABLE:
            shape = node.shape_attr("shape")
            if not (shape.rank == 0 and 0 < self._graph.producer < _OLD_PRODUCER) and not _fits(array.shape, shape):
                raise UsageError(f"input '{name}' takes the shape {shape}, it is fed {list(array.shape)}")
        return array

    def _plan(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Plan:
        fed = [find_value(self._graph, name) for name in feeds]
        fetched = [find_value(self._graph, name) for name in fetches]
        try:
            needed = needed_nodes(fetched, (), frozenset(fed))
            missing = [n.name for n in self._graph if n.op in PLACEHOLDERS and n in needed and n.output() not in fed]
            if missing:
                names = ", ".join(f"'{name}'" for name in missing)
                raise UsageError(f"no value is fed for {'input' if len(missing) == 1 else 'inputs'} {names}")
            return make_plan(self._scope, fetched, fed)
        except CannotRun as problem:
            node = problem.node
            raise PbslimError(f"the builtin engine cannot run node '{node.name}' ({node.op}): {problem}") from None


def _dtype_of(value: Value) -> DType | None:
    node = value.node
    if node.op in FEEDABLE:
        return node.dtype_attr("dtype")
    dtype = ops.output_dtype(node.op, node.attrs, value.port)
    return dtype.base if dtype else None


def _fits(dims: tuple[int, ...], shape: Shape) -> bool:
    if shape.dims is None:
        return True
    return len(dims) == len(shape.dims) and all(want in (-1, have) for have, want in zip(dims, shape.dims, strict=True))


def find_unsupported(graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> list[Unsupported]:
    """The nodes that `fetches` need, those in functions too, and that cannot be run."""
    given = frozenset(find_value(graph, name) for name in fed)
    fetched = [find_value(graph, name) for name in fetches]
    todo = [(Scope(graph, Shared(graph)), [value.node for value in fetched if value not in given], given)]
    found: dict[tuple[str, Node], Unsupported] = {}
    visited: set[int] = set()
    while todo:
        scope, roots, given = todo.pop()
        try:
            needed = needed_nodes((), roots, given)
            frames_of(needed, given)
        except CannotRun as problem:
            needed = []
            _note(found, scope, problem)
        for node in needed:
            try:
                _look_at(node, scope)
                for callee in called(node, scope):
                    if id(callee) not in visited:
                        visited.add(id(callee))
                        arguments = [callee.body.graph[name].output() for name in callee.body.arguments]
                        todo.append((callee.scope, callee.roots(), frozenset(arguments)))
            except CannotRun as problem:
                _note(found, scope, problem)
    return list(found.values())


def _look_at(node: Node, scope: Scope) -> None:
    if node.op in SWITCHES:
        count_branches(node, scope)
    elif node.op not in _MERGED:
        make_action(node, scope)


def _note(found: dict[tuple[str, Node], Unsupported], scope: Scope, problem: CannotRun) -> None:
    node = problem.node
    name = f"{scope.function}/{node.name}" if scope.function else node.name
    found.setdefault((scope.function, node), Unsupported(name, node.op, str(problem)))
