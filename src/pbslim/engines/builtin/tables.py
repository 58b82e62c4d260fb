"""Lookup tables whose entries are in the graph: what would initialize them in a session does so at the first look.

A table that can change serves as it is initialized; nodes that insert into it cannot be run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pbslim.engines.builtin.actions import action
from pbslim.engines.builtin.scope import Action, CannotRun, Scope
from pbslim.ir import Node
from pbslim.kernels.checks import Array, require

_FIXED = ("HashTable", "HashTableV2")
_TABLES = (*_FIXED, "MutableHashTable", "MutableHashTableV2")
_INITIALIZERS = ("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2")
_FROM_FILES = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")


class Table:
    """Values by key."""

    def __init__(self) -> None:
        self.entries: dict[Any, Any] = {}
        self.keys: Array | None = None
        self.values: Array | None = None

    def fill(self, keys: Array, values: Array) -> None:
        """Make these the entries; raises KernelError where a key has two values."""
        require(keys.shape == values.shape and keys.ndim <= 1, "keys and values differ in number")
        self.entries = dict(zip(keys.reshape(-1).tolist(), values.reshape(-1).tolist(), strict=True))
        require(len(self.entries) == keys.size, "a key has two values")
        self.keys, self.values = keys.reshape(-1), values.reshape(-1)


def _table(value: Any) -> Table:
    require(isinstance(value, Table), "the handle is not that of a table")
    table: Table = value
    return table


def _initializers(node: Node, scope: Scope) -> Iterator[Node]:
    """What fills the table of `node`, or one that it shares."""
    name = scope.attrs(node).get("shared_name")
    for other in scope.graph:
        if other.op in (*_INITIALIZERS, *_FROM_FILES) and other.inputs:
            made = other.inputs[0].node
            shared = name and made.op in _TABLES and scope.attrs(made).get("shared_name") == name
            if made is node or shared:
                yield other


@action(*_TABLES)
def _make(node: Node, scope: Scope) -> Action:
    filled_by = next(_initializers(node, scope), None)
    if filled_by is None and node.op in _FIXED:
        raise CannotRun(node, "nothing in the graph initializes this table")
    if filled_by is not None and filled_by.op in _FROM_FILES:
        raise CannotRun(node, f"the entries of this table are in a file outside of the graph ('{filled_by.name}')")
    table, attrs = Table(), scope.attributes(node)
    if filled_by is None:
        table.fill(*(np.empty(0, attrs.array_dtype(key)) for key in ("key_dtype", "value_dtype")))

    def run(_values: list[Any]) -> list[Any]:
        if table.keys is None and filled_by is not None:
            from pbslim.engines.builtin.plan import make_plan

            table.fill(*make_plan(scope, filled_by.inputs[1:3], ()).run(()))
        return [table]

    return run


@action(*_INITIALIZERS)
def _initialize(_node: Node, _scope: Scope) -> Action:
    return lambda _values: []  # the table has done so itself


@action("LookupTableFind", "LookupTableFindV2")
def _find(_node: Node, _scope: Scope) -> Action:
    def run(values: list[Any]) -> list[Any]:
        table, keys, default = _table(values[0]), values[1], values[2]
        require(table.values is not None, "the table is empty")
        require(default.size == 1, "the default must be one value")
        other = default.reshape(-1)[0]
        found = np.empty(keys.size, default.dtype)
        found[:] = [table.entries.get(key, other) for key in keys.reshape(-1).tolist()]
        return [found.reshape(keys.shape)]

    return run


@action("LookupTableSize", "LookupTableSizeV2")
def _size(_node: Node, _scope: Scope) -> Action:
    return lambda values: [np.asarray(len(_table(values[0]).entries), np.int64)]


@action("LookupTableExport", "LookupTableExportV2")
def _export(_node: Node, _scope: Scope) -> Action:
    return lambda values: [_table(values[0]).keys, _table(values[0]).values]
