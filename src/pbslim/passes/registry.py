"""What a transform is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import nearest, node_name
from pbslim.passes.bodies import in_bodies
from pbslim.passes.parameters import Parameter, parameters_of
from pbslim.rewrite import Report, Skipped

Effect = Literal["exact", "reassociates", "lossy", "annotates"]
"""How far the results of a transformed graph may move: not at all, by float rounding, by design, or not even run."""


@dataclass
class Context:
    """What a transform knows besides the graph, and where it tells what it did.

    Attributes:
        inputs, outputs: tensor names as the user gave them.
        kept: names of nodes that must stay though no output needs them: in a function, what runs for its effect.
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


@dataclass(frozen=True)
class Transform:
    """A registered transform: its function, and what is derived from it.

    Attributes:
        in_functions: whether it makes sense in the bodies of the function library, so that it takes ``functions``.
    """

    name: str
    function: Callable[..., None]
    effect: Effect
    in_functions: bool = False

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters, from the signature; ``functions`` is common to all that take it."""
        common = {"functions": _FUNCTIONS} if self.in_functions else {}
        return parameters_of(self.function) | common

    @property
    def manual(self) -> str:
        """The docstring of its module, which opens with a before/after picture."""
        import sys

        return sys.modules[self.function.__module__].__doc__ or ""

    def __call__(self, graph: Graph, context: Context, *, functions: bool = False, **arguments: Any) -> None:
        """Run it on `graph`, in place, and if `functions` is true on the bodies in its library before that."""
        if functions:
            in_bodies(graph, context, lambda body, inner: self.function(body, inner, **arguments))
        self.function(graph, context, **arguments)


_FOUND: dict[str, Transform] = {}
_PACKAGES: list[tuple[str, Iterable[str]]] = []


def transform(*, effect: Effect, in_functions: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function ``f(graph, context, *, parameters...)`` under its own name.

    Args:
        in_functions: it may run on the bodies of functions as well, when ``functions=true`` asks for it.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        _FOUND[function.__name__] = Transform(function.__name__, function, effect, in_functions)
        return function

    return register


def provide(package: str, path: Iterable[str]) -> None:
    """Let each module of `package` be a transform of the same name, imported when it is asked for.

    Args:
        path: ``__path__`` of the package.
    """
    _PACKAGES.append((package, path))


def _places() -> dict[str, str]:
    """Name of each transform → module that holds it."""
    return {
        module.name: f"{package}.{module.name}"
        for package, path in _PACKAGES
        for module in iter_modules(path)
        if not module.ispkg
    }


def names() -> list[str]:
    """All transforms, sorted."""
    return sorted(_places())


def find(name: str) -> Transform:
    """The transform called `name`.

    Raises:
        UsageError: there is none; the message suggests the nearest name.
    """
    if name not in _FOUND:
        places = _places()
        if name not in places:
            close = nearest(name, places)
            raise UsageError(f"unknown transform '{name}'" + (f", did you mean '{close}'?" if close else ""))
        import_module(places[name])
    return _FOUND[name]
