"""A graph without variables as the folder of a SavedModel: ``saved_model.pb``, and ``assets`` with files that it reads.

Any TensorFlow from 1.13 on loads it, into a session or as functions. Field numbers are those of TensorFlow's
``saved_model.proto`` and ``meta_graph.proto``; the collections are those that its loaders look up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pbslim.dtypes import DType, Shape
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.ir.attributes import default_value
from pbslim.ops import MISSING, OpDef, find
from pbslim.wire.attributes import encode_attr
from pbslim.wire.files import PROTOBUF_LIMIT
from pbslim.wire.outputs import make_folder, new_folder, require_apart
from pbslim.wire.parts import Part, joined, total
from pbslim.wire.paths import descriptor, expanded
from pbslim.wire.sources import Source
from pbslim.wire.tensors import encode_shape
from pbslim.wire.varint import LEN, VARINT, length_delimited, tag, varint
from pbslim.wire.write import graph_parts, write_parts

METHOD = "tensorflow/serving/predict"
"""What kind of question a signature answers; servers take any other for classification or regression."""
_GRAPHS = frozenset({"saved_model.pb", "saved_model.pbtxt"})
_FILES = _GRAPHS | {"variables", "assets", "assets.extra", "debug", "fingerprint.pb", "keras_metadata.pb"}
_MAIN_OP, _TABLES, _ASSETS = "saved_model_main_op", "table_initializer", "saved_model_assets"


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a signature.

    Attributes:
        name: ``node:port``.
        dtype: None where it is not known.
    """

    name: str
    dtype: DType | None
    shape: Shape


@dataclass(frozen=True)
class SavedModel:
    """What a SavedModel says besides its graph.

    Attributes:
        signature: its name.
        inputs, outputs: key → tensor.
        tags: what the graph is for, such as ``serve``.
        initializers: nodes that must run once before all others.
        assets: tensor name → the file whose name it holds.
    """

    signature: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    tags: Sequence[str]
    initializers: Sequence[str] = ()
    assets: Mapping[str, Path] = field(default_factory=dict)


@contextmanager
def new_model(folder: str | Path, *sources: Source, given: Path | None = None, replace: bool = False) -> Iterator[Path]:
    """A folder for `write_model`, which is called `folder` when the block ends, or not at all.

    Args:
        sources: the inputs that the content comes from; they must be unchanged when the block has ended.
        given: the path of the input, if it has one; it stays where it is.
        replace: put it in the place of a SavedModel that is there; nothing else is ever replaced.

    Raises:
        UsageError: `given` would go, or it is no place for a folder.
        PbslimError: it cannot be made there, or an input was changed.
    """
    target = expanded(folder)
    if descriptor(target, 1) is not None:
        raise UsageError("a SavedModel is a folder, which cannot be written to a stream; name one")
    if given is not None and given.exists() and given.resolve().is_relative_to(target.resolve()):
        raise UsageError(f"'{folder}' is or holds the input, which stays as it is; name another folder")
    if given is not None:
        require_apart(target, given)
    names = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if names and not (names & _GRAPHS and names <= _FILES):
        raise PbslimError(f"cannot write '{folder}': the folder holds other files; name one that is new or empty")
    if names and not replace:
        raise PbslimError(
            f"cannot write '{folder}': a SavedModel is there; --force, or replace=True in Python, replaces it"
        )
    make_folder(target)
    with new_folder(target, *sources) as place:
        yield place


def write_model(graph: Graph, model: SavedModel, place: Path, *, progress: Callable[[int], None] | None = None) -> int:
    """Write `graph` and what `model` says into the folder `place`; gives the size of ``saved_model.pb`` in bytes.

    Args:
        progress: is told of the size of each piece that was written.

    Raises:
        PbslimError: TensorFlow could not read a file of that size.
    """
    names = _asset_names(model.assets)
    parts = list(_message(graph, model, names))
    if total(parts) > PROTOBUF_LIMIT:
        raise PbslimError(
            f"a SavedModel of {total(parts)} bytes is too large, TensorFlow reads at most {PROTOBUF_LIMIT}"
        )
    if names:
        (place / "assets").mkdir()
    for tensor, name in names.items():
        shutil.copyfile(model.assets[tensor], place / "assets" / name)
    with (place / "saved_model.pb").open("xb") as out:
        size = write_parts(iter(parts), out, progress)
        out.flush()
        os.fsync(out.fileno())
    return size


