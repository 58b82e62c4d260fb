"""What was added, removed and changed between two graphs, for ``pbslim diff``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pbslim import ops
from pbslim.analysis.debug_text import attr_text
from pbslim.analysis.equality import distance, same_attr
from pbslim.errors import DecodeError
from pbslim.ir import Graph, Tensor
from pbslim.wire.files import GraphLike, load
from pbslim.wire.listing import ListedFunction, ListedNode, listed_functions, listed_nodes

_FOLDED = re.compile(r"(.+)/_(\d+)__cf__\d+(?:_\d+)?")  # what constant folding calls an output of x: x/_3__cf__17


@dataclass(frozen=True)
class Named:
    """A node that only one graph has."""

    name: str
    op: str


@dataclass(frozen=True)
class ChangedNode:
    """A node that both graphs have and that is not the same.

    Attributes:
        name: in the first graph.
        new_name: in the second.
        changes: what is different, one text each.
        largest_difference: of two numbers in its tensors; None when no tensors of numbers differ.
        largest_value: the largest absolute value of those tensors in the first graph.
    """

    name: str
    op: str
    new_name: str
    new_op: str
    changes: tuple[str, ...]
    largest_difference: float | None = None
    largest_value: float | None = None


@dataclass
class Difference:
    """What is different; `functions` has a text for each function of the library that is."""

    added: list[Named] = field(default_factory=list)
    removed: list[Named] = field(default_factory=list)
    changed: list[ChangedNode] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing is."""
        return not (self.added or self.removed or self.changed or self.functions)

    def by_op(self) -> dict[str, tuple[int, int, int]]:
        """Op → how many nodes were removed, added and changed; the busiest first."""
        counts = [
            Counter(node.op for node in self.removed),
            Counter(node.op for node in self.added),
            Counter(node.op for node in self.changed),
        ]
        found = {op: (counts[0][op], counts[1][op], counts[2][op]) for each in counts for op in each}
        return dict(sorted(found.items(), key=lambda item: (-sum(item[1]), item[0])))


def diff(first: GraphLike, second: GraphLike, *, atol: float = 0.0, ignore_defaults: bool = False) -> Difference:
    """Compare two graphs by the names of their nodes; the order of nodes and ``versions`` do not count.

    A constant that folding made is the same node under another number, or what became of the node that it is named
    after. Tensors are read only where their bytes differ.

    Args:
        first: the graph as it was.
        second: the graph as it is.
        atol: how far apart floats in tensors may be.
        ignore_defaults: an attribute at its default value is the same as none.

    Raises:
        DecodeError: a function in the library is broken.
    """
    rules = _Rules(atol, ignore_defaults)
    graphs = load(first), load(second)
    before, after = (list(listed_nodes(graph)) for graph in graphs)
    found = _diff(before, after, rules)
    found.functions = list(_function_changes(*graphs, rules))
    return found


class _Rules(NamedTuple):
    atol: float
    ignore_defaults: bool


def _diff(first: Sequence[ListedNode], second: Sequence[ListedNode], rules: _Rules) -> Difference:
    old, new = ({node.name: node for node in nodes} for nodes in (first, second))
    twins = _twins(old, new)
    successors: dict[str, list[ListedNode]] = {}
    for twin, name in twins.items():
        successors.setdefault(name, []).append(new[twin])
    result = Difference(added=[Named(n.name, n.op) for n in second if n.name not in old and n.name not in twins])
    for node in first:
        found = [new[node.name]] if node.name in new else successors.get(node.name, [])
        if not found:
            result.removed.append(Named(node.name, node.op))
        elif found[0].name in twins and not _FOLDED.fullmatch(node.name):
            constants = ", ".join(f"'{each.name}'" for each in found)
            texts = (f"folded into {constants}",)
            result.changed.append(ChangedNode(node.name, node.op, found[0].name, found[0].op, texts))
        else:
            change = _change(node, found[0], twins, rules)
            result.changed += [change] if change else []
    return result


def _twins(old: Mapping[str, ListedNode], new: Mapping[str, ListedNode]) -> dict[str, str]:
    """Folded constants that only `new` has → the nodes of `old` that they stand for."""
    gone, come = (_folded(names, others) for names, others in ((old, new), (new, old)))
    found: dict[str, str] = {}
    for stem, names in come.items():
        if stem in gone:  # they were numbered in the same order
            found |= dict(zip(names, gone[stem], strict=False))
        elif stem in old and stem not in new:
            found |= dict.fromkeys(names, stem)
    return found


