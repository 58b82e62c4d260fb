"""Run a graph in a process of its own: a crash does no harm there, what hangs can be ended, memory can be measured.

The process ends with this one, however that ends: it reads requests from a pipe, and exits when the pipe closes.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pbslim.cores import OWN_THREADS, on_cores
from pbslim.engines.heap import give_back_freed_memory
from pbslim.engines.protocol import Array, Feeds, Program
from pbslim.errors import PbslimError

_STATUS = Path("/proc/self/status")
_NUMPY_THREADS = "OPENBLAS_NUM_THREADS"
_THREADS = (_NUMPY_THREADS, "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_LOADING = 60.0  # seconds that an engine may take to start, however short the timeout for the graph is
_GLANCE = 0.2  # seconds; on Windows a wait without end could not be interrupted


@dataclass(frozen=True)
class Memory:
    """What a graph takes in memory, in bytes above what the process had before.

    Attributes:
        resident: all pages, those of mapped files included.
        private: pages that belong to the process alone and cannot be dropped.
    """

    resident: int
    private: int


@dataclass(frozen=True)
class _Answer:
    """What comes back: a value or an error, the memory taken since loading began, and the seconds of the work."""

    value: Any = None
    error: PbslimError | None = None
    memory: Memory | None = None
    seconds: float = 0.0


class ProgramApart(Program):
    """A graph that an engine has loaded in another process; loading goes on while this one does something else.

    Attributes:
        memory: what loading and running took so far, None where the system does not report it.
        seconds: how long the last request took there.
        timeout: seconds to wait for an answer before giving up.

    Args:
        engine: the name of the engine.
        label: the file that messages name.
        name: what messages call the engine.
        timeout: seconds to wait for an answer before giving up.
        folding: whether TensorFlow may compute constants beforehand, which loads those that a package maps.
        threads: how many an engine may use; None for one in numpy and what others like.
        likely: give up on what takes far more time or memory than a file of so many bytes makes likely.
        hint: what to add where the process dies.
    """

    def __init__(
        self,
        engine: str,
        path: Path,
        *,
        label: str,
        timeout: float,
        name: str = "the engine",
        folding: bool = False,
        threads: int | None = None,
        likely: int | None = None,
        hint: str = "",
    ) -> None:
        self._label, self.timeout, self._hint, self._name = label, timeout, hint, name
        self.memory: Memory | None = None
        self.seconds = 0.0
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
        quiet = {"PYTHONSAFEPATH": "1"}  # no modules from the folder where the user happens to be
        quiet |= dict.fromkeys(_THREADS, str(threads)) if threads and engine != "builtin" else {_NUMPY_THREADS: "1"}
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet},
        )
        self._answers: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        _start(_collect, self._process.stdout, self._answers)
        self._engine, self._folding, self._loading, self._likely = engine, folding, False, likely
        self._threads = threads or 1
        self.load(path)

    def load(self, path: Path, label: str = "") -> None:
        """Begin to load another graph, which messages call `label` from now on, in place of the one there is."""
        self.wait()
        self._label = label or self._label
        self._path, self._loading = str(path), True
        self._send(("load", self._engine, path, self._folding, self._likely, self._threads))

    def forget(self) -> None:
        """Give back what the graph takes; the process waits for another one."""
        self.wait()
        self._send(("forget",))
        self._receive("forget", self.timeout)

    def wait(self) -> None:
        """Wait until the graph is loaded.

        Raises:
            PbslimError: it cannot be, or not in time.
        """
        if self._loading:
            self._loading = False
            self.seconds = self._receive("load", max(self.timeout, _LOADING))

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`.

        Raises:
            PbslimError: also when the process dies or does not answer in time.
        """
        self.start(feeds, fetches)
        return self.result()

    def start(self, feeds: Feeds, fetches: Sequence[str]) -> None:
        """Begin to run, after what was started before; `result` has what comes out, in the same order."""
        self.wait()
        self._send(("run", dict(feeds), list(fetches)))

    def result(self) -> list[Array]:
        """What the first run that was started, and not asked for yet, gave."""
        found: list[Array] = self._receive("run", self.timeout)
        return found

    def __enter__(self) -> ProgramApart:
        return self

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                _close(pipe)

    def _send(self, request: tuple[object, ...]) -> None:
        pipe = self._process.stdin
        try:
            pickle.dump(request, pipe)  # type: ignore[arg-type]
            pipe.flush()  # type: ignore[union-attr]
        except OSError:  # it has died, as the missing answer shows
            self._answers.put(None)

    def _receive(self, what: str, timeout: float) -> Any:
        end = time.monotonic() + timeout
        while True:
            try:
                answer = self._answers.get(timeout=_GLANCE)
                break
            except queue.Empty:
                if time.monotonic() > end:
                    self.close()
                    reason = f"'{self._label}' did not {what} within {timeout:g} s"
                    advice = "it may wait for a queue or file that nothing fills; --timeout allows more time"
                    raise PbslimError(f"{reason}: {advice}") from None
        if answer is None:
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise PbslimError(f"{self._name} crashed on '{self._label}' ({how}){self._hint}")
        self.memory, self.seconds = answer.memory, answer.seconds
        if answer.error:
            raise type(answer.error)(str(answer.error).replace(self._path, self._label))
        return answer.value


