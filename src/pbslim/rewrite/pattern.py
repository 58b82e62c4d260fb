"""What to look for: a tree of ops, written as the graph is drawn.

>>> CONV = op("Conv2D|MatMul", anything("x"), const("weights"), name="conv")
>>> PATTERN = op("Mul", CONV, const("scale"), name="mul")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pbslim.errors import counted
from pbslim.ir import Node


@dataclass(frozen=True)
class Pattern:
    """One node of the tree.

    Attributes:
        ops: the op types that fit; None for any.
        inputs: patterns for the data inputs, in order and all of them; None to accept whatever is there.
        name: under which the rule finds the node.
    """

    ops: frozenset[str] | None
    inputs: tuple[Pattern, ...] | None
    name: str


def op(ops: str, *inputs: Pattern, name: str = "") -> Pattern:
    """A node of one of the `ops` (``A|B``, or ``*`` for any) whose data inputs fit; without `inputs` any will do."""
    return Pattern(None if ops == "*" else frozenset(ops.split("|")), inputs or None, name)


def anything(name: str = "") -> Pattern:
    """Any node."""
    return op("*", name=name)


def const(name: str = "") -> Pattern:
    """A Const."""
    return op("Const", name=name)


class Match:
    """A place where a pattern fits.

    Attributes:
        root: the node at the root of the pattern.
        nodes: all nodes of the tree, breadth first from the root, each once.
        own: those of them that the pattern says something about; not what `anything` alone stands for.
    """

    def __init__(self, root: Node, found: list[tuple[Pattern, Node]]) -> None:
        self.root = root
        self._named = {pattern.name: node for pattern, node in found if pattern.name}
        self.nodes = list(dict.fromkeys(node for _, node in found))
        self.own = {node for pattern, node in found if pattern.ops is not None or pattern.inputs is not None}

    def __getitem__(self, name: str) -> Node:
        return self._named[name]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


def mismatch(pattern: Pattern, node: Node, *, anywhere: bool = False) -> str | None:
    """What keeps `pattern` from fitting at `node`, where it begins to fit.

    Args:
        anywhere: even if nothing but the op of `node` itself fits.

    Returns:
        None when it fits, or does not begin to.
    """
    if pattern.ops is None or node.op not in pattern.ops or pattern.inputs is None:
        return None
    steps = [wanted for wanted in pattern.inputs if wanted.inputs is not None]
    begins = any(wanted.ops and value.node.op in wanted.ops for wanted in steps for value in node.inputs)
    if not (begins or anywhere):
        return None
    level = [(pattern, node)]
    while level:
        below: list[tuple[Pattern, Node]] = []
        for wanted, reader in level:
            if wanted.inputs is None:
                continue
            if len(reader.inputs) != len(wanted.inputs):
                return f"'{reader.name}' has {counted(len(reader.inputs), 'input')}, not {len(wanted.inputs)}"
            for k, (each, value) in enumerate(zip(wanted.inputs, reader.inputs, strict=True)):
                if each.ops is not None and value.node.op not in each.ops:
                    expected = " or ".join(sorted(each.ops))
                    which = f"its input {k}" if reader is node else f"input {k} of '{reader.name}'"
                    return f"{which} is '{value.node.name}' ({value.node.op}), not {expected}"
                below.append((each, value.node))
        level = below
    return None


def match(pattern: Pattern, node: Node, taken: set[Node]) -> Match | None:
    """The match of `pattern` at `node` that uses none of the `taken` nodes.

    Ports are not looked at: a rule that depends on them checks `Node.inputs` itself.
    """
    found: list[tuple[Pattern, Node]] = []
    level = [(pattern, node)]
    while level:
        below: list[tuple[Pattern, Node]] = []
        for wanted, candidate in level:
            if candidate in taken or (wanted.ops is not None and candidate.op not in wanted.ops):
                return None
            found.append((wanted, candidate))
            if wanted.inputs is not None:
                if len(candidate.inputs) != len(wanted.inputs):
                    return None
                below += zip(wanted.inputs, (value.node for value in candidate.inputs), strict=True)
        level = below
    return Match(node, found)
