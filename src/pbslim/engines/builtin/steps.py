"""The steps of a plan: each reads and writes registers, which hold arrays, resources, or `DEAD`.

What depends on a branch that is not taken is dead. Where nothing can be dead, steps do not look.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

import numpy as np

from pbslim.engines.builtin.scope import Action
from pbslim.errors import PbslimError
from pbslim.kernels import KernelError, Prepared
from pbslim.kernels.checks import STEP, check_work

# numpy and objects that are no arrays have errors of their own
_FAILURES = (KernelError, ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


class Dead(Enum):
    """The type of `DEAD`."""

    DEAD = "dead"


DEAD: Final = Dead.DEAD
"""The value of what does not run."""

Registers: TypeAlias = "list[Any]"


class Step(ABC):
    """One thing to do.

    Attributes:
        freed: the registers that nothing reads afterwards.
    """

    freed: tuple[int, ...] = ()

    @property
    @abstractmethod
    def read(self) -> tuple[int, ...]:
        """The registers that it reads."""

    @property
    @abstractmethod
    def written(self) -> tuple[int, ...]:
        """The registers that it writes."""

    @abstractmethod
    def run(self, registers: Registers) -> None:
        """Do it."""


def _any_dead(registers: Registers, reads: tuple[int, ...]) -> bool:
    for register in reads:  # noqa: SIM110 - quicker than a generator, and it runs for every node
        if registers[register] is DEAD:
            return True
    return False


def _ports(writes: tuple[tuple[int, int], ...], token: int) -> tuple[int, ...]:
    return (*(register for _, register in writes), *((token,) if token >= 0 else ()))


@dataclass(eq=False)
class NodeStep(Step):
    """Run a node all of whose inputs are there.

    Attributes:
        label: how messages name the node.
        action: what it does.
        reads: the registers of its inputs.
        writes: port and register of each output that is read.
        spare: the inputs that may be overwritten, if the action is a kernel.
    """

    label: str
    action: Action
    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    freed: tuple[int, ...] = ()
    spare: tuple[int, ...] = ()

    @property
    def read(self) -> tuple[int, ...]:
        """The registers of the inputs."""
        return self.reads

    @property
    def written(self) -> tuple[int, ...]:
        """The registers of the outputs."""
        return tuple(register for _, register in self.writes)

    def run(self, registers: Registers) -> None:
        """Call the action; raises PbslimError where it fails."""
        values = [registers[i] for i in self.reads]
        try:
            if self.spare and isinstance(self.action, Prepared):
                results = self.action(values, [values[i] for i in self.spare])
            else:
                results = self.action(values)
        except _FAILURES as error:
            raise PbslimError(f"{self.label}: {' '.join(str(error).split())}") from error
        if self.writes and len(results) <= self.writes[-1][0]:
            raise PbslimError(f"{self.label}: it has no output {self.writes[-1][0]}")
        for port, register in self.writes:
            registers[register] = results[port]
        for register in self.freed:
            registers[register] = None


@dataclass(eq=False)
class GuardedStep(Step):
    """Run a node if no input and nothing that it waits for is dead; it is dead otherwise.

    Attributes:
        node: the step to run.
        waits: registers of what it waits for.
        token: the register that shows whether the node has run, -1 if that is never asked.
        always: whether it runs even then.
    """

    node: NodeStep
    waits: tuple[int, ...]
    token: int = -1
    always: bool = False
    freed: tuple[int, ...] = ()
    reads: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.node.reads + self.waits

    @property
    def read(self) -> tuple[int, ...]:
        """The registers of inputs and of what it waits for."""
        return self.reads

    @property
    def written(self) -> tuple[int, ...]:
        """The registers of the outputs, and that which shows whether the node has run."""
        return _ports(self.node.writes, self.token)

    def run(self, registers: Registers) -> None:
        """Run the node or pass on that it is dead."""
        if not self.always and _any_dead(registers, self.reads):
            for _, register in self.node.writes:
                registers[register] = DEAD
            if self.token >= 0:
                registers[self.token] = DEAD
        else:
            self.node.run(registers)
            if self.token >= 0:
                registers[self.token] = True
        for register in self.freed:
            registers[register] = None


@dataclass(eq=False)
class SwitchStep(Step):
    """Hand a value to the output that a predicate or number chooses; the others are dead.

    Attributes:
        label: how messages name the node.
        reads: the registers of the value and the choice, then of what the node waits for.
        writes: port and register of each output that is read.
        count: how many outputs there are; a choice beyond means the last.
    """

    label: str
    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    count: int
    token: int = -1
    freed: tuple[int, ...] = ()

    @property
    def read(self) -> tuple[int, ...]:
        """The registers of inputs and of what it waits for."""
        return self.reads

    @property
    def written(self) -> tuple[int, ...]:
        """The registers of the outputs, and that which shows whether the node has run."""
        return _ports(self.writes, self.token)

    def run(self, registers: Registers) -> None:
        """Choose."""
        alive = not _any_dead(registers, self.reads)
        value, choice = registers[self.reads[0]], registers[self.reads[1]]
        chosen = _chosen(choice, self.count, self.label) if alive else -1
        for port, register in self.writes:
            registers[register] = value if port == chosen else DEAD
        if self.token >= 0:
            registers[self.token] = True if alive else DEAD
        for register in self.freed:
            registers[register] = None


def _chosen(choice: Any, count: int, label: str) -> int:
    if not isinstance(choice, np.ndarray) or choice.ndim or choice.dtype.kind not in "bi":
        raise PbslimError(f"{label}: what it chooses by is not a scalar")
    number = int(choice)
    return number if 0 <= number < count else count - 1


@dataclass(eq=False)
class MergeStep(Step):
    """Take the first input that is alive.

    Attributes:
        reads: the registers of the inputs.
        writes: port and register of each output that is read: the value, and the number of the input.
    """

    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    token: int = -1
    freed: tuple[int, ...] = ()

    @property
    def read(self) -> tuple[int, ...]:
        """The registers of inputs and of what it waits for."""
        return self.reads

    @property
    def written(self) -> tuple[int, ...]:
        """The registers of the outputs, and that which shows whether the node has run."""
        return _ports(self.writes, self.token)

    def run(self, registers: Registers) -> None:
        """Take it."""
        values = [registers[i] for i in self.reads]
        alive = [i for i, value in enumerate(values) if value is not DEAD]
        results = (values[alive[0]], np.asarray(alive[0], np.int32)) if alive else (DEAD, DEAD)
        for port, register in self.writes:
            registers[register] = results[port]
        if self.token >= 0:
            registers[self.token] = True if alive else DEAD
        for register in self.freed:
            registers[register] = None


@dataclass(frozen=True)
class Entry:
    """An Enter: what brings a value into a loop.

    Attributes:
        reads: outside, the register of the value, then of what it waits for.
        places: the registers inside.
        stays: whether the value is there in all turns, not in the first alone.
    """

    reads: tuple[int, ...]
    places: tuple[int, ...]
    stays: bool

    def value(self, registers: Registers) -> Any:
        """What comes in."""
        return DEAD if _any_dead(registers, self.reads) else registers[self.reads[0]]


@dataclass(eq=False)
class LoopStep(Step):
    """Run the nodes of a loop, turn after turn, until nothing is handed on; it has registers of its own.

    Attributes:
        template: its registers at the start of a turn.
        steps: what to do in a turn.
        entries: what comes in.
        handed: for each NextIteration, its register and where the next turn finds the value.
        exits: for each Exit, its register inside and those outside.
    """

    template: Registers
    steps: Sequence[Step]
    entries: Sequence[Entry]
    handed: Sequence[tuple[int, int]]
    exits: Sequence[tuple[int, tuple[int, ...]]]
    freed: tuple[int, ...] = ()

    @property
    def read(self) -> tuple[int, ...]:
        """The registers outside that entries read."""
        return tuple(register for entry in self.entries for register in entry.reads)

    @property
    def written(self) -> tuple[int, ...]:
        """The registers outside that exits write."""
        return tuple(register for _, places in self.exits for register in places)

    def run(self, registers: Registers) -> None:
        """Run all turns."""
        first, later = self.template.copy(), self.template.copy()
        for entry in self.entries:
            value = entry.value(registers)
            for place in entry.places:
                first[place] = value
                later[place] = value if entry.stays else DEAD
        found = [DEAD] * len(self.exits)
        for turn in self._turns(first, later):
            found = [old if turn[i] is DEAD else turn[i] for (i, _), old in zip(self.exits, found, strict=True)]
        for (_, places), value in zip(self.exits, found, strict=True):
            for place in places:
                registers[place] = value
        for register in self.freed:
            registers[register] = None

    def _turns(self, first: Registers, later: Registers) -> Iterator[Registers]:
        """The registers after each turn."""
        turn = first
        while True:
            check_work(STEP * len(self.steps))
            for step in self.steps:
                step.run(turn)
            yield turn
            values = [turn[register] for register, _ in self.handed]
            if all(value is DEAD for value in values):
                return
            turn = later.copy()
            for (_, place), value in zip(self.handed, values, strict=True):
                turn[place] = value
