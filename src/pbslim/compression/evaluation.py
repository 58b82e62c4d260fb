"""Run the same work on many samples: one after the other, or at the same time wherever an executor runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol, TypeVar

from pbslim.engines import Feeds, Program, engine
from pbslim.ir import Graph
from pbslim.wire import load, to_bytes

R_co = TypeVar("R_co", covariant=True)
_R = TypeVar("_R")


class Work(Protocol[R_co]):
    """What is done with one sample; it can be sent to another process.

    Attributes:
        steps: how often it says that something is done.
    """

    @property
    def steps(self) -> int:
        """Of how many parts it is made."""

    def __call__(self, program: Program, sample: Feeds, on_step: Callable[[], None], /) -> R_co:
        """Do it."""


@dataclass(frozen=True)
class Evaluator:
    """A graph that samples are run through.

    Attributes:
        program: the graph, loaded in this process.
        executor: what runs it elsewhere; its workers load the graph with the builtin engine, once for all samples.
    """

    program: Program
    graph: Graph | None = None
    executor: Executor | None = None

    def map(self, work: Work[_R], samples: Sequence[Feeds], on_step: Callable[[], None] = lambda: None) -> Iterator[_R]:
        """The results for all samples, in their order."""
        if self.executor is None or self.graph is None:
            for sample in samples:
                yield work(self.program, sample, on_step)
            return
        futures = [self.executor.submit(_apart, self._data, work, sample) for sample in samples]
        try:
            for future in futures:
                yield future.result()
                for _ in range(work.steps):
                    on_step()
        finally:
            for future in futures:
                future.cancel()

    @cached_property
    def _data(self) -> bytes:
        return to_bytes(self.graph) if self.graph else b""


def _apart(data: bytes, work: Work[_R], sample: Feeds) -> _R:
    return work(_loaded(data), sample, _nothing)


def _nothing() -> None:
    """Nobody listens in a worker."""


@lru_cache(maxsize=2)
def _loaded(data: bytes) -> Program:
    return engine("builtin").load(load(data))