def _asset_names(assets: Mapping[str, Path]) -> dict[str, str]:
    """Tensor name → the name of its file in the folder of assets; no two are equal."""
    found: dict[str, str] = {}
    for tensor, path in assets.items():
        same = [other for other in found if assets[other].samefile(path)]
        name, number = path.name, 0
        while not same and name in found.values():
            number += 1
            name = f"{path.stem}_{number}{path.suffix}"
        found[tensor] = found[same[0]] if same else name
    return found


def _message(graph: Graph, model: SavedModel, assets: Mapping[str, str]) -> Iterator[Part]:
    main = _free_name(graph, "initialize") if model.initializers else ""
    content = [*graph_parts(graph), *([_no_op(main, model.initializers)] if main else ())]
    about = length_delimited(1, _about(graph, model.tags))
    rest = b"".join(_collections(main, model.initializers, assets))
    rest += length_delimited(5, _pair(model.signature, _signature(model)))
    rest += b"".join(length_delimited(6, _asset(tensor, name)) for tensor, name in assets.items())
    head = tag(2, LEN) + varint(total(content))
    yield tag(1, VARINT) + varint(1)
    yield tag(2, LEN) + varint(len(about) + len(head) + total(content) + len(rest)) + about + head
    yield from content
    yield rest


def _about(graph: Graph, tags: Iterable[str]) -> bytes:
    """Tags, and the defaults of attributes: older runtimes drop those that they do not know and that have these."""
    ops = {node.op for node in graph}.union(*(function.ops for function in graph.library.functions.values()))
    listed = b"".join(length_delimited(1, _op(definition)) for definition in map(find, sorted(ops)) if definition)
    return length_delimited(2, listed) + b"".join(length_delimited(4, tag_.encode()) for tag_ in tags)


def _op(definition: OpDef) -> bytes:
    """An OpDef message that says no more than the defaults of its attributes."""
    out = length_delimited(1, definition.name.encode())
    for attr in definition.attrs.values():
        if attr.default is not MISSING:
            value = joined(encode_attr(default_value(attr.default)))
            about = length_delimited(1, attr.name.encode()) + length_delimited(2, attr.kind.encode())
            out += length_delimited(4, about + length_delimited(3, value))
    return out


def _free_name(graph: Graph, wanted: str) -> str:
    name, number = wanted, 0
    while graph.get(name) is not None:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _no_op(name: str, after: Iterable[str]) -> bytes:
    """The field of a node that runs when others have run."""
    controls = b"".join(length_delimited(3, f"^{each}".encode()) for each in after)
    return length_delimited(1, length_delimited(1, name.encode()) + length_delimited(2, b"NoOp") + controls)


def _collections(main: str, initializers: Sequence[str], assets: Mapping[str, str]) -> Iterator[bytes]:
    if main:
        for key, names in ((_MAIN_OP, [main]), (_TABLES, initializers)):
            nodes = b"".join(length_delimited(1, name.encode()) for name in names)
            yield length_delimited(4, _pair(key, length_delimited(1, nodes)))
    if assets:
        kind = length_delimited(1, b"type.googleapis.com/tensorflow.AssetFileDef")
        packed = (kind + length_delimited(2, _asset(*each)) for each in assets.items())
        values = b"".join(length_delimited(1, each) for each in packed)
        yield length_delimited(4, _pair(_ASSETS, length_delimited(5, values)))


def _asset(tensor: str, file: str) -> bytes:
    return length_delimited(1, length_delimited(1, tensor.encode())) + length_delimited(2, file.encode())


def _signature(model: SavedModel) -> bytes:
    entries = [(1, each) for each in model.inputs.items()] + [(2, each) for each in model.outputs.items()]
    return b"".join(length_delimited(number, _pair(key, _info(info))) for number, (key, info) in entries) + (
        length_delimited(3, METHOD.encode())
    )


def _info(info: TensorInfo) -> bytes:
    shape = tag(3, VARINT) + b"\1" if info.shape.dims is None else encode_shape(info.shape.dims)
    dtype = tag(2, VARINT) + varint(info.dtype.number) if info.dtype else b""
    return length_delimited(1, info.name.encode()) + dtype + length_delimited(3, shape)


def _pair(key: str, value: bytes) -> bytes:
    """An entry of a map."""
    return length_delimited(1, key.encode()) + length_delimited(2, value)
