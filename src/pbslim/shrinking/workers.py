"""Processes of this machine that end at once when the work is stopped, and leave nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from pbslim.cores import OWN_THREADS

_P = ParamSpec("_P")
_T = TypeVar("_T")

_GRACE = 1.0  # seconds to remove a part file


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes; an exception in the block ends them in the middle of what they do.

    Their temporary files lie in a folder of this process, as one that is ended removes none.
    """
    with tempfile.TemporaryDirectory(prefix="pbslim-", ignore_cleanup_errors=True) as folder:
        pool = _Workers(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(folder,))
        try:
            yield pool
            pool.shutdown()
        except BaseException:
            _end(pool)
            raise


class _Workers(ProcessPoolExecutor):
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Start a process if there are fewer than there may be: one that Ctrl-C does not reach, not even at first."""
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which a new process inherits
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())  # noqa: SLF001 - public from Python 3.14 on
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_GRACE)
        process.kill()


def _begin(folder: str) -> None:
    """What a new process does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    threading.Thread(target=_end_with_parent, args=(folder,), name=OWN_THREADS, daemon=True).start()


def _end_with_parent(folder: str) -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
