"""Run transforms one after the other, check the graph after each, and take back what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pbslim.errors import PbslimError, TransformSyntaxError, UsageError
from pbslim.ir import Graph
from pbslim.ir.order import check, drop_lost_colocations
from pbslim.passes import registry
from pbslim.passes.language import parse, written
from pbslim.passes.parameters import bind, ignores_errors
from pbslim.passes.registry import Context, Transform
from pbslim.rewrite import Skipped


@dataclass(frozen=True)
class PlannedStep:
    """A transform with its arguments, ready to run.

    Attributes:
        problem: what is wrong with the arguments, when that is to be ignored at run time.
    """

    transform: Transform
    arguments: dict[str, Any]
    ignore_errors: bool = False
    problem: str = ""

    def __str__(self) -> str:
        pairs = [
            f"{key}={written(value)}"
            for key, values in self.arguments.items()
            for value in (values if isinstance(values, tuple) else (values,))
        ]
        return f"{self.transform.name}({', '.join(pairs)})" if pairs else self.transform.name


@dataclass(frozen=True)
class Plan:
    """What ``--transforms`` asks for, and remarks on how it was read."""

    steps: tuple[PlannedStep, ...]
    notes: tuple[str, ...] = ()


@dataclass
class StepResult:
    """What one step did.

    Attributes:
        changed: names of the nodes that were added, removed or changed.
        skipped: places where it could have fired, and why it did not.
        error: why it failed and was ignored; empty when it went well.
        inputs: what the inputs of the graph are called from here on.
        seconds: how long it took.
    """

    step: str
    nodes_before: int
    nodes_after: int = 0
    changed: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0
    inputs: tuple[str, ...] = ()


def plan(text: str) -> Plan:
    """Read the text of ``--transforms``; nothing is run, no file is needed.

    Raises:
        TransformSyntaxError: with the place in `text`: syntax, unknown transform, bad arguments.
    """
    parsed, notes = parse(text)
    steps = []
    for step in parsed:
        try:
            transform = registry.find(step.name)
        except UsageError as error:
            raise TransformSyntaxError(str(error), text, step.at) from None
        ignore = ignores_errors(step, text)
        try:
            arguments, remarks = bind(step, transform.parameters, text)
        except TransformSyntaxError as error:
            if not ignore:
                raise
            steps.append(PlannedStep(transform, {}, ignore, error.message))
            continue
        notes += remarks
        steps.append(PlannedStep(transform, arguments, ignore))
    return Plan(tuple(steps), tuple(notes))


def run(
    graph: Graph,
    steps: Sequence[PlannedStep],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    *,
    on_step: Callable[[StepResult], None] | None = None,
) -> list[StepResult]:
    """Apply `steps` to `graph`, in place.

    After each step the graph is checked. A step that fails is taken back; with ``ignore_errors`` the run goes on.

    Raises:
        PbslimError: a step failed, or left (or found) a broken graph; the message names the step.
    """
    context = Context(tuple(inputs), tuple(outputs))
    results = []
    for step in steps:
        given, names = {node.name for node in graph}, context.inputs
        context.skipped, context.notes = [], []
        mark = len(graph.journal)
        result = StepResult(str(step), len(graph), skipped=context.skipped, notes=context.notes)
        started = time.perf_counter()
        try:
            if step.problem:
                raise UsageError(step.problem)
            step.transform(graph, context, **step.arguments)
        except PbslimError as error:
            graph.rollback(mark)
            context.inputs = names
            if not step.ignore_errors:
                raise type(error)(f"{step.transform.name}: {error}") from None
            result.error = str(error)
        check(graph)
        drop_lost_colocations(graph, given)
        result.seconds = time.perf_counter() - started
        result.nodes_after, result.inputs = len(graph), context.inputs
        result.changed = list(graph.changed_since(mark))
        results.append(result)
        if on_step:
            on_step(result)
    return results
