"""Functions of a TensorFlow 2 model that have no signature: a call of one is put into the graph.

The model says to which objects the last arguments of a function are bound; the others are its inputs. Which variable an
object is, the checkpoint tells: it has the same objects, with the keys of their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pbslim.dtypes import DType
from pbslim.errors import DecodeError, GraphError, PbslimError, UsageError
from pbslim.freezing.restoring import Stored, VariableName, variable_name
from pbslim.ir import AttrValue, Body, FunctionRef, Graph, Node, Value
from pbslim.names import shortened
from pbslim.ops.families import VARIABLES
from pbslim.wire import schema
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.meta_graphs import MetaGraph

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"


def functions_of(meta: MetaGraph) -> dict[str, list[str]]:
    """The functions that hang on the root object: their names, and those of what was traced for each."""
    nodes = meta.objects.nodes
    found: dict[str, list[str]] = {}
    for child in nodes[0].children if nodes else ():
        traced = _traced(nodes[child.node_id]) if 0 <= child.node_id < len(nodes) else []
        if traced:
            found[child.local_name] = traced
    return found


def _traced(node: Any) -> list[str]:
    if node.WhichOneof("kind") == "bare_concrete_function":
        return [node.bare_concrete_function.concrete_function_name]
    return list(node.function.concrete_functions)


class Caller:
    """Puts calls of a model's functions into its graph.

    Args:
        sources: what each variable of the graph is restored from.
    """

    def __init__(
        self, graph: Graph, meta: MetaGraph, checkpoint: Checkpoint, sources: Mapping[VariableName, Stored]
    ) -> None:
        self._graph, self._meta, self._checkpoint, self._sources = graph, meta, checkpoint, sources

    def call(self, name: str) -> tuple[list[Node], Node]:
        """The placeholders of the inputs of a function, named as its arguments, and the node that calls it.

        Raises:
            UsageError: there is no such function, or it was traced for several kinds of arguments.
            DecodeError: it cannot be told what it is bound to.
        """
        functions = functions_of(self._meta)
        traced = functions.get(name, [name] if name in self._graph.library.functions else [])
        if not traced:
            raise UsageError(f"there is no function '{name}' in the model; there are: {shortened(list(functions))}")
        if len(traced) > 1:
            raise UsageError(
                f"'{name}' was traced {len(traced)} times, choose with 'pbslim freeze --signature': {shortened(traced)}"
            )
        body = self._body(traced[0])
        known = self._meta.objects.concrete_functions
        bound = list(known[traced[0]].bound_inputs) if traced[0] in known else []
        free = len(body.arguments) - len(bound)
        types = [each for each in body.argument_dtypes if isinstance(each, DType)]
        results = [each for each in body.dtypes if isinstance(each, DType)]
        if free < 0 or len(types) < len(body.arguments) or len(results) < len(body.dtypes):
            raise DecodeError(f"the function '{name}' does not fit what the model says of it")
        values = [self._value(number, name) for number in bound]
        inputs = [
            self._graph.add(self._graph.unique_name(argument), "Placeholder", attrs={"dtype": dtype})
            for argument, dtype in zip(body.arguments[:free], types, strict=False)
        ]
        attrs: dict[str, AttrValue] = {"f": FunctionRef(traced[0], {}), "Tin": tuple(types), "Tout": tuple(results)}
        unique = self._graph.unique_name("StatefulPartitionedCall")
        fed = [*(node.output() for node in inputs), *values]
        return inputs, self._graph.add(unique, "StatefulPartitionedCall", fed, attrs)

    def _body(self, name: str) -> Body:
        function = self._graph.library.functions.get(name)
        if function is None:
            raise DecodeError(f"the function '{name}' is not in the library of the graph")
        try:
            return function.body()
        except GraphError as error:
            raise DecodeError(str(error)) from None

    def _value(self, number: int, name: str) -> Value:
        """The value that stands for an object of the model."""
        nodes = self._meta.objects.nodes
        node = nodes[number] if 0 <= number < len(nodes) else None
        kind = node.WhichOneof("kind") if node is not None else None
        found: Node | None = None
        if node is not None and kind == "constant":
            found = self._graph.get(node.constant.operation)
        elif kind == "variable":
            found = self._variable(number)
        if found is None:
            raise DecodeError(f"the function '{name}' is bound to object {number} ({kind}), which is not in the graph")
        return found.output()

    def _variable(self, number: int) -> Node | None:
        key = self._keys().get(number)
        for node in self._graph:
            stored = self._sources.get(variable_name(node)) if node.op in VARIABLES else None
            if stored is not None and stored.key == key:
                return node
        return None

    def _keys(self) -> dict[int, str]:
        """The key of the value of each variable, by the number of its object in the model."""
        stored = schema.new("TrackableObjectGraph")
        try:
            stored.ParseFromString(bytes(self._checkpoint.tensor(_OBJECTS).numpy().item()))
        except PbslimError:
            raise
        except Exception as error:  # noqa: BLE001 - the libraries behind protobuf raise different classes
            raise DecodeError(f"the objects in '{self._checkpoint.path}' cannot be read: {error}") from None
        keys: dict[int, str] = {}
        todo, seen = [(0, 0)], set()
        while todo:
            mine, other = todo.pop()
            if mine in seen or mine >= len(self._meta.objects.nodes) or other >= len(stored.nodes):
                continue
            seen.add(mine)
            for each in stored.nodes[other].attributes:
                if each.name == _VALUE:
                    keys[mine] = each.checkpoint_key
            children = {child.local_name: child.node_id for child in stored.nodes[other].children}
            pairs = (
                (child.node_id, children.get(child.local_name, -1)) for child in self._meta.objects.nodes[mine].children
            )
            todo += [pair for pair in pairs if min(pair) >= 0]
        return keys
