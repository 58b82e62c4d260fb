"""Run a graph with OpenCV's ``dnn``: outputs alone, as its default engine gives wrong values inside of the network.

For each set of outputs the graph is cut down to what they need, so that leftovers do not keep OpenCV from reading it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pbslim import ops
from pbslim.dtypes import STRING
from pbslim.engines.protocol import Array, Engine, Feeds, Program, Unsupported, as_fed, find_value, split_name
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph, Node, Value
from pbslim.ir.order import reachable
from pbslim.ops.families import ALIASES, CALLS, CONTROL_FLOW, FEEDABLE, FUNCTIONAL, PLACEHOLDERS
from pbslim.wire import load, to_bytes

_MISSING = "OpenCV is not installed; run: pip install opencv-python-headless"
_REASON = re.compile(r"error: \(-?\d+:[^)]*\) (.*?)(?: in function .*)?$", re.DOTALL)
_FOLDED = ALIASES | {"BiasAdd"}  # become part of the layer before them, under its name


class OpenCVProgram(Program):
    """A graph; networks are made of it when outputs are asked for."""

    def __init__(self, graph: Graph) -> None:
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._graph, self._cv2 = graph, cv2
        self._networks: dict[tuple[str, ...], _Network] = {}

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`. What others of them are made of is computed apart."""
        found: dict[str, Array] = {}
        left = list(dict.fromkeys(fetches))
        while left:
            network = self._network(tuple(left))
            outputs = network.outputs or left[:1]
            if not network.outputs:
                raise PbslimError(f"OpenCV gives no output '{left[0]}'; it has {', '.join(network.names) or 'none'}")
            found.update(zip(outputs, network.run(feeds), strict=True))
            left = [name for name in left if name not in found]
        return [found[name] for name in fetches]

    def _network(self, fetches: tuple[str, ...]) -> _Network:
        if fetches not in self._networks:
            self._networks[fetches] = _Network(self._cv2, self._graph, fetches)
        return self._networks[fetches]


class _Network:
    """OpenCV's network for some outputs.

    Attributes:
        names: what OpenCV calls its outputs.
        outputs: those of the fetches that are among them.
    """

    def __init__(self, cv2: Any, graph: Graph, fetches: Sequence[str]) -> None:
        self._cv2, self._graph = cv2, graph
        values = {name: find_value(graph, name) for name in fetches}
        needed = _needed(values.values())
        part = graph.copy()
        for node in part:
            node.set_controls(())
        part.erase(part[node.name] for node in graph if node not in needed)
        self._inputs = [node for node in graph if node in needed and node.op in FEEDABLE]
        self._channels_last = not any(node.attrs.get("data_format") == b"NCHW" for node in needed)
        data = np.frombuffer(to_bytes(part), np.uint8)
        self._net = self._told("load the graph", lambda: cv2.dnn.readNetFromTensorflow(data))
        self.names = list(self._net.getUnconnectedOutLayersNames())
        layers = {name: _layer_of(value, self.names) for name, value in values.items()}
        self.outputs = [name for name, layer in layers.items() if layer]
        self._layers = [layers[name] for name in self.outputs]
        self._values = [values[name] for name in self.outputs]

    def run(self, feeds: Feeds) -> list[Array]:
        """The values of the outputs.

        Raises:
            UsageError: an input is not fed, or is not numbers.
            PbslimError: OpenCV fails.
        """
        fed = {split_name(name)[0]: as_fed(value) for name, value in feeds.items()}
        for node in self._inputs:
            if node.name not in fed:
                if node.op in PLACEHOLDERS:
                    raise UsageError(f"no value is fed for input '{node.name}'")
                continue
            if fed[node.name].dtype.kind == "O":
                raise UsageError(f"input '{node.name}' is fed strings, which OpenCV does not have")
            blob = self._first(np.asarray(fed[node.name], np.float32))
            self._told("take the input", lambda blob=blob, node=node: self._net.setInput(blob, node.name))
        layers = list(dict.fromkeys(self._layers))
        found = dict(zip(layers, self._told("run the graph", lambda: self._net.forward(layers)), strict=True))
        return [self._as_declared(found[layer], value) for layer, value in zip(self._layers, self._values, strict=True)]

    def _first(self, images: Array) -> Array:
        """Images with their channels first, as OpenCV takes them."""
        moves = self._channels_last and images.ndim == 4
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2) if moves else images)

    def _as_declared(self, array: Array, value: Value) -> Array:
        """An output with its channels last, and of the type that the node says."""
        moved = array.transpose(0, 2, 3, 1) if self._channels_last and array.ndim == 4 else array
        dtype = ops.output_dtype(value.node.op, value.node.attrs, value.port)
        return moved if dtype is None or dtype.scalar is None else moved.astype(dtype.numpy)

    def _told(self, what: str, action: Any) -> Any:
        try:
            return action()
        except self._cv2.error as error:
            text = " ".join(str(error).split())
            match = _REASON.search(text)
            raise PbslimError(f"OpenCV cannot {what}: {match[1] if match else text}") from None


def _needed(values: Iterable[Value]) -> set[Node]:
    """What values are made of; OpenCV has no control edges."""
    return reachable((value.node for value in values), lambda node: [value.node for value in node.inputs])


def _layer_of(value: Value, names: Collection[str]) -> str:
    """OpenCV's name of the layer that gives a value, empty if it is not an output there."""
    node = value.node
    while not value.port:
        if node.name in names:
            return node.name
        if node.op not in _FOLDED or not node.inputs:
            break
        value, node = node.inputs[0], node.inputs[0].node
    return ""


class OpenCV(Engine):
    """OpenCV's importer of TensorFlow graphs."""

    name = "opencv"
    inner_tensors = False

    def missing(self) -> str:
        """Why OpenCV cannot be used; it is looked for, not loaded."""
        return "" if find_spec("cv2") else _MISSING

    def unsupported(self, graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> list[Unsupported]:
        """What OpenCV has in no form; of other nodes it says itself when it loads them."""
        needed = _needed(find_value(graph, name) for name in fetches)
        found = [
            Unsupported(node.name, node.op, reason) for node in graph if node in needed if (reason := _lacks(node))
        ]
        inputs = {node.name for node in needed if node.op in FEEDABLE}
        inner = [name for name in fed if split_name(name)[0] not in inputs]
        return found + [Unsupported(name, graph[split_name(name)[0]].op, "it is not an input") for name in inner]

    def load(self, source: Graph | Path) -> Program:
        """The graph; it must not be changed as long as the program is in use."""
        if problem := self.missing():
            raise UsageError(problem)
        return OpenCVProgram(load(source) if isinstance(source, Path) else source)


def _lacks(node: Node) -> str:
    if node.op in CONTROL_FLOW | FUNCTIONAL | CALLS:
        return "OpenCV has no loops, branches and functions"
    types = [*(ops.output_dtypes(node.op, node.attrs) or ()), *(ops.input_dtypes(node.op, node.attrs) or ())]
    return "OpenCV has no strings and resources" if any(t is STRING or t.scalar is None for t in types) else ""


ENGINE = OpenCV()
