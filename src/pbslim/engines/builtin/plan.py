"""From a graph to steps over registers, made once for the tensors that are fed and fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pbslim import ops
from pbslim.engines.builtin.actions import make_action
from pbslim.engines.builtin.frames import Frame, frames_of, postorder, producers_of
from pbslim.engines.builtin.memory import let_overwrite
from pbslim.engines.builtin.passing import PASSING, is_huge
from pbslim.engines.builtin.scope import Action, CannotRun, Scope
from pbslim.engines.builtin.steps import (
    DEAD,
    Entry,
    GuardedStep,
    LoopStep,
    MergeStep,
    NodeStep,
    Registers,
    Step,
    SwitchStep,
)
from pbslim.engines.protocol import See
from pbslim.errors import PbslimError
from pbslim.ir import Node, Value
from pbslim.kernels import KernelError, Prepared
from pbslim.ops.families import ENTERS, EXITS, FEEDABLE, MERGES, NEXT_ITERATIONS, SWITCHES

_ALWAYS = frozenset({"ControlTrigger"})
_TOKEN, _HANDED = -1, -2  # ports that stand for the node's having run, and for its value in the turn before


@dataclass
class Plan:
    """What to do for some fetches.

    Attributes:
        template: the registers before the first step; constants are in place.
        steps: what to do.
        fed, fetched: the registers of the tensors that are fed and fetched.
        names: how messages name what is fetched.
    """

    template: Registers
    steps: Sequence[Step]
    fed: Sequence[int]
    fetched: Sequence[int]
    names: Sequence[str]

    def run(self, values: Iterable[Any]) -> list[Any]:
        """The fetched values for those that are fed.

        Raises:
            PbslimError: a node fails, or what is fetched is in a branch that is not taken.
        """
        registers = self.template.copy()
        for register, value in zip(self.fed, values, strict=True):
            registers[register] = value
        for step in self.steps:
            step.run(registers)
        results = [registers[i] for i in self.fetched]
        for name, result in zip(self.names, results, strict=True):
            if result is DEAD:
                raise PbslimError(f"'{name}' has no value: it is in a branch that is not taken")
        return results


def needed_nodes(fetched: Iterable[Value], also: Iterable[Node], fed: frozenset[Value]) -> list[Node]:
    """What must run for `fetched` and `also`, each after its producers; turns of loops come full circle.

    Raises:
        CannotRun: a node needs itself.
    """
    roots = dict.fromkeys([*(value.node for value in fetched if value not in fed), *also])
    while True:
        order = postorder(roots, lambda node: producers_of(node, fed))
        handed = {v.node: None for n in order if n.op in MERGES for v in n.inputs if v.node.op in NEXT_ITERATIONS}
        if handed.keys() <= roots.keys():
            return order
        roots.update(handed)


def make_plan(scope: Scope, fetched: Sequence[Value], fed: Sequence[Value], also: Iterable[Node] = ()) -> Plan:
    """The plan for `fetched`, and for running `also`, where `fed` are given.

    Raises:
        CannotRun: a node cannot be run.
    """
    given = frozenset(fed)
    needed = needed_nodes(fetched, also, given)
    planner = _Planner(scope, needed, given, fetched)
    level = _Level(planner, ())
    for value in fed:
        level.register(value.node, value.port)
    for value in fetched:
        if value not in given and planner.frames[value.node]:
            raise CannotRun(value.node, "it is inside of a loop and has one value for each turn")
    wanted = [level.register(value.node, value.port) for value in fetched]
    level.fill()
    level.release(set(wanted))
    fed_registers = [level.register(value.node, value.port) for value in fed]
    return Plan(level.template, level.steps, fed_registers, wanted, [value.name for value in fetched])


def _is_in_loop(value: Value) -> bool:
    try:
        return bool(frames_of(needed_nodes([value], (), frozenset()), frozenset())[value.node])
    except CannotRun:
        return False  # what it is made of does not matter


class _Planner:
    """The nodes to plan, by the loop that they are in."""

    def __init__(self, scope: Scope, needed: list[Node], fed: frozenset[Value], fetched: Sequence[Value]) -> None:
        for value in fed:
            if value.node.inputs and _is_in_loop(value):
                raise CannotRun(value.node, "it is inside of a loop and cannot be fed")
        self.scope, self.fed = scope, fed
        self.frames = frames_of(needed, fed)
        self.reads = Counter([*fetched, *(value for node in needed for value in node.inputs)])
        self.ports: dict[Node, set[int]] = {node: {0} for node in needed if node.op in EXITS | NEXT_ITERATIONS}
        for value in [*fetched, *(value for node in needed for value in node.inputs)]:
            if value not in fed:
                self.ports.setdefault(value.node, set()).add(value.port)
        members: dict[Frame, list[Node]] = {}
        for node in needed:
            inside = self.inside(node)
            for depth in range(len(inside)):
                if node.op not in EXITS or depth + 1 < len(inside):
                    members.setdefault(inside[: depth + 1], []).append(node)

        def producers(node: Node) -> Iterator[Node]:
            yield from producers_of(node, fed)
            if node.op in EXITS:  # the whole loop runs before anything that comes out of it is read
                yield from members[self.inside(node)]

        self._nodes: dict[Frame, list[Node]] = {}
        for node in postorder(needed, producers):
            self._nodes.setdefault(self.frames[node], []).append(node)
            if node.op in EXITS:
                self._nodes.setdefault(self.inside(node), []).append(node)

    def inside(self, node: Node) -> Frame:
        """The loops around the inputs of an Exit, or the outputs of any other node."""
        return self.frames[node.inputs[0].node if node.op in EXITS else node]

    def nodes(self, frame: Frame) -> list[Node]:
        """The nodes of a loop, each after its producers, Exits inside and outside."""
        return self._nodes.get(frame, [])


class _Level:
    """The nodes outside of all loops, or those of one loop: they share registers."""

    def __init__(self, planner: _Planner, frame: Frame) -> None:
        self._planner, self._frame, self._nodes = planner, frame, planner.nodes(frame)
        self._registers: dict[tuple[Node, int], int] = {}
        self._constants: set[int] = set()
        self._perhaps_dead: set[Node] = set()
        self._awaited = {control for node in self._nodes for control in node.controls}
        self._loops: set[Frame] = set()
        self.template: Registers = []
        self.steps: list[Step] = []

    def register(self, node: Node, port: int) -> int:
        """The register of an output."""
        if (node, port) not in self._registers:
            self._registers[node, port] = len(self.template)
            self.template.append(None)
        return self._registers[node, port]

    def fill(self) -> None:
        """Make the steps."""
        for node in self._nodes:
            outside = self._planner.frames[node] == self._frame
            if node.op in EXITS and outside:
                self._add_loop(self._planner.inside(node))
            elif node.op in ENTERS or (node.op in FEEDABLE and node not in self._planner.ports):
                continue
            elif node.op in SWITCHES:
                self._add_switch(node)
            elif node.op in MERGES:
                self._add_merge(node)
            else:
                self._add_node(node)

    def release(self, kept: set[int]) -> None:
        """Let each register go after the last step that touches it, unless it is kept."""
        seen = kept | self._constants
        for step in reversed(self.steps):
            step.freed = tuple(r for r in dict.fromkeys([*step.read, *step.written]) if r not in seen)
            seen.update(step.freed)
        let_overwrite(self.steps)
        read = {register for step in self.steps for register in step.read} | kept
        for register in self._constants - read:
            self.template[register] = None

    def _reads(self, node: Node) -> tuple[int, ...]:
        return tuple(self.register(value.node, value.port) for value in node.inputs)

    def _writes(self, node: Node, most: int | None = None) -> tuple[tuple[int, int], ...]:
        ports = sorted(self._planner.ports.get(node, ()))
        if most is not None and ports and ports[-1] >= most:
            raise CannotRun(node, f"it has no output {ports[-1]}")
        return tuple((port, self.register(node, port)) for port in ports)

    def _waits(self, node: Node) -> tuple[int, ...]:
        """Registers that show whether what the node waits for has run, where that is in doubt."""
        doubtful = [control for control in node.controls if control in self._perhaps_dead]
        return tuple(self.register(control, _TOKEN) for control in doubtful)

    def _token(self, node: Node) -> int:
        return self.register(node, _TOKEN) if node in self._awaited else -1

    def _is_doubtful(self, node: Node) -> bool:
        return any(producer in self._perhaps_dead for producer in producers_of(node, self._planner.fed))

    def _add_node(self, node: Node) -> None:
        scope = self._planner.scope
        action = make_action(node, scope)
        if node in scope.shared.watched:
            action = _shown(action, scope.shared.watched[node])
        step = NodeStep(scope.label(node), action, self._reads(node), self._writes(node))
        if self._is_doubtful(node):
            self._perhaps_dead.add(node)
            self.steps.append(GuardedStep(step, self._waits(node), self._token(node), node.op in _ALWAYS))
        elif self._is_constant(step, node) and self._folded(step):
            self._forget_inputs(node)
        else:
            self.steps.append(step)

    def _is_constant(self, step: NodeStep, node: Node) -> bool:
        """Whether a step gives the same in every run, and that is worth to be held."""
        often = bool(self._frame or self._planner.scope.function)
        worth = often or not is_huge(node)
        return worth and is_pure(node, step.action) and self._constants.issuperset(step.reads)

    def _folded(self, step: NodeStep) -> bool:
        """Whether a step could be done at once."""
        try:
            step.run(self.template)
        except PbslimError:
            return False  # it fails when it is run
        self._constants.update(register for _, register in step.writes)
        return True

    def _forget_inputs(self, node: Node) -> None:
        """Let what a folded node reads go if nothing else needs it: weights that are decoded have many forms."""
        for value in node.inputs:
            self._planner.reads[value] -= 1
            if not self._planner.reads[value]:
                self.template[self.register(value.node, value.port)] = None

    def _add_switch(self, node: Node) -> None:
        self._perhaps_dead.add(node)
        scope = self._planner.scope
        count = count_branches(node, scope)
        reads = self._reads(node) + self._waits(node)
        self.steps.append(SwitchStep(scope.label(node), reads, self._writes(node, count), count, self._token(node)))

    def _add_merge(self, node: Node) -> None:
        reads = []
        for value in node.inputs:
            if value.node.op in NEXT_ITERATIONS and value not in self._planner.fed:
                reads.append(self.register(value.node, _HANDED))
                self.template[reads[-1]] = DEAD
                self._perhaps_dead.add(node)
            else:
                reads.append(self.register(value.node, value.port))
        if all(value.node in self._perhaps_dead for value in node.inputs):
            self._perhaps_dead.add(node)
        self.steps.append(MergeStep(tuple(reads), self._writes(node, 2), self._token(node)))

    def _add_loop(self, frame: Frame) -> None:
        if frame in self._loops:
            return
        self._loops.add(frame)
        inner = _Level(self._planner, frame)
        members = self._planner.nodes(frame)
        entries = []
        for node in members:
            if node.op in ENTERS:
                stays = node.attr("is_constant", bool, False)
                if not stays or self._is_doubtful(node):
                    inner._perhaps_dead.add(node)
                places = [inner.register(node, 0)] + [inner.register(node, _TOKEN)] * (node in inner._awaited)
                entries.append(Entry(self._reads(node) + self._waits(node), tuple(places), stays))
        inner.fill()
        exits = [node for node in members if node.op in EXITS and self._planner.inside(node) == frame]
        handed = [(inner.register(n, 0), inner.register(n, _HANDED)) for n in members if n.op in NEXT_ITERATIONS]
        inner.release({inner.register(node, 0) for node in exits} | {register for register, _ in handed})
        results = []
        for node in exits:
            self._perhaps_dead.add(node)
            places = [self.register(node, 0)] + [self.register(node, _TOKEN)] * (node in self._awaited)
            results.append((inner.register(node, 0), tuple(places)))
        self.steps.append(LoopStep(inner.template, inner.steps, entries, handed, results))


def _shown(action: Action, see: See) -> Action:
    """An action that shows what it reads."""

    def run(values: list[Any]) -> list[Any]:
        see(values)
        return action(values)

    return run


def count_branches(node: Node, scope: Scope) -> int:
    """How many outputs a Switch chooses among.

    Raises:
        CannotRun: it has none, or lacks the value or what it chooses by.
    """
    try:
        count = scope.attributes(node).integer("num_outs") if node.op == "_SwitchN" else 2
    except KernelError as error:
        raise CannotRun(node, str(error)) from None
    if len(node.inputs) != 2 or count < 1:
        raise CannotRun(node, "it must have a value, a choice and outputs")
    return count


def is_pure(node: Node, action: Action) -> bool:
    """Whether a node gives the same for the same inputs, and does nothing besides."""
    if isinstance(action, Prepared):
        definition = ops.find(node.op)
        return definition is not None and not definition.is_stateful
    return node.op in PASSING
