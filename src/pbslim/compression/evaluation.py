"""Run the same work on many samples at the same time: in threads, or wherever an executor runs it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice
from typing import Protocol, TypeVar

from pbslim.engines import Feeds, Program, engine
from pbslim.ir import Graph
from pbslim.wire import load, to_bytes

_THREADS = 4
"""Each holds what the graph computes for a batch."""

_HUGE = 1 << 28
"""Bytes of a constant."""

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
        executor: what runs it elsewhere; its workers load the graph, once for all samples.
        engine: the name of what runs it there.
    """

    program: Program
    graph: Graph | None = None
    executor: Executor | None = None
    engine: str = "builtin"

    def map(self, work: Work[_R], samples: Sequence[Feeds], on_step: Callable[[], None] = lambda: None) -> Iterator[_R]:
        """The results for all samples, in their order."""
        if self.executor is not None and self.graph is not None:
            yield from _in_order(
                self.executor, partial(_apart, self.engine, self._data, work), samples, work.steps, on_step
            )
            return
        count = threads(self.graph)
        if count == 1:  # here, where the parts of a sample may take all cores
            for sample in samples:
                yield work(self.program, sample, on_step)
            return
        with ThreadPoolExecutor(count) as here:
            run: Callable[[Feeds], _R] = lambda each: work(self.program, each, _nothing)  # noqa: E731
            yield from _in_order(here, run, samples, work.steps, on_step, most=2 * count)

    @cached_property
    def _data(self) -> bytes:
        return to_bytes(self.graph) if self.graph else b""


def threads(graph: Graph | None) -> int:
    """How many samples run at the same time: numpy computes large arrays in several threads.

    With a huge constant it is one, as each would hold its own form of that; then parts of its work take all cores.
    """
    return 1 if graph and has_huge_constant(graph) else min(os.cpu_count() or 1, _THREADS)


def has_huge_constant(graph: Graph) -> bool:
    """Whether there is a constant that takes longer to read than most graphs take to run."""
    return any(node.tensor().nbytes >= _HUGE for node in graph if node.op == "Const")


def _in_order(
    executor: Executor,
    work: Callable[[Feeds], _R],
    samples: Iterable[Feeds],
    steps: int,
    on_step: Callable[[], None],
    most: int | None = None,
) -> Iterator[_R]:
    """Results in the order of the samples, of which at most so many wait to be run."""
    todo = iter(samples)
    futures = deque(executor.submit(work, sample) for sample in islice(todo, most))
    try:
        while futures:
            found = futures.popleft().result()
            futures.extend(executor.submit(work, sample) for sample in islice(todo, 1))
            yield found
            for _ in range(steps):
                on_step()
    finally:
        for future in futures:
            future.cancel()


def _apart(name: str, data: bytes, work: Work[_R], sample: Feeds) -> _R:
    return work(_loaded(name, data), sample, _nothing)


def _nothing() -> None:
    """Nobody listens in another thread or process."""


@lru_cache(maxsize=2)
def _loaded(name: str, data: bytes) -> Program:
    return engine(name).load(load(data))
