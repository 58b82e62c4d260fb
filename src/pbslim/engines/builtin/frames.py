"""Which loop each node is in, for loops of the old kind: Enter leads into a loop, Exit out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from pbslim.engines.builtin.scope import CannotRun
from pbslim.ir import Node, Value
from pbslim.ops.families import ENTERS, EXITS, MERGES, NEXT_ITERATIONS, PLACEHOLDERS

Frame: TypeAlias = tuple[str, ...]
"""The names of the loops around a node, outermost first; empty outside of all loops."""

Producers: TypeAlias = Callable[[Node], Iterable[Node]]


def producers_of(node: Node, fed: frozenset[Value]) -> Iterator[Node]:
    """What must have run before `node`, apart from what the turn before hands over."""
    for value in node.inputs:
        if value not in fed and not (node.op in MERGES and value.node.op in NEXT_ITERATIONS):
            yield value.node
    for control in node.controls:
        if not cuts_controls(control, fed):
            yield control


def cuts_controls(node: Node, fed: frozenset[Value]) -> bool:
    """Whether nothing waits for a node because it is fed; TensorFlow goes by the op here."""
    return node.op in PLACEHOLDERS and node.output() in fed


def postorder(roots: Iterable[Node], producers: Producers) -> list[Node]:
    """`roots` and all that they need, each after its producers.

    Raises:
        CannotRun: a node needs itself.
    """
    order: dict[Node, None] = {}
    opened: set[Node] = set()
    for root in roots:
        if root in opened:
            continue
        opened.add(root)
        stack = [(root, iter(producers(root)))]
        while stack:  # no recursion: chains may be long
            node, left = stack[-1]
            for producer in left:
                if producer not in opened:
                    opened.add(producer)
                    stack.append((producer, iter(producers(producer))))
                    break
                if producer not in order:
                    raise CannotRun(producer, "it needs its own result")
            else:
                order[node] = None
                stack.pop()
    return list(order)


def frames_of(order: Iterable[Node], fed: frozenset[Value]) -> dict[Node, Frame]:
    """The loops around the outputs of each node; `order` has all producers of a node before it.

    Raises:
        CannotRun: the inputs of a node come from different loops.
    """
    frames: dict[Node, Frame] = {}
    for node in order:
        if node.op in ENTERS | EXITS | NEXT_ITERATIONS and not node.inputs:
            raise CannotRun(node, "it has no input")
        around = {frames[producer] for producer in producers_of(node, fed)}
        if any(value in fed for value in node.inputs):
            around.add(())
        if len(around) > 1:
            raise CannotRun(node, "its inputs come from different loops")
        frame = around.pop() if around else ()
        if node.op in ENTERS:
            frame = (*frame, node.attr("frame_name", bytes, b"").decode(errors="replace"))
        elif node.op in EXITS:
            if not frame:
                raise CannotRun(node, "it leaves a loop that nothing enters")
            frame = frame[:-1]
        frames[node] = frame
    for node, frame in frames.items():
        for value in node.inputs:
            if value.node.op in NEXT_ITERATIONS and node.op in MERGES and frames.get(value.node, frame) != frame:
                raise CannotRun(node, "its inputs come from different loops")
    return frames
