"""Lookup tables, and what fills them: TensorFlow runs that once, before the first run, though nothing waits for it."""

from __future__ import annotations

from collections.abc import Iterable

from pbslim.ir import Graph, Node
from pbslim.ir.order import ancestors

_PLAIN = frozenset({"HashTable", "MutableDenseHashTable", "MutableHashTable", "MutableHashTableOfTensors"})
TABLES = _PLAIN | {f"{op}V2" for op in _PLAIN} | {"AnonymousHashTable", "AnonymousMutableHashTable"}
FROM_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
"""Read the entries from a file that is not part of the graph."""
FILLERS = FROM_FILES | {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}


def tables_of(roots: Iterable[Node]) -> list[Node]:
    """The tables that `roots` need, by name."""
    return sorted((node for node in ancestors(roots) if node.op in TABLES), key=lambda node: node.name)


def fillers_of(graph: Graph, table: Node) -> list[Node]:
    """The nodes that fill `table`, or one that shares its entries, in file order."""
    return [node for node in graph if node.op in FILLERS and node.inputs and _is_same(node.inputs[0].node, table)]


def _is_same(node: Node, table: Node) -> bool:
    shared = table.attr("shared_name", bytes, b"")
    return node is table or bool(shared and node.op in TABLES and node.attr("shared_name", bytes, b"") == shared)
