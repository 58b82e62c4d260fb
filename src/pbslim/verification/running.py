"""Run two graphs side by side, each in a process of its own."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from pbslim.engines import choose, engine
from pbslim.engines.apart import Memory, ProgramApart
from pbslim.engines.heap import give_back_freed_memory
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.kept import Kept
from pbslim.names import node_name
from pbslim.verification.batches import batch_size
from pbslim.wire import save
from pbslim.wire.memmapped import lay_out, package_of

Array = npt.NDArray[Any]
Batch = Mapping[str, Array]

Enough = Callable[[int, int, float, int], bool]
"""Whether to stop, by the number of batches done, of the samples in them, seconds, and bytes of what they gave."""

_HUGE = 1 << 28  # bytes of a file
_QUICK = 0.5  # seconds of a batch: the next one waits in the process, so that neither graph waits for the other
DEFAULT_TIMEOUT = 120.0
"""Seconds that one run of a graph may take."""

_LABELS = {"tensorflow": "TensorFlow", "opencv": "OpenCV", "builtin": "the builtin engine"}


@dataclass(frozen=True)
class Side:
    """One of the graphs that are compared, and the file that it is in.

    Attributes:
        renamed: what inputs are called in this graph, where that differs.
    """

    path: Path
    graph: Graph
    renamed: Mapping[str, str] = field(default_factory=dict)

    def fed(self, batch: Batch) -> dict[str, Array]:
        """What of a batch this graph has inputs for."""
        named = {self.renamed.get(name, name): value for name, value in batch.items()}
        return {name: value for name, value in named.items() if node_name(name) in self.graph}


@dataclass(frozen=True)
class Setting:
    """How graphs are run.

    Attributes:
        engine: the name of the engine.
        timeout: seconds that one run may take.
        likely: give up on what takes far more time or memory than a file of so many bytes makes likely.
        spare: processes that have no work; see `spared`.
        alone: no other graph runs at the same time, so that one may take all cores.
    """

    engine: str
    timeout: float = DEFAULT_TIMEOUT
    likely: int | None = None
    spare: list[ProgramApart] | None = None
    alone: bool = False

    @contextmanager
    def running(self, side: Side) -> Iterator[ProgramApart]:
        """A graph from its file, in a process of its own."""
        if package_of(side.graph) is None:
            with self.started(side.path, str(side.path)) as program:
                yield program
            return
        hint = "; perhaps an op wrote into a constant that is mapped"
        with TemporaryDirectory() as folder:
            # TensorFlow's Python has no file system for packages, but any file can be a region. They are laid out
            # here, as a process that crashes would leave them behind.
            path = lay_out(side.path, Path(folder)) if self.engine == "tensorflow" else side.path
            with self.started(path, str(side.path), hint=hint, folding=False) as program:
                yield program

    def edited(self, graphs: Iterable[Graph], label: str) -> Generator[ProgramApart, None, None]:
        """Graphs that are in no file, running one after the other; messages call each `label`."""
        with TemporaryDirectory() as folder, ExitStack() as stack:
            path, program = Path(folder) / "graph.pb", None
            for graph in graphs:
                save(graph, path)
                if program is None:
                    program = stack.enter_context(self.started(path, label))
                else:
                    program.load(path)
                try:
                    yield program
                except GeneratorExit:  # enough of them; the process may run others
                    return

    @contextmanager
    def started(self, path: Path, label: str, *, folding: bool = True, hint: str = "") -> Iterator[ProgramApart]:
        """The graph in `path` in a process of its own, which messages call `label`; see `ProgramApart`."""
        spare = self.spare if folding else None
        while spare and not spare[-1].is_alive:
            spare.pop().close()
        if spare:
            program = spare.pop()
            program.load(path, label)
        else:
            program = self.start(path, label, folding=folding, hint=hint)
        try:
            yield program
        except BaseException:
            program.close()
            raise
        if spare is None:
            program.close()
            return
        try:
            program.forget()
        except PbslimError:  # it has died, with what was still to be done
            program.close()
        else:
            spare.append(program)

    def start(self, path: Path, label: str, *, folding: bool = True, hint: str = "") -> ProgramApart:
        """A new process that begins to load the graph in `path`."""
        return ProgramApart(
            self.engine,
            path,
            label=label,
            timeout=self.timeout,
            name=_LABELS.get(self.engine, self.engine),
            folding=folding,
            threads=self._threads,
            likely=self.likely,
            hint=hint,
        )

    @property
    def _threads(self) -> int | None:
        cores = os.cpu_count() or 1
        if self.alone:
            return cores
        return max(cores // 2, 1) if self.engine == "tensorflow" else None  # two graphs run at the same time


@contextmanager
def spared() -> Iterator[list[ProgramApart]]:
    """A list of processes without work, each of which may run the next graph; they end with the context."""
    spare: list[ProgramApart] = []
    try:
        yield spare
    finally:
        for program in spare:
            program.close()


@contextmanager
def spare_processes(engine: str, path: Path) -> Iterator[list[ProgramApart]]:
    """As `spared`; of an engine that takes long to start, two processes start at once, and look at `path`."""
    with spared() as spare:
        if engine == "tensorflow":
            spare += [Setting(engine).start(path, str(path)) for _ in range(2)]
        yield spare


def likely_size(sides: tuple[Side, Side], engine: str) -> int | None:
    """The size by which to tell what a run may take: a small file may hold all weights of a large one, compressed."""
    return max(side.path.stat().st_size for side in sides) if engine == "builtin" else None


def engine_for(wanted: str, sides: Sequence[Side], fetches: Sequence[Sequence[str]], batch: Batch | None = None) -> str:
    """The engine that runs both graphs: the wanted one, or with ``auto`` the first that can.

    What is fed in `batch` need not be computed. A memory-mapped package is for TensorFlow, which maps its constants,
    wherever that is installed.

    Raises:
        UsageError: there is none; the message says why.
    """
    if wanted == "auto" and any(package_of(side.graph) for side in sides) and find_spec("tensorflow"):
        wanted = "tensorflow"
    tasks = [(side.graph, names, side.fed(batch or {})) for side, names in zip(sides, fetches, strict=True)]
    found = {choose(wanted, *task).name for task in tasks}
    if len(found) > 1:  # one graph needs what the other does not; the last one runs most
        found = {choose("tensorflow", *task).name for task in tasks}
    return found.pop()


@dataclass(frozen=True)
class Runs:
    """What both graphs gave for each fetch.

    Attributes:
        sizes: how many samples each batch holds.
        memory: what each graph took.
    """

    first: Mapping[str, Kept]
    second: Mapping[str, Kept]
    sizes: list[int]
    memory: tuple[Memory | None, Memory | None]


def run_both(
    setting: Setting,
    sides: tuple[Side, Side],
    fetches: tuple[Sequence[str], Sequence[str]],
    batches: Sequence[Batch],
    enough: Enough = lambda _done, _samples, _seconds, _held: False,
) -> Runs:
    """Run all batches through both graphs at the same time; huge graphs take turns, for memory.

    Args:
        enough: called with the number of batches done, that of the samples in them, the seconds they took and the
            bytes of what they gave; it says whether to stop.

    Raises:
        PbslimError: a graph cannot be loaded or does not run.
    """
    give_back_freed_memory()
    results = [{name: Kept() for name in names} for names in fetches]
    first, second = results
    if max(side.path.stat().st_size for side in sides) < _HUGE:
        sizes, memory = _run(setting, sides, results, batches, enough)
        return Runs(first, second, sizes, (memory[0], memory[1]))
    setting = replace(setting, alone=True)
    sizes, before = _run(setting, sides[:1], [first], batches, enough)
    _, after = _run(setting, sides[1:], [second], batches[: len(sizes)])
    return Runs(first, second, sizes, (before[0], after[0]))


def _run(
    setting: Setting,
    sides: Sequence[Side],
    results: Sequence[Mapping[str, Kept]],
    batches: Sequence[Batch],
    enough: Enough = lambda _done, _samples, _seconds, _held: False,
) -> tuple[list[int], list[Memory | None]]:
    """Run batches through some graphs at the same time; gives the sizes of the batches and what each graph took."""
    with ExitStack() as stack:
        programs = [stack.enter_context(setting.running(side)) for side in sides]
        for program in programs:
            program.wait()
        started, held, sizes, sent = time.perf_counter(), 0, list[int](), deque[int]()
        coming = iter(batches)
        following, ahead = next(coming, None), 1
        while sent or following is not None:
            if following is not None:
                for program, side, kept in zip(programs, sides, results, strict=True):
                    program.start(side.fed(following), [*kept])
                sent.append(batch_size(following))
                following = next(coming, None)  # which is made while they run
                if len(sent) < ahead:
                    continue
            for kept, program in zip(results, programs, strict=True):
                for each, array in zip(kept.values(), program.result(), strict=True):
                    each.append(array)
                    held += array.nbytes
            sizes.append(sent.popleft())
            seconds = time.perf_counter() - started
            if enough(len(sizes), sum(sizes), seconds, held):
                break
            ahead = 2 if seconds < _QUICK * len(sizes) else 1
        for program in programs * len(sent):
            with suppress(PbslimError):  # nobody needs it any more
                program.result()
        return sizes, [program.memory for program in programs]


def require_fed(sides: Sequence[Side], names: Sequence[str]) -> None:
    """Make sure that each name is that of a node in at least one of the graphs.

    Raises:
        UsageError: one is not.
    """
    for name in names:
        if all(node_name(side.renamed.get(name, name)) not in side.graph for side in sides):
            raise UsageError(f"neither graph has an input '{name}'")


def has_inner_tensors(name: str) -> bool:
    """Whether an engine gives any tensor, not outputs alone."""
    return engine(name).inner_tensors
