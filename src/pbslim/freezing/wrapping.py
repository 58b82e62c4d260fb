"""The way back: a frozen graph becomes a SavedModel, which servers and converters take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from pbslim.wire.read import sources_of
from pbslim.wire.saved_models import SavedModel, TensorInfo, new_model, write_model

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
    loaded, target = load(graph), expanded(folder)
    model, notes = _described(loaded, inputs, outputs, signature, name_list(tags, "tags"), assets)
    given = expanded(graph) if isinstance(graph, str | PathLike) else None
    with new_model(target, *sources_of(loaded), given=given, replace=replace) as place:
        size = write_model(loaded, model, place, progress=progress)
    return SavedModelResult(target, model.signature, size, model.inputs, model.outputs, list(model.initializers), notes)


@dataclass
class GraphFile:
    """A graph that becomes a SavedModel.

    Attributes:
        path: where to write it.
        signature: what its inputs and outputs are called; what the graph shows, if nobody says.
    """

    path: Path
    signature: Signature | None = None


@contextmanager
def graph_of_model(folder: Path, *, given: Path, replace: bool = False) -> Iterator[GraphFile]:
    """A graph file to write, which has become a SavedModel in `folder` when the block ends; see `to_saved_model`.

    Args:
        given: the input, which must not be in that folder.
    """
    with new_model(folder, given=given, replace=replace) as place:
        file = GraphFile(place / "graph.pb")
        yield file
        graph = load(file.path)
        graph.signature = file.signature
        write_model(graph, _described(graph, None, None, None, ("serve",), ())[0], place)
        file.path.unlink()


def signature_of(said: Signature | None, inputs: Iterable[str], outputs: Iterable[str]) -> Signature:
    """Keys for tensors: those that `said` has for them, else such as are made of the names of their nodes."""
    said = said or Signature("", {}, {})
    return Signature(said.name, _keyed(inputs, said.inputs), _keyed(outputs, said.outputs))


def _keyed(tensors: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for tensor in tensors:
        keys = [key for key, each in known.items() if each.removesuffix(":0") == tensor.removesuffix(":0")]
        found |= dict.fromkeys(keys or [_free_key(tensor, found)], tensor)
    return found


def _described(
    graph: Graph,
    inputs: Mapping[str, str] | Names | None,
    outputs: Mapping[str, str] | Names | None,
    signature: str | None,
    tags: Sequence[str],
    assets: Iterable[str | PathLike[str]],
) -> tuple[SavedModel, list[str]]:
    """What the SavedModel of `graph` says, and remarks for the user."""
    said = graph.signature or Signature("", {}, {})
    wanted_inputs = _pairs(inputs, "inputs") or _there(graph, said.inputs)
    wanted_outputs = _pairs(outputs, "outputs") or _there(graph, said.outputs)
    found_inputs, found_outputs = find_names(
        graph, [tensor for _, tensor in wanted_inputs], [tensor for _, tensor in wanted_outputs]
    )
    require_frozen(graph, found_outputs, found_inputs)
    name = said.name or "serving_default" if signature is None else signature
    if not name or not tags:
        raise UsageError("a SavedModel needs a tag and a name for its signature")
    shapes = StaticShapes(graph)
    fillers = [node for node in graph if node.op in FILLERS]
    files, notes = _assets(fillers, [expanded(path) for path in assets])
    model = SavedModel(
        signature=name,
        inputs=_infos(graph, wanted_inputs or [("", each) for each in found_inputs], shapes, "inputs"),
        outputs=_infos(graph, wanted_outputs or [("", each) for each in found_outputs], shapes, "outputs"),
        tags=tags,
        initializers=[node.name for node in fillers],
        assets=files,
    )
    return model, notes


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
        raise UsageError(f"'{tensor}' is not a tensor: a number must follow the colon")
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
