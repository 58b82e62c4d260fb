"""Which nodes a release of TensorFlow would refuse, and what to do about it, for ``pbslim ops --since``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pbslim import ops
from pbslim.analysis.conformity import misfits
from pbslim.analysis.debug_text import value_text
from pbslim.analysis.inventory import all_nodes
from pbslim.dtypes import DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import AttrValue, FunctionRef, Graph, Tensor, TypeVariable
from pbslim.ir.order import check
from pbslim.ops.families import CALLS, FUNCTIONAL
from pbslim.ops.history import Accepted, Release, accepted, release, releases_with
from pbslim.wire.files import GraphLike, load
from pbslim.wire.listing import ListedNode, min_consumer

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_>./\\-]*")
_KINDS = {
    "int": int,
    "float": float,
    "bool": bool,
    "string": bytes,
    "type": DType,
    "shape": Shape,
    "tensor": Tensor,
    "func": FunctionRef,
}
_OLD_BATCH_NORM = (
    "rename_op(old_op_name={}, new_op_name=FusedBatchNorm) remove_attribute(op_name=FusedBatchNorm, attribute_name=U)"
)
# What takes the place of an op: text for --transforms, and what else to say (with {} for that text).
_INSTEAD = {
    "AddV2": ("rename_op(old_op_name=AddV2, new_op_name=Add)", "{}"),
    "BatchMatMulV2": ("rename_op(old_op_name=BatchMatMulV2, new_op_name=BatchMatMul)", "if it broadcasts nothing: {}"),
    "SelectV2": ("rename_op(old_op_name=SelectV2, new_op_name=Select)", "if all inputs have one shape: {}"),
    "PlaceholderV2": ("rename_op(old_op_name=PlaceholderV2, new_op_name=Placeholder)", "{}"),
    "BatchNormWithGlobalNormalization": ("fold_old_batch_norms", "fold it into the weights before it: {}"),
    "FusedBatchNormV2": (_OLD_BATCH_NORM.format("FusedBatchNormV2"), "where it works on floats: {}"),
    "FusedBatchNormV3": (_OLD_BATCH_NORM.format("FusedBatchNormV3"), "where it works on floats: {}"),
    "LeakyRelu": ("", "Maximum(x, Mul(x, alpha)) is the same for alpha up to 1"),
    **dict.fromkeys(FUNCTIONAL, ("", "freeze the model with lower_control_flow=True")),
    **dict.fromkeys(CALLS, ("inline_partitionedcall", "inline the bodies of functions where they are called: {}")),
}
_REPAIR = "if it can have only one meaning, it is repaired: repair_nodes"
_IDLE = {("TensorArrayV3", "identical_element_shapes"): "it matters only for elements that nothing writes, drop it: {}"}


@dataclass(frozen=True)
class Incompatibility:
    """Something in a graph that a release does not accept.

    Attributes:
        node: its name; empty for the graph as a whole.
        function: the function in whose body it is, empty for none.
        problem: what is not accepted.
        fix: what to do about it; empty when nothing is known.
        transform: text for ``--transforms`` that does it; empty when no transform does.
        refused: whether the graph does not load at all. Bodies of functions fail only when they run.
    """

    node: str
    op: str
    function: str
    problem: str
    fix: str = ""
    transform: str = ""
    refused: bool = True


def incompatibilities(graph: GraphLike, since: Release | str) -> list[Incompatibility]:
    """What a release of TensorFlow does not accept in `graph`, in file order.

    Args:
        since: the release or its name, ``1.4`` and up; for one that is not known the last known before it is taken.

    Raises:
        UsageError: no such release is known.
        GraphError: no release accepts it: it reads what is not there, or has a cycle.
        DecodeError: a function is broken.
    """
    found = load(graph)
    check(found)
    return list(_incompatibilities(found, release(since) if isinstance(since, str) else since))


def _incompatibilities(graph: Graph, release: Release) -> Iterator[Incompatibility]:
    needed = min_consumer(graph)
    if needed > release.graph_version:
        problem = (
            f"the graph asks for version {needed} of graphs, TensorFlow {release.name} knows {release.graph_version}"
        )
        yield Incompatibility("", "", "", problem, "lower 'min_consumer' in its versions")
    told = set()
    for function, node in all_nodes(graph):
        for found in _of_node(node, release, graph.producer):
            told.add((function, node.name))
            yield _in_function(found, function) if function else found
    for each in misfits(graph):
        if (each.function, each.node) not in told:  # else it may fit once it is mended
            yield Incompatibility(
                each.node, each.op, each.function, each.problem, _REPAIR, "repair_nodes", not each.function
            )


def _in_function(found: Incompatibility, function: str) -> Incompatibility:
    old = found.transform
    new = old[:-1] + ", functions=true)" if old.endswith(")") else old and f"{old}(functions=true)"
    return replace(found, function=function, fix=found.fix.replace(old, new), transform=new, refused=False)


def _of_node(node: ListedNode, release: Release, producer: int) -> Iterator[Incompatibility]:
    if not _NAME.fullmatch(node.name) or (">" in node.name and not release.allows_angle_in_names):
        yield _incompatibility(
            node, f"TensorFlow {release.name} allows no such name", "obfuscate_names", "rename it: {}"
        )
    wanted = accepted(node.op, release.number)
    if wanted is None:
        yield _incompatibility(node, _no_op(node.op, release), *_instead(node.op))
    elif 0 < wanted.refused_from <= producer:
        problem = f"{node.op} was given up in version {wanted.refused_from} of graphs, and this one has {producer}"
        yield _incompatibility(node, problem, *_instead(node.op))
    else:
        yield from _of_attrs(node, wanted, release)


def _no_op(op: str, release: Release) -> str:
    having = releases_with(op)
    if not having:
        near = ops.suggest(op)
        return f"no release of TensorFlow has an op {op}" + (f", did you mean {near}?" if near else "")
    if having[0].number > release.number:
        return f"TensorFlow {release.name} has no {op}, {having[0].name} has"
    return f"TensorFlow {release.name} has no {op}, {having[-1].name} had"


def _instead(op: str) -> tuple[str, str]:
    if op.startswith("_"):
        return "", "it was put in by TensorFlow's own optimizer: take the graph as it was before"
    return _INSTEAD.get(op, ("", ""))


def _of_attrs(node: ListedNode, wanted: Accepted, release: Release) -> Iterator[Incompatibility]:
    for key in sorted(wanted.needed.difference(node.attrs)):
        yield _incompatibility(node, f"attribute '{key}' is missing")
    for key in node.attrs:
        try:
            value = node.attrs[key]
        except DecodeError as error:
            yield _incompatibility(node, f"attribute '{key}': {error}")
            continue
        if key in wanted.attrs:
            problem = _wrong_value(node.op, key, value, wanted.attrs[key], release)
            if problem:
                yield _incompatibility(node, f"attribute '{key}' {problem}")
        elif not key.startswith("_"):
            yield from _unknown(node, key, value, release)


def _unknown(node: ListedNode, key: str, value: AttrValue, release: Release) -> Iterator[Incompatibility]:
    problem = f"TensorFlow {release.name} does not know attribute '{key}' of {node.op}"
    drop = f"remove_attribute(op_name={node.op}, attribute_name={key})"
    if not ops.is_default(node.op, key, value):
        problem += f", and its value {value_text(value)} is not the default"
        idle = _IDLE.get((node.op, key), "")
        found = _incompatibility(node, problem, drop if idle else "", idle)
        yield replace(found, refused=not release.ignores_unknown_attrs)
    elif not release.ignores_unknown_attrs:
        yield _incompatibility(node, problem, drop, "it holds its default, drop it: {}")


def _wrong_value(op: str, key: str, value: AttrValue, allowed: tuple[DType | bytes, ...], release: Release) -> str:
    definition = ops.find(op)
    kind = definition.attrs[key].kind if definition and key in definition.attrs else ""
    single = kind.removeprefix("list(").removesuffix(")")
    items = value if isinstance(value, tuple) else (value,)
    if isinstance(value, TypeVariable):
        return ""
    if single in _KINDS and (
        isinstance(value, tuple) != kind.startswith("list(") or not all(_is(each, single) for each in items)
    ):
        return f"is {value_text(value)}, which is not of type {kind}" if value is not None else "is empty"
    for each in items:
        if isinstance(each, DType) and each.base.number not in release.types:
            return f"is {each}, a type that TensorFlow {release.name} does not know"
        if allowed and isinstance(each, (DType, bytes)) and each not in allowed:
            return f"cannot be {_plain(each)} in TensorFlow {release.name}, only {', '.join(map(_plain, allowed))}"
    return ""


def _is(value: AttrValue, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == "bool")


def _plain(value: DType | bytes) -> str:
    return str(value) if isinstance(value, DType) else value_text(value)


def _incompatibility(node: ListedNode, problem: str, transform: str = "", fix: str = "") -> Incompatibility:
    return Incompatibility(node.name, node.op, "", problem, fix.format(transform), transform)
