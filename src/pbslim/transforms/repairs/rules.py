"""What the repair of one node is; each rule looks at the node and says whether it has changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from pbslim import ops
from pbslim.analysis.conformity import Conformity
from pbslim.analysis.frames import has_frames
from pbslim.dtypes import BOOL, INT32, RESOURCE, DType
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value
from pbslim.ops.families import ALIASES, ENTERS, EXITS, MERGES, NEXT_ITERATIONS, SWITCHES

Rule = Callable[[Graph, Node, Conformity], bool]

_CARRIERS = ALIASES | ENTERS | EXITS | MERGES | NEXT_ITERATIONS | SWITCHES
_PREFIX = "Ref"  # RefSwitch, RefMerge ...


def surplus_inputs(graph: Graph, node: Node, conformity: Conformity) -> bool:
    """``Const(x)`` → ``Const(^x)``: more data inputs than the op has are control inputs that lost their mark."""
    count = ops.input_count(node.op, node.attrs)
    if count is None or len(node.inputs) <= count:
        return False
    meant, surplus = node.inputs[:count], node.inputs[count:]
    expected = ops.input_dtypes(node.op, node.attrs)
    if expected and any(conformity.dtype(v) not in (None, t) for v, t in zip(meant, expected, strict=True)):
        return False
    node.set_inputs(meant)
    node.set_controls([*node.controls, *(awaited(graph, value) for value in surplus)])
    return True


def awaited(graph: Graph, value: Value) -> Node:
    """The node to wait for instead of reading `value`; of a Switch it is an Identity in the same branch."""
    if value.node.op not in SWITCHES:
        return value.node
    for use in value.uses:
        if use.node.op == "Identity":
            return use.node
    attrs = {"T": value.node.attrs["T"]} if "T" in value.node.attrs else {}
    return graph.add(graph.unique_name(f"{value.node.name}/Identity"), "Identity", [value], attrs)


def carrier(graph: Graph, node: Node, conformity: Conformity) -> bool:  # noqa: ARG001 - as every rule
    """``Switch(w, p, T=resource)`` → ``Switch(w, p, T=float)``; ``RefSwitch(w, p)`` → ``Switch(w, p)``."""
    op = node.op.removeprefix(_PREFIX)
    if op not in _CARRIERS or not node.inputs:
        return False
    data = node.inputs if op in MERGES else node.inputs[:1]
    types = {dtype for value in data if (dtype := conformity.dtype(value))}
    plain = types - {RESOURCE}
    if any(dtype.is_ref for dtype in plain):
        return False
    if op != node.op and plain:
        node.set_op(op)
        return True
    if node.dtype_attr("T") is not RESOURCE or len(plain) != 1:
        return False
    node.set_attr("T", plain.pop())
    node.remove_attr("_output_shapes")  # they are those of the handle
    return True


def read_variable(graph: Graph, node: Node, conformity: Conformity) -> bool:  # noqa: ARG001 - as every rule
    """``ReadVariableOp(w)`` → ``Identity(w)``."""
    dtype = _plain_variable(node, conformity)
    if node.op != "ReadVariableOp" or dtype is None:
        return False
    colocations = {"_class": node.attrs["_class"]} if "_class" in node.attrs else {}
    _become(node, "Identity", node.inputs, {"T": dtype, **colocations})
    return True


def gather(graph: Graph, node: Node, conformity: Conformity) -> bool:
    """``ResourceGather(w, i)`` → ``GatherV2(w, i, axis)``, ``ResourceGatherNd(w, i)`` → ``GatherNd(w, i)``."""
    dtype = _plain_variable(node, conformity)
    if node.op not in ("ResourceGather", "ResourceGatherNd") or dtype is None:
        return False
    attrs = {key: value for key in ("Tindices", "_class") if (value := node.attrs.get(key)) is not None}
    attrs["Tparams"] = dtype
    if node.op == "ResourceGatherNd":
        _become(node, "GatherNd", node.inputs, attrs)
        return True
    batch = node.attr("batch_dims", int, 0)
    axis_dtype = node.dtype_attr("Tindices", INT32) or INT32
    axis = _constant(graph, f"{node.name}/axis", np.array(batch, axis_dtype.numpy), axis_dtype, node.inputs[1])
    attrs["Taxis"] = axis_dtype
    if batch:
        attrs["batch_dims"] = batch
    _become(node, "GatherV2", [*node.inputs, axis.output()], attrs)
    return True


def variable_facts(graph: Graph, node: Node, conformity: Conformity) -> bool:
    """``VariableShape(w)`` → ``Shape(w)``, ``VarIsInitializedOp(w)`` → ``Const(true)``."""
    dtype = conformity.dtype(node.inputs[0]) if node.inputs else None
    if dtype is None or dtype is RESOURCE:
        return False
    if node.op == "VariableShape":
        out_type = {"out_type": node.attrs["out_type"]} if "out_type" in node.attrs else {}
        _become(node, "Shape", node.inputs, {"T": dtype, **out_type})
        return True
    if node.op not in ("VarIsInitializedOp", "IsVariableInitialized") or dtype.is_ref:
        return False
    waits = [*node.controls, awaited(graph, node.inputs[0])] if has_frames(graph) else node.controls
    value = ArrayTensor(np.array(True), BOOL)
    node.become("Const", attrs={"dtype": BOOL, "value": value}, controls=waits, device=node.device)
    return True


def _plain_variable(node: Node, conformity: Conformity) -> DType | None:
    """The type of what `node` takes for a variable, if it is a tensor of the type that the variable would have."""
    dtype = conformity.dtype(node.inputs[0]) if node.inputs else None
    return dtype if dtype is not None and node.dtype_attr("dtype") is dtype else None


def _become(node: Node, op: str, inputs: Iterable[Value], attrs: Mapping[str, AttrValue]) -> None:
    node.become(op, inputs, attrs, controls=node.controls, device=node.device)


def _constant(graph: Graph, name: str, value: np.ndarray, dtype: DType, beside: Value) -> Node:
    """A constant that lives where `beside` does."""
    controls = [awaited(graph, beside)] if has_frames(graph) else []
    attrs: dict[str, AttrValue] = {"dtype": dtype, "value": ArrayTensor(value, dtype)}
    return graph.add(graph.unique_name(name), "Const", attrs=attrs, controls=controls)


RULES: tuple[Rule, ...] = (surplus_inputs, carrier, read_variable, gather, variable_facts)
