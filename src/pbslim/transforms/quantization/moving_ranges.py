"""Fake quantizations whose range is given, or follows the values that pass while the graph is trained."""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT, INT32, Shape
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value

_DECAY = 0.999


class FakeQuantizer:
    """Adds a FakeQuantWithMinMaxVars of eight bits after `source`, under names that begin as its name.

    Attributes:
        output: what readers of `source` should read.
        variables: the scalars that hold the range, the lower bound first; none if the range is given.
    """

    def __init__(self, graph: Graph, source: Value, bounds: tuple[float, float] | None) -> None:
        self._graph = graph
        self._base = f"{source.node.name}_{source.port}" if source.port else source.node.name
        self.variables: list[Node] = []
        if bounds:
            low, high = (self._const(name, x) for name, x in zip(("InputMin", "InputMax"), bounds, strict=True))
        else:
            low, high = self._follow(source)
        self.output = self._add("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVars", source, low, high)

    def _add(self, name: str, op: str, *inputs: Value, **attrs: AttrValue) -> Value:
        return self._graph.add(self._graph.unique_name(f"{self._base}/{name}"), op, inputs, attrs).output()

    def _const(self, name: str, value: float) -> Value:
        dtype = FLOAT if isinstance(value, float) else INT32
        return self._add(name, "Const", dtype=dtype, value=ArrayTensor(np.array(value, dtype.numpy)))

    def _follow(self, source: Value) -> list[Value]:
        decay = self._const("Decay", _DECAY)
        start, step = self._const("ReductionAxes/RangeStart", 0), self._const("ReductionAxes/RangeDelta", 1)
        rank = self._add("ReductionAxes/InputRank", "Rank", source, T=FLOAT)
        axes = self._add("ReductionAxes/ReductionAxes", "Range", start, rank, step)
        bounds = [(bound, self._add(bound, bound, source, axes, T=FLOAT)) for bound in ("Min", "Max")]
        return [self._average(name, value, decay) for name, value in bounds]

    def _average(self, name: str, now: Value, decay: Value) -> Value:
        """The moving average of the scalar `now`: its first value, then ``old - (old - now) * (1 - decay)``."""
        variable = self._add(f"{name}/Variable", "VariableV2", dtype=FLOAT, shape=Shape(()))
        self.variables.append(variable.node)
        is_set = self._add(f"{name}/IsInitialized", "IsVariableInitialized", variable, dtype=FLOAT)
        first = self._add(f"{name}/Switch", "Switch", now, is_set, T=FLOAT)
        one = self._const(f"{name}/EMA/OneConst", 1.0)
        rate = self._add(f"{name}/EMA/DecayComplement", "Sub", one, decay, T=FLOAT)
        distance = self._add(f"{name}/EMA/ValueDiff", "Sub", variable, first.node.output(1), T=FLOAT)
        change = self._add(f"{name}/EMA/UpdateValue", "Mul", distance, rate, T=FLOAT)
        moved = self._add(f"{name}/EMA/EMAValue", "Sub", variable, change, T=FLOAT)
        new = self._add(f"{name}/Merge", "Merge", first, moved, T=FLOAT, N=2)
        return self._add(f"{name}/AssignValue", "Assign", variable, new, T=FLOAT)
