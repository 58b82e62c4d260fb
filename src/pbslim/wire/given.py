"""Graphs and names in whatever form a caller has them, and results in the same form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.wire.files import GraphLike, Message, into_message, load, load_from, save
from pbslim.wire.models import is_model
from pbslim.wire.paths import expanded
from pbslim.wire.sources import Source, open_source
from pbslim.wire.write import to_bytes

Names: TypeAlias = "str | bytes | Iterable[str | bytes]"
"""A list of names, or one text with commas."""

P = ParamSpec("P")
Given = TypeVar("Given", bound=Message | bytes)
Result = TypeVar("Result", covariant=True)


def load_all(given: GraphLike | Iterable[GraphLike]) -> list[Graph]:
    """Each of several graphs, or the one that is given alone."""
    if isinstance(given, Graph | bytes | str | PathLike) or not isinstance(given, Iterable):
        return [load(given)]
    return [load(each) for each in given]


@dataclass(frozen=True)
class Opened:
    """A graph that was given, and the file that it is in."""

    path: Path
    source: Source
    graph: Graph


@contextmanager
def opened(given: GraphLike) -> Iterator[Opened]:
    """`given` in its own file, or in one that is made of it for as long as it is needed.

    Raises:
        PbslimError: it is neither a graph nor a model that can be frozen.
    """
    path = expanded(given) if isinstance(given, str | PathLike) else None
    if path is not None and not is_model(path):
        source = open_source(path)
        yield Opened(path, source, load_from(source, path))
        return
    with TemporaryDirectory() as folder:
        place = Path(folder) / f"{path.stem if path else 'graph'}-frozen.pb"
        graph = load(given)
        save(graph, place)
        source = open_source(place)
        found = load_from(source, place)
        found.signature = graph.signature
        yield Opened(place, source, found)


def same_kind(graph: Graph, given: Any) -> Any:
    """`graph` in the form of `given`; a graph for a path, so that the weights of a large file are never held in memory.

    Raises:
        PbslimError: it is too large for a message.
    """
    if isinstance(given, bytes):
        return to_bytes(graph)
    if isinstance(given, str | PathLike | Graph):
        return graph
    return into_message(graph, type(given)())


class Changing(Protocol[P, Result]):
    """A function that changes a `Graph` in place, and gives other things back in the form in which they came."""

    @overload
    def __call__(self, given: Graph, /, *args: P.args, **kwargs: P.kwargs) -> Result: ...

    @overload
    def __call__(self, given: str | PathLike[str], /, *args: P.args, **kwargs: P.kwargs) -> Graph: ...

    @overload
    def __call__(self, given: Given, /, *args: P.args, **kwargs: P.kwargs) -> Given: ...


def changes_graph(function: Callable[Concatenate[Graph, P], Result]) -> Changing[P, Result]:
    """Let a function that changes its first argument, a `Graph`, in place take a message, bytes or a path as well.

    Those stay as they are, and the changed graph is what the function gives back: of the same kind, a `Graph` for a
    path.
    """
    name, shown = _first_parameter(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given, *rest = args or [kwargs.pop(name)]
        graph = load(given)
        result = function(graph, *rest, **kwargs)
        return result if isinstance(given, Graph) else same_kind(graph, given)

    call.__signature__ = shown  # type: ignore[attr-defined]
    return call


def _first_parameter(function: Callable[..., Any]) -> tuple[str, Signature]:
    """Its name, and the signature of a function that takes any form of a graph for it."""
    whole = signature(function)
    first, *others = whole.parameters.values()
    return first.name, whole.replace(parameters=[first.replace(annotation="GraphLike"), *others])


def texts(given: Names, what: str) -> list[str]:
    """One text or several as a list.

    Args:
        what: what the texts are, for the error message.

    Raises:
        UsageError: something among them is not text.
    """
    if not isinstance(given, Iterable):
        raise UsageError(f"{what} must be text or a list of texts, not {type(given).__name__}")
    found = []
    for text in [given] if isinstance(given, str | bytes) else given:
        if not isinstance(text, str | bytes):
            raise UsageError(f"{what} must be text, not {type(text).__name__}")
        try:
            found.append(text.decode() if isinstance(text, bytes) else text)
        except UnicodeDecodeError:
            raise UsageError(f"{what}: {text!r} is not UTF-8 text") from None
    return found


def names(given: Names, what: str) -> tuple[str, ...]:
    """Names in a list of texts or in one text with commas; none at all for an empty text.

    Raises:
        UsageError: a name is empty or no text.
    """
    parts = [text for text in texts(given, what) if text.strip() or not isinstance(given, str | bytes)]
    found = tuple(name.strip() for text in parts for name in text.split(","))
    if "" in found:
        raise UsageError(f"there is an empty name among the {what}")
    return found
