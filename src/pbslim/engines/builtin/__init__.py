"""The engine that is always there: our kernels, one node after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pbslim.engines.builtin.plan import find_unsupported
from pbslim.engines.builtin.program import BuiltinProgram
from pbslim.engines.protocol import Engine, Program, Unsupported
from pbslim.ir import Graph
from pbslim.wire import load


class Builtin(Engine):
    """Runs graphs with the numpy kernels."""

    name = "builtin"

    def unsupported(self, graph: Graph, fetches: Sequence[str]) -> list[Unsupported]:
        """The needed nodes whose op has no kernel here."""
        return find_unsupported(graph, fetches)

    def load(self, source: Graph | Path) -> Program:
        """The graph; it must not be changed afterwards."""
        return BuiltinProgram(load(source) if isinstance(source, Path) else source)


ENGINE = Builtin()
