"""Run transforms one after the other, check the graph after each, and take back what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pbslim.errors import PbslimError, TransformSyntaxError, UsageError
from pbslim.ir import Graph
from pbslim.ir.facts import names
from pbslim.ir.order import check, drop_lost_colocations
from pbslim.passes import registry
from pbslim.passes.language import Invocation, parse
from pbslim.passes.parameters import bind, ignores_errors
from pbslim.passes.registry import Context, Step, Transform
from pbslim.rewrite import Skipped

Transforms = str | Step | Iterable[str | Step]
"""What to run: text in the language of ``--transforms``, steps, or several of both."""


@dataclass(frozen=True)
class Plan:
    """The steps to run, and remarks on how their text was read."""

    steps: tuple[Step, ...]
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
        size: bytes that the graph takes in a file after it, where they were measured.
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
    size: int = 0


def plan(transforms: Transforms) -> Plan:
    """Read what to run; nothing is run, no file is needed.

    Raises:
        TransformSyntaxError: with the place in a text: syntax, unknown transform, bad arguments.
        UsageError: something is neither text nor a step.
    """
    steps: list[Step] = []
    notes: list[str] = []
    for each in [transforms] if isinstance(transforms, str | Step) else transforms:
        if isinstance(each, Step):
            steps.append(each)
        elif isinstance(each, str):
            parsed, remarks = parse(each)
            notes += remarks
            steps += [_step(invocation, each, notes) for invocation in parsed]
        elif isinstance(each, Transform):
            raise UsageError(f"{each.name} is a transform, not a step; write {each.name}()")
        else:
            raise UsageError(f"transforms are texts or steps, not {type(each).__name__}")
    return Plan(tuple(steps), tuple(notes))


def _step(invocation: Invocation, text: str, notes: list[str]) -> Step:
    try:
        transform = registry.find(invocation.name)
    except UsageError as error:
        raise TransformSyntaxError(str(error), text, invocation.at) from None
    ignore = ignores_errors(invocation, text)
    try:
        arguments, remarks = bind(invocation, transform.parameters, text)
    except TransformSyntaxError as error:
        if not ignore:
            raise
        return Step(transform, ignore_errors=True, problem=error.message)
    notes += remarks
    functions = transform.in_functions and bool(arguments.pop("functions", False))
    return Step(transform, arguments, functions, ignore)


def run(
    graph: Graph,
    steps: Sequence[Step],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    *,
    kept: Collection[str] = (),
    functions: bool = False,
    on_step: Callable[[StepResult], None] | None = None,
) -> list[StepResult]:
    """Apply `steps` to `graph`, in place.

    After each step the graph is checked. A step that fails is taken back; with ``ignore_errors`` the run goes on.

    Args:
        kept: names of nodes that stay as they are, though no output needs them.
        functions: run every step for which it makes sense on the bodies of the function library as well.

    Raises:
        PbslimError: a step failed, or left (or found) a broken graph; the message names the step.
    """
    context = Context(tuple(inputs), tuple(outputs), frozenset(kept))
    results: list[StepResult] = []
    for step in steps:
        given, inputs_before = names(graph), context.inputs
        context.skipped, context.notes = [], []
        mark = len(graph.journal)
        result = StepResult(str(step), len(graph), skipped=context.skipped, notes=context.notes)
        started = time.perf_counter()
        try:
            step.run(graph, context, functions=functions)
        except PbslimError as error:
            graph.rollback(mark)
            context.inputs = inputs_before
            if not step.ignore_errors:
                raise type(error)(f"{step.transform.name}: {error}") from None
            result.error = str(error)
        if not results or len(graph.journal) > mark:
            check(graph)
            drop_lost_colocations(graph, given)
        result.seconds = time.perf_counter() - started
        result.nodes_after, result.inputs = len(graph), context.inputs
        result.changed = list(graph.changed_since(mark))
        results.append(result)
        if on_step:
            on_step(result)
    return results
