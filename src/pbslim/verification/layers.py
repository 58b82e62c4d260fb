"""Where a difference between two graphs arises: each layer by itself, on the values that the first graph has there.

A layer is what lies between two tensors that both graphs have under one name. It counts by the noise that it makes
when it gets the first graph's values, not by what reaches it from before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
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
_NOT_THE_SAME = 3.0  # dB; as low and yet recovered later: another quantity under the same name
_RECOVERED = 15.0


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
    shared = _shared_tensors(sides[0].graph, sides[1].graph, outputs, batch)
    with setting.running(sides[0]) as first, setting.running(sides[1]) as second:
        second.start(sides[1].fed(batch), shared)
        values = dict(zip(shared, first.run(sides[0].fed(batch), shared), strict=True))
        found = dict(zip(shared, second.result(), strict=True))
        noise = {name: _snr(values[name], found[name]) for name in shared if values[name].shape == found[name].shape}
        _drop_other_quantities(noise)
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


def _shared_tensors(first: Graph, second: Graph, outputs: Sequence[str], batch: Batch) -> list[str]:
    """The tensors of floats that both graphs have and that run exactly once, in the order of the second."""
    usable = [_once(graph, outputs, batch) for graph in (first, second)]
    ends = {node_name(name) for name in outputs}
    found = []
    for node in file_order(second):
        twin = first.get(node.name)
        if node in usable[1] and twin in usable[0] and (node.name in ends or _readers(node) & _readers(twin)):
            found.append(node.name)
    return found


def _once(graph: Graph, outputs: Sequence[str], batch: Batch) -> set[Node]:
    """The nodes that outputs need, that depend on the inputs, give floats, and are in no loop or branch."""
    needed = ancestors(graph[node_name(name)] for name in outputs)
    fed = reachable((graph[name] for name in map(node_name, batch) if name in graph), lambda node: node.data_readers)
    apart = in_loops(graph)
    for node in file_order(graph):
        held = node.op in PLACES or (
            node.op not in MERGES | EXITS and any(value.node in apart for value in node.inputs)
        )
        if held:
            apart.add(node)
    return {node for node in needed & fed - apart if node.op not in PLACEHOLDERS | ALIASES and _gives_floats(node)}


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


@dataclass(frozen=True)
class _Piece:
    """The nodes of the second graph between shared tensors and the next one.

    Attributes:
        sources: the shared tensors that it starts from.
        same: whether the first graph has the same nodes, with the same constants.
        constants: those that differ.
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
        constants = tuple(node.name for node in differing if node.op == "Const" and node.name in first)
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
