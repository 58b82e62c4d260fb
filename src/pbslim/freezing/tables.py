"""Lookup tables: what fills them stays in the graph, with the entries as constants, even those from asset files.

TensorFlow fills a table once, before the first run, by a node that nothing waits for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from pbslim.analysis.tables import FILLERS, FROM_FILES, TABLES, fillers_of, tables_of
from pbslim.dtypes import INT32, INT64, STRING, DType
from pbslim.errors import DecodeError, UsageError
from pbslim.freezing.models import Model
from pbslim.freezing.variables import Sources
from pbslim.ir import ArrayTensor, AttrValue, Node, StringTensor, Tensor, Value
from pbslim.wire.sources import open_source

_START = "__saved_model_init_op"
_WHOLE_LINE, _LINE_NUMBER = -2, -1
_MOST_BYTES = 1 << 30


class Tables:
    """The tables of a model."""

    def __init__(self, model: Model, sources: Sources) -> None:
        self._model, self._graph, self._stored = model, model.graph, sources.tables
        self._starters = self._find_starters()

    def starters(self) -> list[Node]:
        """What must stay in the graph so that its tables can be filled."""
        return [node for node in self._starters if self._graph.get(node.name) is node]

    def _find_starters(self) -> list[Node]:
        graph, meta = self._graph, self._model.meta
        if not any(node.op in TABLES for node in graph):
            return []
        found = [node for node in graph if node.op in FILLERS]
        spec = meta.signatures.get(_START) if meta else None
        for each in spec.outputs.values() if spec else ():
            start = graph.get(each.name.partition(":")[0])
            found += start.controls if start else ()
        return found

    def kept(self, roots: Iterable[Node]) -> list[Node]:
        """The nodes that fill the tables that `roots` need; those that would read a file have its entries now.

        Raises:
            UsageError: nothing fills a table.
            DecodeError: a file is not there, or not what it should be.
        """
        found: list[Node] = []
        for table in tables_of(roots):
            mine = fillers_of(self._graph, table)
            if table.name in self._stored:
                mine = [self._import(table)]
            if not mine and "Mutable" not in table.op:
                raise UsageError(f"nothing in the model fills the lookup table '{table.name}' ({table.op})")
            for node in mine:
                if node.op in FROM_FILES:
                    self._read_entries(node, table)
            found += mine
        return list(dict.fromkeys(found))

    def _import(self, table: Node) -> Node:
        """A node that fills a table with what the checkpoint holds of it."""
        tensors = [self._model.values().tensor(*stored) for stored in self._stored[table.name]]
        parts = self._constants(f"{table.name}/restored", tensors)
        types: dict[str, AttrValue] = {"Tin": tensors[0].dtype, "Tout": tensors[1].dtype}
        op = "LookupTableImportV2" if table.op.endswith("V2") else "LookupTableImport"
        name = self._graph.unique_name(f"{table.name}/restored")
        return self._graph.add(name, op, [table.output(), *parts], types)

    def _constants(self, prefix: str, tensors: Iterable[Tensor]) -> list[Value]:
        """Keys and values as constants."""
        found = []
        for what, tensor in zip(("keys", "values"), tensors, strict=True):
            attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
            found.append(self._graph.add(self._graph.unique_name(f"{prefix}/{what}"), "Const", attrs=attrs).output())
        return found

    def _read_entries(self, node: Node, table: Node) -> None:
        """``InitializeTableFromTextFile(table, path)`` → ``InitializeTable(table, keys, values)``."""
        path = self._asset(node)
        lines = _lines(path, node.attr("vocab_size", int, -1))
        wanted = [(table.dtype_attr(f"{each}_dtype"), node.attr(f"{each}_index", int, 0)) for each in ("key", "value")]
        delimiter = node.attr("delimiter", bytes, b"\t")
        tensors = [_column(lines, dtype, index, delimiter, path) for dtype, index in wanted]
        parts = self._constants(node.name, tensors)
        types = {"Tkey": wanted[0][0], "Tval": wanted[1][0]}
        op = "InitializeTableV2" if node.op.endswith("V2") else "InitializeTable"
        node.become(op, [node.inputs[0], *parts], types, controls=node.controls)

    def _asset(self, node: Node) -> Path:
        """The file that a node reads: the one that the model keeps in ``assets/``, not that of the training machine."""
        name = _named(node.inputs[1].node) if len(node.inputs) > 1 else ""
        meta, folder = self._model.meta, self._model.assets
        known = {tensor.partition(":")[0]: file for tensor, file in meta.assets.items()} if meta else {}
        if name not in known or folder is None:
            raise UsageError(f"'{node.name}' fills a lookup table from '{name}', no asset of the model")
        return asset_path(folder, known[name])


def _named(node: Node) -> str:
    """The node that holds the name of a file; TensorFlow 2 puts it into a variable first."""
    seen: set[Node] = set()
    while node.inputs and node not in seen and node.op in ("Identity", "ReadVariableOp"):
        seen.add(node)
        node = node.inputs[0].node
    assigns = [each for each in node.data_readers if each.op == "AssignVariableOp" and len(each.inputs) == 2]
    return assigns[0].inputs[1].node.name if assigns else node.name


def asset_path(folder: Path, name: str) -> Path:
    """The file called `name` in the folder of assets.

    Raises:
        DecodeError: the name leads out of the folder, or to something else than a file.
    """
    plain = PurePosixPath(name)
    parts = {*plain.parts, *PureWindowsPath(name).parts}
    path = folder / name
    unsafe = not name or "\0" in name or plain.is_absolute() or PureWindowsPath(name).drive or ".." in parts
    if unsafe or not path.resolve().is_relative_to(folder.resolve()):
        raise DecodeError(f"the asset '{name}' is not in the folder '{folder}'")
    if path.exists() and not path.is_file():
        raise DecodeError(f"the asset '{path}' is not a regular file")  # but a pipe that never ends, for instance
    return path


def _lines(path: Path, most: int) -> list[bytes]:
    source = open_source(path)
    if len(source) > _MOST_BYTES:
        raise DecodeError(f"'{path}' has {len(source)} bytes, too many for the entries of a lookup table")
    lines = bytes(source[:]).split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines]
    if most > len(lines):
        raise DecodeError(f"'{path}' has {len(lines)} lines, the lookup table expects {most}")
    return lines[:most] if most >= 0 else lines


def _column(lines: list[bytes], dtype: DType | None, index: int, delimiter: bytes, path: Path) -> Tensor:
    """What stands in one column of each line, its whole text, or its number."""
    if index == _LINE_NUMBER:
        if dtype not in (INT32, INT64):
            raise DecodeError(f"a lookup table numbers the lines of '{path}' as {dtype}")
        return ArrayTensor(np.arange(len(lines), dtype=dtype.numpy), dtype)
    texts = lines if index == _WHOLE_LINE else list(_fields(lines, index, delimiter, path))
    if dtype is STRING:
        return StringTensor(tuple(texts), (len(texts),))
    if dtype is None or dtype.scalar is None:
        raise DecodeError(f"a lookup table reads values of type {dtype} from '{path}'")
    return ArrayTensor(np.array(list(_numbers(texts, dtype, path)), dtype.numpy), dtype)


def _fields(lines: list[bytes], index: int, delimiter: bytes, path: Path) -> Iterable[bytes]:
    for number, line in enumerate(lines, start=1):
        parts = line.split(delimiter or b"\t")
        if not 0 <= index < len(parts):
            raise DecodeError(f"line {number} of '{path}' has {len(parts)} columns; number {index} is needed")
        yield parts[index]


def _numbers(texts: list[bytes], dtype: DType, path: Path) -> Iterable[Any]:
    read = float if dtype.is_floating else int
    for number, text in enumerate(texts, start=1):
        try:
            yield dtype.numpy.type(read(text))
        except (ValueError, OverflowError):
            raise DecodeError(f"line {number} of '{path}': {text[:50]!r} is not a number of type {dtype}") from None
