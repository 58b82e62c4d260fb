"""What an engine is: something that loads a graph and runs feeds to fetches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pbslim.analysis.endpoints import require
from pbslim.ir import Graph, Node, Value

Array: TypeAlias = npt.NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]
"""Tensor names (``node`` or ``node:port``) and their values; strings as object arrays of bytes."""
See: TypeAlias = Callable[[Sequence[Any]], None]
"""Is shown what the inputs of a node are each time that it runs: arrays, which nobody may keep, or resources."""


@dataclass(frozen=True)
class Unsupported:
    """A node that an engine cannot run, and why."""

    node: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"node '{self.node}' ({self.op}): {self.reason}"


class Program(ABC):
    """A graph that is loaded and can run many times. It is a context manager that closes itself."""

    @abstractmethod
    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`, in that order, for these feeds.

        Args:
            feeds: what placeholders are, or any other tensor.
            fetches: tensor names, ``node`` or ``node:port``; strings come as object arrays of bytes.

        Raises:
            UsageError: a name is not in the graph, or a feed is missing or does not fit.
            PbslimError: the graph fails on these feeds.
        """

    def observed(self, watched: Mapping[Node, See]) -> Program | None:  # noqa: ARG002 - most cannot
        """The same graph, which shows what some nodes read whenever they run: in each turn of a loop, in each call.

        Args:
            watched: nodes of the graph that was loaded, or of the bodies of its functions.

        Returns:
            A program to be run instead of this one; None where the engine cannot look into loops and functions.
        """
        return None

    def restrict(self, other: Program) -> Program:
        """Another program, held to the limits of this one."""
        return other

    def release(self) -> None:  # noqa: B027 - most hold nothing of the kind
        """Give back what was made for the runs so far, and what another run makes again if it needs it."""

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back what the program holds."""

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Engine(ABC):
    """One way to run graphs.

    Attributes:
        name: as ``--engine`` names it.
        inner_tensors: whether any tensor can be fetched, not outputs alone.
    """

    name: str
    inner_tensors = True

    def missing(self) -> str:
        """Why this engine cannot be used here and what to do about it; empty if it can."""
        return ""

    @abstractmethod
    def unsupported(self, graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> list[Unsupported]:
        """The nodes that `fetches` need and that this engine cannot run, as far as the graph shows beforehand.

        Args:
            fetches: tensor names.
            fed: names of tensors that will be fed, before which nothing is needed.

        Raises:
            UsageError: a name is not in the graph.
        """

    @abstractmethod
    def load(self, source: Graph | Path) -> Program:
        """Make a graph, or the one in a file, ready to run.

        Raises:
            UsageError: the engine is missing.
            PbslimError: it cannot load the graph.
        """


def split_name(tensor: str) -> tuple[str, int]:
    """Node and port that a tensor name means."""
    name, colon, port = tensor.rpartition(":")
    return (name, int(port)) if colon and port.isdigit() else (tensor, 0)


def find_value(graph: Graph, tensor: str) -> Value:
    """The value that a tensor name means.

    Raises:
        UsageError: there is no such node.
    """
    return require(graph, tensor).output(split_name(tensor)[1])


def as_fed(value: object) -> Array:
    """A fed value as an array; strings of any kind become an object array of bytes."""
    array = np.asarray(value)
    if array.dtype.kind not in "SUO":
        return array
    texts = np.empty(array.shape, object)
    flat = [text.encode() if isinstance(text, str) else bytes(text) for text in array.reshape(-1).tolist()]
    texts.reshape(-1)[:] = flat
    return texts
