"""The engine that is always there: our kernels, driven by an executor for whole graphs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pbslim.engines.builtin import (  # noqa: F401  # each module registers its actions
    functions,
    images,
    passing,
    random_ops,
    stacks,
    tables,
    tensor_arrays,
    tensor_lists,
)
from pbslim.engines.builtin.program import BuiltinProgram, find_unsupported
from pbslim.engines.heap import keep_freed_memory
from pbslim.engines.protocol import Engine, Program, Unsupported
from pbslim.ir import Graph
from pbslim.wire import load


class Builtin(Engine):
    """Runs graphs with the numpy kernels."""

    name = "builtin"

    def unsupported(self, graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> list[Unsupported]:
        """The needed nodes, those in functions too, that nothing here runs."""
        return find_unsupported(graph, fetches, fed)

    def load(self, source: Graph | Path) -> Program:
        """The graph; it must not be changed as long as the program is in use."""
        keep_freed_memory()
        return BuiltinProgram(load(source) if isinstance(source, Path) else source)


ENGINE = Builtin()
