"""What a transform is, a step that runs one, and the list of all of them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Concatenate, Generic, Literal, ParamSpec

from pbslim import lazy
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import nearest, node_name
from pbslim.passes.bodies import in_bodies
from pbslim.passes.language import written
from pbslim.passes.parameters import Parameter, given, parameters_of
from pbslim.rewrite import Report, Skipped

Effect = Literal["exact", "reassociates", "lossy", "annotates"]
"""How far the results of a transformed graph may move: not at all, by float rounding, by design, or not even run."""


@dataclass
class Context:
    """What a transform knows besides the graph, and where it reports what it did.

    Attributes:
        inputs, outputs: tensor names as the user gave them.
        kept: names of nodes that stay as they are though no output needs them: in a function, what runs for its effect.
        folded: constants made by fold_constants so far; part of their names.
        skipped: places where a transform could have fired and did not, and why.
        notes: remarks for the user.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    folded: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def input_nodes(self) -> frozenset[str]:
        """Names of the nodes that the inputs belong to."""
        return frozenset(map(node_name, self.inputs))

    @property
    def output_nodes(self) -> frozenset[str]:
        """Names of the nodes that the outputs belong to, and of those that run for their effect."""
        return frozenset(map(node_name, self.outputs)) | self.kept

    @property
    def protected(self) -> frozenset[str]:
        """Names of the nodes that must stay: inputs and outputs."""
        return self.input_nodes | self.output_nodes

    def skip(self, node: str, reason: str) -> None:
        """Remember that `node` was left alone."""
        self.skipped.append(Skipped(node, reason))

    def note(self, text: str) -> None:
        """Tell the user something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def merge(self, report: Report) -> int:
        """Take over what a walk skipped; gives how often it fired."""
        self.skipped += report.skipped
        return len(report.applied)


_FUNCTIONS = Parameter("functions", bool, repeated=False, required=False, default=False)
P = ParamSpec("P")


@dataclass(frozen=True)
class Transform(Generic[P]):
    """A transform. Called with its parameters it gives a step for `pbslim.transform`.

    Attributes:
        function: does the work, ``f(graph, context, *, parameters...)``.
        in_functions: whether it makes sense in the bodies of the function library.
    """

    name: str
    function: Callable[Concatenate[Graph, Context, P], None]
    effect: Effect
    in_functions: bool = False

    def __repr__(self) -> str:
        return f"<transform {self.name}>"

    def __call__(self, *args: P.args, **arguments: P.kwargs) -> Step:
        """A step that runs it with these parameters.

        Raises:
            UsageError: there is no such parameter, or a value has the wrong type.
        """
        if args:
            raise UsageError(f"{self.name} takes its parameters by name")
        return Step(self, given(self.name, arguments, parameters_of(self.function)))

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    @cached_property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(self.function)
        own = list(signature.parameters.values())[2:]
        return signature.replace(parameters=own, return_annotation="Step")

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters, from the signature; ``functions`` is common to all that run in functions."""
        common = {"functions": _FUNCTIONS} if self.in_functions else {}
        return parameters_of(self.function) | common

    @property
    def manual(self) -> str:
        """The docstring of its module, which opens with a before/after picture."""
        return sys.modules[self.function.__module__].__doc__ or ""


@dataclass(frozen=True)
class Step:
    """A transform with its arguments, ready to run.

    Attributes:
        functions: whether it runs on the bodies of the function library too, where that makes sense.
        ignore_errors: whether a run goes on when it fails.
        problem: what is wrong with the arguments, when that is to be ignored at run time.
    """

    transform: Transform[...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    functions: bool = False
    ignore_errors: bool = False
    problem: str = ""

    def __str__(self) -> str:
        """As the language of ``--transforms`` has it."""
        arguments = {**self.arguments, **({"functions": True} if self.functions else {})}
        pairs = [
            f"{key}={written(value)}"
            for key, values in arguments.items()
            for value in (values if isinstance(values, tuple) else (values,))
        ]
        return f"{self.transform.name}({', '.join(pairs)})" if pairs else self.transform.name

    def with_options(self, *, functions: bool = False, ignore_errors: bool = False) -> Step:
        """The same step with other options."""
        return replace(self, functions=functions, ignore_errors=ignore_errors)

    def run(self, graph: Graph, context: Context, *, functions: bool = False) -> None:
        """Run it on `graph`, in place; if wanted here or by the step, on the bodies in its library before that.

        Raises:
            PbslimError: it failed.
        """
        if self.problem:
            raise UsageError(self.problem)
        function = self.transform.function
        if self.transform.in_functions and (functions or self.functions):
            in_bodies(graph, context, lambda body, inner: function(body, inner, **self.arguments))
        function(graph, context, **self.arguments)


def transform(
    *, effect: Effect, in_functions: bool = False
) -> Callable[[Callable[Concatenate[Graph, Context, P], None]], Transform[P]]:
    """Make a transform of a function ``f(graph, context, *, parameters...)``.

    Args:
        in_functions: it may run on the bodies of functions as well.
    """

    def made(function: Callable[Concatenate[Graph, Context, P], None]) -> Transform[P]:
        return Transform(function.__name__, function, effect, in_functions)

    return made


_TRANSFORMS = "pbslim.transforms"  # by its name, for it stands above this room; imported when it is asked


def names() -> list[str]:
    """All transforms, sorted."""
    return sorted(lazy.places(_TRANSFORMS))


def find(name: str) -> Transform[...]:
    """The transform called `name`.

    Raises:
        UsageError: there is none; the message suggests the nearest name.
    """
    if name in lazy.places(_TRANSFORMS):
        found: Transform[...] = lazy.load(_TRANSFORMS, name)
        return found
    close = nearest(name, names())
    raise UsageError(f"unknown transform '{name}'" + (f", did you mean '{close}'?" if close else ""))