def _close(pipe: IO[bytes]) -> None:
    with suppress(OSError):  # of what a process that is gone has not read
        pipe.close()


def _collect(pipe: IO[bytes] | None, answers: queue.SimpleQueue[_Answer | None]) -> None:
    """Queue the answers as they come, and None at the end."""
    try:
        while pipe:
            answers.put(pickle.load(pipe))  # noqa: S301 - what the process below has written
    except (OSError, ValueError, EOFError, pickle.UnpicklingError):
        answers.put(None)


def _start(work: Callable[..., None], *args: object) -> None:
    threading.Thread(target=work, args=args, name=OWN_THREADS, daemon=True).start()


def serve() -> None:
    """Be the process that `ProgramApart` starts: requests come from stdin, answers go to stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an engine prints must not come between the bytes of an answer
    requests: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
    _start(_listen, requests)
    worker = _Worker()
    while True:
        kind, *arguments = requests.get()
        started = time.perf_counter()
        try:
            value, error = getattr(worker, kind)(*arguments), None
        except PbslimError as problem:
            value, error = None, problem
        except MemoryError:
            value, error = None, PbslimError("there is not enough memory to run it")
        pickle.dump(_Answer(value, error, worker.memory(), time.perf_counter() - started), answers, protocol=5)
        answers.flush()


def _listen(requests: queue.SimpleQueue[tuple[Any, ...]]) -> None:
    """Queue requests; when the pipe closes, whatever is running ends with it."""
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from the process that started this one
    finally:
        os._exit(1)


class _Worker:
    """What requests ask for."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._before: Memory | None = None
        self._threads = 1

    def load(self, name: str, path: Path, folding: bool, likely: int | None, threads: int) -> float:
        """Load a graph; gives the seconds it took without what the engine needs for any graph."""
        self.forget()
        from pbslim.engines import engine, tensorflow
        from pbslim.engines.allowance import AllowedProgram

        found: Callable[[], Program] = lambda: engine(name).load(path)  # noqa: E731
        if name == "tensorflow":
            tensorflow.warm_up()
            found = lambda: tensorflow.TensorFlowProgram(path, folding=folding)  # noqa: E731
        else:
            engine(name)
        self._before, self._threads = _measured(), threads
        started = time.perf_counter()
        self._program = found() if likely is None else AllowedProgram(found(), likely)
        return time.perf_counter() - started

    def forget(self) -> None:
        """Give back the graph that is loaded."""
        if self._program is not None:
            self._program.close()
            self._program = None
            give_back_freed_memory()

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """Run it."""
        if self._program is None:
            raise PbslimError("no graph is loaded")
        with on_cores(self._threads):
            return self._program.run(feeds, fetches)

    def memory(self) -> Memory | None:
        """What it takes now."""
        now = _measured()
        if now is None or self._before is None:
            return None
        return Memory(max(now.resident - self._before.resident, 0), max(now.private - self._before.private, 0))


def _measured() -> Memory | None:
    try:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        resident, private = (int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon"))
    except (OSError, KeyError, ValueError):
        return None
    return Memory(resident, private)
