"""Independent pieces of work on several cores, in threads: while numpy computes it lets go of the lock of Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

OWN_THREADS = "pbslim"
"""How the names of threads begin that run nothing but what is here."""

_POOL: ContextVar[Executor | None] = ContextVar("pool", default=None)


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Let `in_parallel` take so many cores inside of the block."""
    if count < 2:
        yield
        return
    with ThreadPoolExecutor(count, OWN_THREADS) as pool:
        token = _POOL.set(pool)
        try:
            yield
        finally:
            _POOL.reset(token)


def in_parallel(work: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """What `work` gives for each item, in their order; it is done here alone unless there are cores to take.

    A piece of work that itself asks for cores gets none, so that none waits for another.
    """
    todo, pool = list(items), _POOL.get()
    if pool is None or len(todo) == 1:
        return [work(item) for item in todo]
    return [future.result() for future in [pool.submit(copy_context().run, _alone, work, item) for item in todo]]


def _alone(work: Callable[[_T], _R], item: _T) -> _R:
    _POOL.set(None)
    return work(item)
