"""What goes into a model and what comes out of it: by a signature, by names, or as the graph shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pbslim import ops
from pbslim.analysis.endpoints import require
from pbslim.analysis.ends import find_ends
from pbslim.dtypes import RESOURCE, VARIANT
from pbslim.errors import DecodeError, UsageError, counted
from pbslim.freezing.functions import Caller, functions_of
from pbslim.freezing.models import Model, choose_signature
from pbslim.freezing.variables import Sources
from pbslim.ir import AttrValue, Graph, Value
from pbslim.ir.inputs import split_input
from pbslim.ops.families import FEEDABLE
from pbslim.rewrite.cutting import cut
from pbslim.wire.meta_graphs import MetaGraph, SignatureSpec, TensorSpec


@dataclass
class Ends:
    """Values of a graph by the keys that the model has for them.

    Attributes:
        name: of the signature, empty where there is none.
        called: whether the outputs are those of a call, as in TensorFlow 2, whose name means nothing to anybody.
    """

    name: str
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    called: bool = False


def ends_of(model: Model, sources: Sources, signature: str | None, outputs: Sequence[str] | None) -> Ends:
    """The inputs and outputs of `model`; an input that is computed becomes a Placeholder.

    Args:
        sources: what the variables are restored from.
        signature: its name, or that of a function of the model; the one for serving if None.
        outputs: keys of the signature, or tensor names.

    Raises:
        UsageError: something that is named is not there, or what is meant must be named.
        DecodeError: the signature names what is not in the graph.
    """
    graph, meta = model.graph, model.meta
    if meta is None or not (meta.signatures or meta.objects.nodes):
        if signature is not None:
            raise UsageError(f"'{model.path}' has no signatures")
        return _without_signature(graph, outputs)
    if signature is not None and signature not in meta.signatures and meta.objects.nodes:
        return _called(model, meta, sources, signature)
    chosen = choose_signature(meta, signature)
    if chosen is None:
        if functions := functions_of(meta):
            listed = ", ".join(functions)
            raise UsageError(f"'{model.path}' has no signature, choose with 'pbslim freeze --signature': {listed}")
        return _without_signature(graph, outputs)
    name, spec = chosen
    if outputs and not set(outputs) <= spec.outputs.keys():
        return Ends(name, _inputs(graph, name, spec), _named(graph, outputs), called=bool(meta.objects.nodes))
    wanted = {key: spec.outputs[key] for key in outputs} if outputs else spec.outputs
    found = {key: _value(graph, name, key, each) for key, each in wanted.items()}
    if not found:
        raise UsageError(f"the signature '{name}' has no outputs; choose another one with 'pbslim freeze --signature'")
    return Ends(name, _inputs(graph, name, spec), found, called=bool(meta.objects.nodes))


def _called(model: Model, meta: MetaGraph, sources: Sources, name: str) -> Ends:
    """The inputs and results of a function of the model."""
    if name not in functions_of(meta) and name not in model.graph.library.functions:
        choose_signature(meta, name)  # says what there is
    inputs, call = Caller(model.graph, meta, model.values(), sources.variables).call(name)
    results = call.attr("Tout", tuple, ())
    outputs = {f"output_{port}": call.output(port) for port in range(len(results))}
    return Ends(name, {node.name: node.output() for node in inputs}, outputs, called=True)


def _without_signature(graph: Graph, outputs: Sequence[str] | None) -> Ends:
    """Outputs that are named, or else what the graph ends with."""
    names = outputs or [node.name for node in find_ends(graph)]
    if not names:
        raise UsageError("no outputs can be found in the graph; name them with --outputs")
    return Ends("", {}, _named(graph, names))


def _named(graph: Graph, names: Iterable[str]) -> dict[str, Value]:
    found = {}
    for name in names:
        node = require(graph, name)
        port = name.partition(":")[2]
        if port and not port.isdecimal():
            raise UsageError(f"'{name}' is not the name of a tensor")
        found[name] = _existing(node.output(int(port or 0)), name)
    return found


def _existing(value: Value, name: str) -> Value:
    """`value`, if its node has such an output and it holds something that can be computed."""
    types = ops.output_dtypes(value.node.op, value.node.attrs)
    if types is not None and value.port >= len(types):
        raise UsageError(f"'{name}' is not there: {value.node.op} has {counted(len(types), 'output')}")
    if types is not None and types[value.port].base in (RESOURCE, VARIANT):
        raise UsageError(f"the output '{name}' is a {types[value.port]}, which has no value")
    return value


def _inputs(graph: Graph, name: str, spec: SignatureSpec) -> dict[str, Value]:
    """The inputs; at one that is computed the graph is cut."""
    found = {key: _value(graph, name, key, each) for key, each in spec.inputs.items()}
    attrs: dict[Value, Mapping[str, AttrValue]] = {}
    for key, value in found.items():
        if value.node.op not in FEEDABLE:
            attrs[value] = _placeholder(spec.inputs[key], value)
    made = cut(graph, attrs)
    return {key: made[value].output() if value in made else value for key, value in found.items()}


def _placeholder(spec: TensorSpec, value: Value) -> dict[str, AttrValue]:
    given = ops.output_dtype(value.node.op, value.node.attrs, value.port)
    dtype = given.base if given else spec.dtype
    if dtype is None:
        raise DecodeError(f"the type of the input '{value.name}' is not known")
    return {"dtype": dtype, "shape": spec.shape}


def _value(graph: Graph, name: str, key: str, spec: TensorSpec) -> Value:
    node_name, port = split_input(spec.name)
    node = graph.get(node_name)
    if node is None or spec.name.startswith("^"):
        raise DecodeError(f"the signature '{name}' calls '{spec.name}' its '{key}', which is not in the graph")
    try:
        return _existing(node.output(port), spec.name)
    except UsageError as error:
        raise DecodeError(f"the signature '{name}': {error}") from None
