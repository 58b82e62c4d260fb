"""The way back: a frozen graph becomes a SavedModel, which servers and converters take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from pbslim import ops
from pbslim.analysis.endpoints import find_names, require, require_frozen
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.analysis.tables import FILLERS, FROM_FILES
from pbslim.errors import UsageError
from pbslim.ir import Graph, Node, Signature, StringTensor
from pbslim.names import node_name
from pbslim.wire import load
from pbslim.wire.files import GraphLike
from pbslim.wire.given import Names
from pbslim.wire.given import names as name_list
from pbslim.wire.paths import expanded
from pbslim.wire.saved_models import SavedModel, TensorInfo, save_model

_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class SavedModelResult:
    """What `to_saved_model` wrote.

    Attributes:
        folder: where it is.
        signature: its name.
        size: of its ``saved_model.pb``, in bytes.
        inputs, outputs: key → tensor, as the signature has them.
        initializers: nodes that TensorFlow runs when it loads the model, as they fill lookup tables.
        notes: remarks for the user.
    """

    folder: Path
    signature: str
    size: int
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    initializers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def to_saved_model(
    graph: GraphLike,
    folder: str | PathLike[str],
    *,
    inputs: Mapping[str, str] | Names | None = None,
    outputs: Mapping[str, str] | Names | None = None,
    signature: str | None = None,
    tags: Names = "serve",
    assets: Iterable[str | PathLike[str]] = (),
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> SavedModelResult:
    """Write a frozen graph as a SavedModel with one signature.

    >>> pbslim.to_saved_model("frozen.pb", "model/1", outputs={"scores": "Identity:0"})

    Args:
        graph: a graph without variables.
        folder: where to write it; must be new or empty.
        inputs, outputs: key → tensor name; or ``KEY=TENSOR`` and tensor names, whose keys are made of the names of
            their nodes. If not given, those of the signature that the graph was frozen with, or what it shows.
        signature: what the signature is called: ``serving_default`` if nothing else is known.
        tags: what the graph is for.
        assets: files that lookup tables are filled from, which shall be part of the model.
        replace: put it in the place of a SavedModel in `folder`.
        progress: is told of the size of each piece that was written.

    Raises:
        UsageError: a name is not in the graph, two keys are equal, or an output needs a variable.
        PbslimError: the folder cannot be written.
    """
    loaded = load(graph)
    said = loaded.signature or Signature("", {}, {})
    wanted_inputs = _pairs(inputs, "inputs") or _there(loaded, said.inputs)
    wanted_outputs = _pairs(outputs, "outputs") or _there(loaded, said.outputs)
    found_inputs, found_outputs = find_names(
        loaded,
        [tensor for _, tensor in wanted_inputs],
        [tensor for _, tensor in wanted_outputs],
    )
    require_frozen(loaded, found_outputs, found_inputs)
    shapes = StaticShapes(loaded)
    fillers = [node for node in loaded if node.op in FILLERS]
    files, notes = _assets(fillers, [expanded(path) for path in assets])
    model = SavedModel(
        signature=said.name or "serving_default" if signature is None else signature,
        inputs=_infos(loaded, wanted_inputs or [("", name) for name in found_inputs], shapes, "inputs"),
        outputs=_infos(loaded, wanted_outputs or [("", name) for name in found_outputs], shapes, "outputs"),
        tags=name_list(tags, "tags"),
        initializers=[node.name for node in fillers],
        assets=files,
    )
    if not model.signature or not model.tags:
        raise UsageError("a SavedModel needs a tag and a name for its signature")
    size = save_model(loaded, model, expanded(folder), replace=replace, progress=progress)
    return SavedModelResult(
        expanded(folder), model.signature, size, model.inputs, model.outputs, list(model.initializers), notes
    )


def _pairs(given: Mapping[str, str] | Names | None, what: str) -> list[tuple[str, str]]:
    """Key (empty where it is to be made) and tensor name of each."""
    if not given:
        return []
    if isinstance(given, Mapping):
        return list(given.items())
    parts = (text.rpartition("=") for text in name_list(given, what))
    return [(key.strip(), tensor.strip()) for key, _, tensor in parts]


def _there(graph: Graph, named: Mapping[str, str]) -> list[tuple[str, str]]:
    """The entries whose tensors are still in the graph."""
    return [(key, tensor) for key, tensor in named.items() if node_name(tensor) in graph]


def _infos(graph: Graph, pairs: list[tuple[str, str]], shapes: StaticShapes, what: str) -> dict[str, TensorInfo]:
    found: dict[str, TensorInfo] = {}
    for given, tensor in pairs:
        key = given or _free_key(tensor, found)
        if key in found:
            raise UsageError(f"two {what} of the signature are called '{key}'")
        found[key] = _info(graph, tensor, shapes)
    return found


def _free_key(tensor: str, taken: Iterable[str]) -> str:
    node, _, port = tensor.partition(":")
    key = _NOT_IN_KEY.sub("_", node) + (f"_{port}" if port.strip("0") else "")
    while key in taken:
        key += "_"
    return key


def _info(graph: Graph, tensor: str, shapes: StaticShapes) -> TensorInfo:
    node, (_, _, port) = require(graph, tensor), tensor.partition(":")
    if port and not port.isdecimal():
        raise UsageError(f"'{tensor}' is no tensor: a number must follow the colon")
    value = node.output(int(port or 0))
    dtypes = ops.output_dtypes(node.op, node.attrs)
    if dtypes is not None and value.port >= len(dtypes):
        raise UsageError(f"'{tensor}' is not there: '{node.name}' ({node.op}) gives {len(dtypes)} tensors")
    return TensorInfo(f"{node.name}:{value.port}", dtypes[value.port] if dtypes else None, shapes.of(value))


def _assets(fillers: Iterable[Node], given: list[Path]) -> tuple[dict[str, Path], list[str]]:
    """Tensor that names a file → the file among those that are `given`; remarks on files that stay outside.

    No file is taken only because the graph names it: it may name any file of this machine.
    """
    found: dict[str, Path] = {}
    notes = []
    for path in given:
        if not path.is_file():
            raise UsageError(f"the asset '{path}' is not a file")
    for node in fillers:
        if node.op not in FROM_FILES or len(node.inputs) < 2:
            continue
        name = node.inputs[1].node
        wanted = _file_name(name)
        files = [path for path in given if path.name == re.split(r"[/\\]", wanted)[-1]]
        if files:
            found[f"{name.name}:0"] = files[0]
        else:
            notes.append(
                f"'{node.name}' reads '{wanted}' when the model is loaded; to take it along, give it as an asset"
            )
    unused = [path for path in given if path not in found.values()]
    if unused:
        raise UsageError(f"no lookup table of the graph is filled from '{unused[0]}'")
    return found, notes


def _file_name(node: Node) -> str:
    value = node.attr("value", StringTensor) if node.op == "Const" else None
    return value.numpy().reshape(-1)[0].decode(errors="replace") if value is not None and value.size else ""
