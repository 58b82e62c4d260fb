"""What a graph file holds, for ``pbslim inspect``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from pbslim.analysis.conformity import listed, misfits
from pbslim.analysis.endpoints import Endpoint, find_endpoints
from pbslim.analysis.ends import idle_constants
from pbslim.analysis.inputs import how_to_cut, pipeline_inputs
from pbslim.errors import PbslimError, UsageError, counted
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.order import ancestors, check
from pbslim.names import node_name, shortened
from pbslim.ops.families import CONTROL_FLOW, FUNCTIONAL, VARIABLES, is_training
from pbslim.wire import load, load_from, open_source
from pbslim.wire.files import GraphLike, size_of
from pbslim.wire.memmapped import package_of
from pbslim.wire.models import is_model
from pbslim.wire.packages import MappedConstant, Package
from pbslim.wire.paths import expanded

_BIGGEST = 10
_PAGE = 4096


@dataclass(frozen=True)
class Constant:
    """A Const, without its elements; `size` is the bytes it takes in the file."""

    name: str
    dtype: str
    shape: str
    size: int


@dataclass(frozen=True)
class MappedRegion:
    """A region of a memory-mapped package: its place in bytes and who uses it; `alignment` divides its offset."""

    name: str
    offset: int
    length: int
    alignment: int
    dtype: str
    shape: str
    nodes: list[str]


@dataclass
class Inspection:
    """The facts; `size` and `dtype_bytes` are bytes, `parameters` counts elements of float and quantized constants."""

    size: int
    nodes: int
    constants: int
    parameters: int
    producer: int
    inputs: list[Endpoint]
    outputs: list[Endpoint]
    ops: dict[str, int]
    dtype_bytes: dict[str, int]
    biggest: list[Constant]
    functions: list[str]
    control_flow: int
    variables: list[str]
    leftovers: dict[str, int]
    misfits: list[str]
    advice: list[str] = field(default_factory=list)
    regions: list[MappedRegion] = field(default_factory=list)


def inspect_file(path: GraphLike) -> Inspection:
    """Look at the graph in `path`; the constants are not read.

    Raises:
        PbslimError: it is not a graph; the message says what it is and what to do.
    """
    graph, size = _sized(path)
    check(graph)
    try:
        inputs, outputs = find_endpoints(graph)
    except UsageError:
        inputs, outputs = [], []
    constants = [(node, tensor) for node in graph if (tensor := _tensor(node))]
    dtype_bytes: Counter[str] = Counter()
    for _, tensor in constants:
        dtype_bytes[str(tensor.dtype)] += tensor.stored_nbytes
    biggest = sorted(constants, key=lambda pair: -pair[1].stored_nbytes)[:_BIGGEST]
    ops = Counter(node.op for node in graph)
    for function in graph.library.functions.values():
        ops.update(function.ops)
    found = Inspection(
        size=size,
        nodes=len(graph),
        constants=sum(node.op == "Const" for node in graph),
        parameters=sum(t.size for _, t in constants if t.dtype.is_floating or t.dtype.is_quantized),
        producer=graph.producer,
        inputs=inputs,
        outputs=outputs,
        ops=dict(ops.most_common()),
        dtype_bytes=dict(dtype_bytes.most_common()),
        biggest=[Constant(n.name, str(t.dtype), str(list(t.shape)), t.stored_nbytes) for n, t in biggest],
        functions=list(graph.library.functions),
        control_flow=sum(node.op in CONTROL_FLOW or node.op in FUNCTIONAL for node in graph),
        variables=[node.name for node in graph if node.op in VARIABLES],
        leftovers=_leftovers(graph, outputs),
        misfits=list(map(str, misfits(graph))),
    )
    found.advice = _advice(found, graph, outputs)
    if package := package_of(graph):
        found.regions = _regions(package)
        found.advice += package.remarks
    return found


def _sized(given: GraphLike) -> tuple[Graph, int]:
    """A graph, and how many bytes it has in its file, or would have in one."""
    if isinstance(given, str | PathLike) and not is_model(expanded(given)):
        source = open_source(given)
        return load_from(source, Path(given)), len(source)
    graph = load(given)
    return graph, size_of(graph)


def _regions(package: Package) -> list[MappedRegion]:
    users: dict[str, list[MappedConstant]] = {}
    for constant in package.constants:
        users.setdefault(constant.region, []).append(constant)
    return [
        MappedRegion(
            name=region.name,
            offset=region.offset,
            length=region.length,
            alignment=(region.offset | _PAGE) & -(region.offset | _PAGE),
            dtype=", ".join(dict.fromkeys(str(c.dtype) for c in users.get(region.name, ()))),
            shape=", ".join(dict.fromkeys(str(list(c.shape)) for c in users.get(region.name, ()))),
            nodes=[c.node for c in users.get(region.name, ())],
        )
        for region in package.regions
    ]


def _tensor(node: Node) -> Tensor | None:
    if node.op != "Const":
        return None
    try:
        return node.tensor()
    except PbslimError:
        return None


def _leftovers(graph: Graph, outputs: list[Endpoint]) -> dict[str, int]:
    needed = ancestors(graph[node_name(endpoint.name)] for endpoint in outputs)
    found: Counter[str] = Counter()
    for node in graph:
        if is_training(node.op) and node not in needed:
            found[node.op] += 1
    return dict(found.most_common())


def _advice(found: Inspection, graph: Graph, outputs: list[Endpoint]) -> list[str]:
    advice = []
    if found.variables:
        advice.append(
            f"{counted(len(found.variables), 'variable')} without values in this file; freeze the graph first"
        )
    needed = ancestors(graph[node_name(endpoint.name)] for endpoint in outputs)
    unused = len(graph) - len(needed)
    if unused and not found.variables:
        nodes = "1 node is" if unused == 1 else f"{unused} nodes are"
        advice.append(f"{nodes} not needed for the outputs; pbslim shrink drops them")
        if idle := [node.name for node in idle_constants(graph) if node not in needed]:
            advice.append(f"among them are constants that programs may fetch by name: {shortened(idle)}")
    if sources := pipeline_inputs(graph, [endpoint.name for endpoint in outputs]):
        advice.append(how_to_cut(sources))
    elsewhere = [node.name for node in graph if node.op == "ImmutableConst"]
    if elsewhere:
        advice.append(f"{counted(len(elsewhere), 'constant')} with values in other files, such as '{elsewhere[0]}'")
    if found.misfits:
        count = len(found.misfits)
        nodes = "1 node does not fit its op" if count == 1 else f"{count} nodes do not fit their ops"
        advice.append(
            f"{nodes}, so TensorFlow does not load the graph: {listed(found.misfits)}; "
            "pbslim shrink repairs what can have only one meaning"
        )
    if not outputs:
        advice.append("no outputs can be found; name them with --outputs when you transform the graph")
    return advice
