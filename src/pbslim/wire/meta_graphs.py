"""SavedModel and MetaGraphDef messages: a graph, and what it says of its inputs, variables, functions and assets.

The messages are those of TensorFlow's ``saved_model.proto`` and ``meta_graph.proto``. Of the graph only the place is
looked up; what surrounds it is small and read as objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pbslim.dtypes import DTYPES, DType, Shape
from pbslim.errors import DecodeError, GraphError
from pbslim.ir import Graph
from pbslim.wire import schema
from pbslim.wire.read import read_graph
from pbslim.wire.sources import Source, open_source, part
from pbslim.wire.varint import LEN, fields, first_text

# Field numbers
_META_GRAPHS = 2
_INFO, _GRAPH, _SAVER, _COLLECTION, _SIGNATURE, _ASSET, _OBJECTS = range(1, 8)
_TAGS = 4
_KEY, _VALUE = 1, 2
_SPARSE = ("values", "indices", "dense_shape")
_UNKNOWN = Shape()
_MOST_TEXT = 1 << 28  # bytes of a text form that are read


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as a signature describes it: its name in the graph, and type and shape as far as they are given."""

    name: str
    dtype: DType | None = None
    shape: Shape = _UNKNOWN


@dataclass(frozen=True)
class SignatureSpec:
    """Inputs and outputs by key; a sparse or composite tensor has a key for each of its parts."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class MetaGraph:
    """A MetaGraphDef that still lies in its file.

    Args:
        path: what the file is called in messages.

    Raises:
        DecodeError: the bytes are no such message.
    """

    def __init__(self, source: Source, start: int, end: int, path: Path) -> None:
        self._source, self._path = source, path
        self._spans: dict[int, list[tuple[int, int]]] = {}
        try:
            for number, kind, at, stop in fields(source, start, end, "a MetaGraphDef"):
                if kind == LEN:
                    self._spans.setdefault(number, []).append((at, stop))
        except DecodeError as error:
            raise DecodeError(f"'{path}': {error}") from None
        if not self._spans.get(_GRAPH):
            raise DecodeError(f"'{path}' has no graph in it: it is damaged, or no MetaGraphDef")

    @cached_property
    def tags(self) -> frozenset[str]:
        """What its maker calls it: ``serve``, ``gpu`` ..."""
        return frozenset(self._whole(_INFO, "MetaGraphDef.MetaInfoDef").tags)

    def graph(self) -> Graph:
        """The graph, of which the constants stay in the file.

        Raises:
            DecodeError, GraphError: it is broken.
        """
        try:
            return read_graph(part(self._source, *self._spans[_GRAPH][-1]))
        except (DecodeError, GraphError) as error:
            raise type(error)(f"'{self._path}': {error}") from None

    @cached_property
    def signatures(self) -> dict[str, SignatureSpec]:
        """The signatures by name."""
        found = {}
        for name, message in self._entries(_SIGNATURE, "SignatureDef"):
            inputs, outputs = (dict(_specs(each)) for each in (message.inputs, message.outputs))
            found[name] = SignatureSpec(inputs, outputs)
        return found

    @cached_property
    def restore_op(self) -> str:
        """The node that restores the variables from a checkpoint; empty for none."""
        return str(self._whole(_SAVER, "SaverDef").restore_op_name)

    def variables(self) -> Iterator[Any]:
        """A VariableDef message for each variable that a collection names, some of them several times."""
        for name, collection in self._entries(_COLLECTION, "CollectionDef"):
            if name.endswith("variables"):
                yield from (self._message(value, "VariableDef") for value in collection.bytes_list.value)

    @cached_property
    def assets(self) -> dict[str, str]:
        """Tensor name → the file in ``assets/`` of which it holds the path."""
        found = [self._message(self._bytes(*span), "AssetFileDef") for span in self._spans.get(_ASSET, ())]
        for name, collection in self._entries(_COLLECTION, "CollectionDef"):
            if name == "saved_model_assets":
                found += [self._message(each.value, "AssetFileDef") for each in collection.any_list.value]
        return {each.tensor_info.name: each.filename for each in found}

    @cached_property
    def asset_files(self) -> list[str]:
        """The files in ``assets/`` in the order in which objects refer to them."""
        spans = self._spans.get(_ASSET, ())
        return [self._message(self._bytes(*span), "AssetFileDef").filename for span in spans]

    @cached_property
    def objects(self) -> Any:
        """The SavedObjectGraph message, without nodes where TensorFlow 1 wrote the model."""
        return self._whole(_OBJECTS, "SavedObjectGraph")

    def _entries(self, field: int, name: str) -> Iterator[tuple[str, Any]]:
        """Key and message of each entry of a map."""
        for start, stop in self._spans.get(field, ()):
            key, value = first_text(self._source, start, stop, _KEY), b""
            for number, kind, at, end in fields(self._source, start, stop, "an entry"):
                if (number, kind) == (_VALUE, LEN):
                    value = self._bytes(at, end)
            yield key, self._message(value, name)

    def _whole(self, field: int, name: str) -> Any:
        """The message in a field, the empty one where there is none."""
        return self._message(b"".join(self._bytes(*span) for span in self._spans.get(field, ())), name)

    def _bytes(self, start: int, stop: int) -> bytes:
        return bytes(self._source[start:stop])

    def _message(self, data: bytes, name: str) -> Any:
        message = schema.new(name)
        try:
            message.ParseFromString(data)
        except Exception as error:  # noqa: BLE001 - the implementations of protobuf raise different classes
            raise DecodeError(f"'{self._path}': its {name} cannot be decoded: {error}") from None
        return message


def _specs(infos: Mapping[str, Any]) -> Iterator[tuple[str, TensorSpec]]:
    """Key and tensor of each part of what a signature lists, sorted by key."""
    for key, info in sorted(infos.items()):
        kind = info.WhichOneof("encoding")
        if kind == "coo_sparse":
            for each in _SPARSE:
                yield f"{key}/{each}", TensorSpec(getattr(info.coo_sparse, f"{each}_tensor_name"))
        elif kind == "composite_tensor":
            parts = {f"{key}/{i}": each for i, each in enumerate(info.composite_tensor.components)}
            yield from _specs(parts)
        else:
            unknown = info.tensor_shape.unknown_rank or not info.HasField("tensor_shape")
            dims = None if unknown else tuple(dim.size for dim in info.tensor_shape.dim)
            yield key, TensorSpec(info.name, DTYPES.get(info.dtype), Shape(dims))


def read_saved_model(folder: Path) -> list[MetaGraph]:
    """The graphs of a SavedModel.

    Raises:
        DecodeError: the folder holds none, or one that is broken.
    """
    path = folder / "saved_model.pb"
    if path.exists():
        source = open_source(path)
    elif (folder / "saved_model.pbtxt").exists():
        path = folder / "saved_model.pbtxt"
        source = memoryview(_from_text(path))
    elif (folder / "saved_model.cpb").exists():
        raise DecodeError(f"'{folder}' holds a SavedModel in chunks (saved_model.cpb), which is not supported")
    else:
        raise DecodeError(f"'{folder}' holds no saved_model.pb")
    try:
        found = [
            MetaGraph(source, at, stop, path)
            for number, kind, at, stop in fields(source, 0, len(source), "a SavedModel")
            if (number, kind) == (_META_GRAPHS, LEN)
        ]
    except DecodeError as error:
        message = str(error)
        raise DecodeError(message if message.startswith("'") else f"'{path}': {message}") from None
    if not found:
        raise DecodeError(f"'{path}' is not a SavedModel: there is no graph in it")
    return found


def read_meta_graph(path: Path) -> MetaGraph:
    """The MetaGraphDef in a ``.meta`` file, binary or text.

    Raises:
        DecodeError: it is none.
    """
    source = open_source(path)
    head = bytes(source[:64]).lstrip()
    if head.startswith((b"meta_info_def", b"graph_def")):
        source = memoryview(_from_text(path, "MetaGraphDef"))
    return MetaGraph(source, 0, len(source), path)


def _from_text(path: Path, name: str = "SavedModel") -> bytes:
    from pbslim.wire.text import message_bytes

    source = open_source(path)
    if len(source) > _MOST_TEXT:
        raise DecodeError(f"'{path}' has {len(source)} bytes of text; save the model in the binary form")
    try:
        return message_bytes(bytes(source[:]), name)
    except DecodeError as error:
        raise DecodeError(f"'{path}' is not a {name} in text form: {error}") from None
