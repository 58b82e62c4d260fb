"""What a graph may take that is run without being asked for: a file of a few bytes can ask for any time and memory.

Both grow with the file and with what is fed, so that models run and such files do not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from pbslim.engines.protocol import Array, Feeds, Program, See
from pbslim.errors import PbslimError
from pbslim.ir import Node
from pbslim.kernels.limits import Limits, limited

_BYTES, _PER_FILE_BYTE, _PER_FED_BYTE = 40 << 20, 8, 256
_PER_CORE = 48 << 20  # what a thread takes for itself: its stack, and a buffer of OpenBLAS, on some processors of 32 MB
_WORK, _WORK_PER_FILE_BYTE, _WORK_PER_FED_BYTE = 1 << 27, 64, 1024
_STATUS = Path("/proc/self/status")


class AllowedProgram(Program):
    """A program that fails where it takes far more time or memory than the size of its file makes likely.

    Memory is limited where the system can do that.
    """

    def __init__(self, program: Program, file_bytes: int) -> None:
        self._program, self._file_bytes = program, file_bytes

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`.

        Raises:
            PbslimError: also where it would take too much.
        """
        fed = sum(np.asarray(value).nbytes for value in feeds.values())
        work = _WORK + _WORK_PER_FILE_BYTE * self._file_bytes + _WORK_PER_FED_BYTE * fed
        memory = _BYTES + _PER_CORE * (os.cpu_count() or 1) + _PER_FILE_BYTE * self._file_bytes + _PER_FED_BYTE * fed
        try:
            with limited(Limits(work=work)), _memory(memory):
                return self._program.run(feeds, fetches)
        except MemoryError:
            raise PbslimError(f"it takes more than {memory >> 20} MB to run, which is a lot for its size") from None

    def observed(self, watched: Mapping[Node, See]) -> Program | None:
        """The same with no more allowed; see `Program.observed`."""
        found = self._program.observed(watched)
        return None if found is None else self.restrict(found)

    def restrict(self, other: Program) -> Program:
        """The other program, which may take as much as this one."""
        return AllowedProgram(other, self._file_bytes)

    def release(self) -> None:
        """Give back what was made for the runs so far."""
        self._program.release()

    def close(self) -> None:
        """Give back what the program holds."""
        self._program.close()


@contextmanager
def _memory(size: int) -> Iterator[None]:
    """Let the process take `size` bytes more than it has."""
    taken = _private_bytes()
    if taken is None or find_spec("resource") is None:
        yield
        return
    _limit.enter(taken + size)
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """The one limit of this process: while several threads run programs it is that of whoever may take most."""

    def __init__(self) -> None:
        self._lock, self._running = Lock(), 0
        self._before = (-1, -1)

    def enter(self, most: int) -> None:
        """Let the process hold `most` bytes."""
        import resource

        with self._lock:
            now = resource.getrlimit(resource.RLIMIT_DATA)
            if self._running:
                most = max(most, now[0])
            else:
                self._before = now
            if now[1] != resource.RLIM_INFINITY:
                most = min(most, now[1])
            resource.setrlimit(resource.RLIMIT_DATA, (most, now[1]))
            self._running += 1

    def leave(self) -> None:
        """Take the limit back when nobody needs it any more."""
        import resource

        with self._lock:
            self._running -= 1
            if not self._running:
                resource.setrlimit(resource.RLIMIT_DATA, self._before)


_limit = _Limit()


def _private_bytes() -> int | None:
    """What the process holds that RLIMIT_DATA counts."""
    try:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmData"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