def _folded(names: Iterable[str], others: Container[str]) -> dict[str, list[str]]:
    """Names that only the first have and folding made, by the node they are named after and in the order of making."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        match = _FOLDED.fullmatch(name)
        if match and name not in others:
            found.setdefault(match[1], []).append((int(match[2]), name))
    return {stem: [name for _, name in sorted(numbered)] for stem, numbered in found.items()}


def _change(old: ListedNode, new: ListedNode, twins: Mapping[str, str], rules: _Rules) -> ChangedNode | None:
    changes: list[str] = []
    if old.device != new.device:
        changes.append(f"device: '{old.device}' → '{new.device}'")
    changes += _input_changes(old, new, twins)
    if old.op != new.op:
        return ChangedNode(old.name, old.op, new.name, new.op, (f"op: {old.op} → {new.op}", *changes))
    largest: tuple[float, float] | None = None
    for key in sorted({*old.attrs, *new.attrs}):
        if key in old.attrs and key in new.attrs and same_attr(old.attrs, new.attrs, key, atol=rules.atol):
            continue
        if rules.ignore_defaults and all(_is_default(node, key) for node in (old, new)):
            continue
        apart = _distance(old, new, key)
        if apart is None:
            texts = [attr_text(node, key) if key in node.attrs else "none" for node in (old, new)]
            changes.append(f"{key}: {texts[0]} → {texts[1]}" if texts[0] != texts[1] else f"{key}: {texts[0]} differs")
        else:
            changes.append(f"{key}: differs by up to {apart[0]:.3g} (largest value {apart[1]:.3g})")
            largest = max(largest or apart, apart)
    if not changes:
        return None
    return ChangedNode(old.name, old.op, new.name, new.op, tuple(changes), *(largest or (None, None)))


def _input_changes(old: ListedNode, new: ListedNode, twins: Mapping[str, str]) -> list[str]:
    here, there = (_plain_inputs(node.inputs) for node in (old, new))
    if len(here) != len(there):
        return [f"inputs: ({', '.join(here)}) → ({', '.join(there)})"]
    return [
        f"input {slot}: {a} → {b}"
        for slot, (a, b) in enumerate(zip(here, there, strict=True))
        if a != b and not (b in twins and a.partition(":")[0] == twins[b])
    ]


def _plain_inputs(inputs: tuple[str, ...]) -> list[str]:
    data = [text.removesuffix(":0") for text in inputs if not text.startswith("^")]
    return data + sorted({text for text in inputs if text.startswith("^")})


def _is_default(node: ListedNode, key: str) -> bool:
    try:
        return key not in node.attrs or ops.is_default(node.op, key, node.attrs[key])
    except DecodeError:
        return False


def _distance(old: ListedNode, new: ListedNode, key: str) -> tuple[float, float] | None:
    try:
        a, b = old.attrs.get(key), new.attrs.get(key)
        if not isinstance(a, Tensor) or not isinstance(b, Tensor) or (a.dtype, a.shape) != (b.dtype, b.shape):
            return None
        return distance(a, b) if a.dtype.itemsize else None
    except DecodeError:
        return None


def _function_changes(first: Graph, second: Graph, rules: _Rules) -> Iterator[str]:
    old, new = ({each.name: each for each in listed_functions(graph)} for graph in (first, second))
    yield from (f"'{name}' was removed" for name in old if name not in new)
    for name, function in new.items():
        if name not in old:
            yield f"'{name}' was added"
        else:
            yield from (f"'{name}': {text}" for text in _body_changes(old[name], function, rules))


def _body_changes(old: ListedFunction, new: ListedFunction, rules: _Rules) -> Iterator[str]:
    if old.interface != new.interface:
        yield "its signature or results changed"
    found = _diff(old.nodes, new.nodes, rules)
    yield from (f"'{node.name}' ({node.op}) was removed" for node in found.removed)
    yield from (f"'{node.name}' ({node.op}) was added" for node in found.added)
    yield from (f"'{node.name}' ({node.op}): {'; '.join(node.changes)}" for node in found.changed)
