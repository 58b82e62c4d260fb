"""Where a difference between two graphs arises: each layer by itself, on the values that the first graph has there.

A layer is what lies between two tensors that both graphs have, under one name or with nearly the same values. It counts
by the noise that it makes when it gets the first graph's values, not by what reaches it from before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim import ops
from pbslim.analysis.equality import same_attr
from pbslim.analysis.frames import in_loops
from pbslim.engines.apart import ProgramApart
from pbslim.errors import PbslimError
from pbslim.ir import Graph, Node
from pbslim.ir.order import ancestors, file_order, reachable
from pbslim.names import node_name
from pbslim.ops.families import ALIASES, EXITS, MERGES, PLACEHOLDERS, PLACES
from pbslim.verification.metrics import snr
from pbslim.verification.results import Layer
from pbslim.verification.running import Batch, Setting, Side

Array = npt.NDArray[Any]

_ARRAY_VALUES = frozenset({"TensorArrayConcatV3", "TensorArrayGatherV3", "TensorArrayReadV3"})
_ALIKE = 10.0  # dB; tensors of other names that are the same quantity
_NOT_THE_SAME = 3.0  # dB; as low and yet recovered later: another quantity under the same name
_RECOVERED = 15.0
_ADDITIONS = frozenset({"Add", "AddV2", "BiasAdd", "Sub"})


def find_layers(
    setting: Setting,
    sides: tuple[Side, Side],
    outputs: Sequence[str],
    batch: Batch,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Layer]:
    """The layers of the second graph in order, with the noise at each and the noise that it makes by itself.

    Raises:
        PbslimError: a graph does not run.
    """
    shared, others, mates = _shared_tensors(sides, outputs, batch)
    with setting.running(sides[0]) as first, setting.running(sides[1]) as second:
        second.start(sides[1].fed(batch), [*shared, *others])
        known = dict(zip([*shared, *mates], first.run(sides[0].fed(batch), [*shared, *mates]), strict=True))
        found = dict(zip([*shared, *others], second.result(), strict=True))
        values = {name: known[name] for name in shared if known[name].shape == found[name].shape}
        values |= _alike({name: found[name] for name in others}, [known[name] for name in mates])
        noise = {name: _snr(values[name], found[name]) for name in found if name in values}
        noise = {node.name: noise[node.name] for node in file_order(sides[1].graph) if node.name in noise}
        _drop_other_quantities(noise)
        _drop_halves(noise, sides[1].graph)
        pieces = _pieces(sides, list(noise))
        layers = []
        for done, piece in enumerate(pieces):
            own = _own_snr(second, sides[1], piece, values, batch)
            layers.append(Layer(piece.name, piece.op, noise[piece.name], own, piece.constants))
            if on_progress:
                on_progress(done + 1, len(pieces))
    return layers


def _snr(first: Array, second: Array) -> float:
    return snr(first[None], second[None])  # of one sample, so that all elements are the signal


def _shared_tensors(
    sides: tuple[Side, Side], outputs: Sequence[str], batch: Batch
) -> tuple[list[str], list[str], list[str]]:
    """The tensors of floats that run exactly once: those with one name in both graphs, and those of each side alone.

    One name can stand for other quantities: what reads a tensor must have its name in both graphs too.
    """
    first, second = (_once(side, outputs, batch) for side in sides)
    ends = {node_name(name) for name in outputs}
    shared = [
        name
        for name, node in second.items()
        if name in first and (name in ends or _readers(node) & _readers(first[name]))
    ]
    others = [name for name in second if name not in sides[0].graph]
    return shared, others, [name for name in first if name not in sides[1].graph] if others else []


def _alike(found: Mapping[str, Array], candidates: Sequence[Array]) -> dict[str, Array]:
    """For each tensor the candidate of its shape that is nearest to it, if one is near."""
    nearest = {}
    for name, values in found.items():
        near = [(_snr(each, values), i) for i, each in enumerate(candidates) if each.shape == values.shape]
        best, i = max(near, default=(-math.inf, 0))
        if best > _ALIKE:
            nearest[name] = candidates[i]
    return nearest


def _once(side: Side, outputs: Sequence[str], batch: Batch) -> dict[str, Node]:
    """The nodes by name that outputs need, that depend on the inputs, give floats, and are in no loop or branch."""
    graph = side.graph
    needed = ancestors(graph[node_name(name)] for name in outputs)
    fed = reachable((graph[node_name(name)] for name in side.fed(batch)), lambda node: node.data_readers)
    apart = in_loops(graph)
    order = file_order(graph)
    for node in order:
        held = node.op in PLACES or (
            node.op not in MERGES | EXITS and any(value.node in apart for value in node.inputs)
        )
        if held:
            apart.add(node)
    usable = needed & fed - apart
    return {n.name: n for n in order if n in usable and n.op not in PLACEHOLDERS | ALIASES and _gives_floats(n)}


def _gives_floats(node: Node) -> bool:
    """Whether the first output holds floats, and not the order in which a TensorArray is used (a float as well)."""
    dtypes = ops.output_dtypes(node.op, node.attrs) or ()
    if not dtypes or not dtypes[0].is_floating or (node.op.startswith("TensorArray") and node.op not in _ARRAY_VALUES):
        return False
    uses = node.output().uses
    flows = [use.node.op.startswith("TensorArray") and use.slot == len(use.node.inputs) - 1 for use in uses]
    return not any(flows)


def _readers(node: Node) -> set[str]:
    """The names of the nodes that read a node, past those that hand values on as they are."""
    found: set[str] = set()
    todo = list(node.data_readers)
    while todo:
        reader = todo.pop()
        if reader.op in ALIASES:
            todo += reader.data_readers
        else:
            found.add(reader.name)
    return found


def _drop_other_quantities(noise: dict[str, float]) -> None:
    """Forget tensors with nothing in common that later ones do not suffer from: they were scaled or moved."""
    best = -math.inf
    for name in reversed(list(noise)):
        if noise[name] < _NOT_THE_SAME and best > noise[name] + _RECOVERED:
            del noise[name]
        else:
            best = max(best, noise[name])


def _drop_halves(noise: dict[str, float], graph: Graph) -> None:
    """Forget tensors whose noise is gone after the addition that reads them: with it they are one layer.

    Such are the products of weights into which a batch norm was folded, and those whose error the bias makes good.
    """
    for name in list(noise):
        after = [noise.get(reader.name, -math.inf) for reader in graph[name].data_readers if reader.op in _ADDITIONS]
        if after and len(after) == len(graph[name].data_readers) and min(after) > noise[name] + _RECOVERED:
            del noise[name]


@dataclass(frozen=True)
class _Piece:
    """The nodes of the second graph between shared tensors and the next one.

    Attributes:
        sources: the shared tensors that it starts from.
        same: whether the first graph has the same nodes, with the same constants.
        constants: those that differ, or that are computed from a smaller form now.
    """

    name: str
    op: str
    sources: tuple[str, ...]
    same: bool
    constants: tuple[str, ...]


def _pieces(sides: tuple[Side, Side], shared: Sequence[str]) -> list[_Piece]:
    first, second = (side.graph for side in sides)
    known = set(shared)
    found = []
    for name in shared:
        sources: dict[str, None] = {}
        nodes: dict[Node, None] = {}
        todo = [second[name]]
        while todo:
            node = todo.pop()
            if node in nodes:
                continue
            nodes[node] = None
            for value in node.inputs:
                if value.port == 0 and value.node.name in known:
                    sources[value.node.name] = None
                else:
                    todo.append(value.node)
        differing = [node for node in nodes if not _is_same(first.get(node.name), node)]
        old = {node.name: first.get(node.name) for node in differing}
        constants = tuple(n.name for n in differing if (was := old[n.name]) and "Const" in (n.op, was.op))
        found.append(_Piece(name, _main_op(nodes), tuple(sources), not differing, constants))
    return found


def _is_same(old: Node | None, new: Node) -> bool:
    if old is None or old.op != new.op or len(old.inputs) != len(new.inputs):
        return False
    keys = {*new.attrs} if new.op != "Const" else {"value"}
    return all(key in old.attrs and same_attr(old.attrs, new.attrs, key) for key in keys if not key.startswith("_"))


def _main_op(nodes: Iterable[Node]) -> str:
    """The op that does the work: the first with weights, else the last one."""
    listed = list(nodes)
    heavy = ("Conv", "MatMul", "DepthwiseConv", "_Fused", "While", "Einsum")
    return next((node.op for node in listed if node.op.startswith(heavy)), listed[0].op)


def _own_snr(program: ProgramApart, side: Side, piece: _Piece, values: dict[str, Array], batch: Batch) -> float:
    if piece.same:
        return math.inf
    feeds = {**side.fed(batch), **{name: values[name] for name in piece.sources}}
    try:
        (found,) = program.run(feeds, [piece.name])
    except PbslimError:  # it does not run without what comes before
        return math.inf
    return _snr(values[piece.name], np.asarray(found))
