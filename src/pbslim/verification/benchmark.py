"""How long graphs take and what memory they need, each in fresh processes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbslim.analysis.endpoints import find_names
from pbslim.engines import ENGINES, Feeds, choose, engine
from pbslim.engines.apart import Memory, ProgramApart
from pbslim.errors import PbslimError
from pbslim.verification.feeds import generate_samples
from pbslim.verification.running import DEFAULT_TIMEOUT
from pbslim.wire.given import opened

DEFAULT_RUNS = 20
_MOST_SECONDS = 5.0
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Measurement:
    """One graph on one engine.

    Attributes:
        load: seconds to load the graph, without what the engine needs for any.
        first: seconds of the first run.
        median, quickest, slowest: seconds of the runs after it; `runs` says how many these were.
        memory: bytes that the graph takes in the end, None where the system does not report it.
        problem: why there are no figures; empty when there are.
    """

    path: Path
    engine: str
    load: float = 0.0
    first: float = 0.0
    median: float = 0.0
    quickest: float = 0.0
    slowest: float = 0.0
    runs: int = 0
    memory: Memory | None = None
    problem: str = ""


def benchmark(
    paths: Sequence[Path],
    *,
    engines: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    samples: int = 1,
    runs: int = DEFAULT_RUNS,
    threads: int = 1,
    timeout: float = DEFAULT_TIMEOUT,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Measurement]:
    """Run each graph on each engine, on the same generated inputs, one after the other.

    Args:
        engines: their names; all that are installed when not given.
        inputs, outputs: tensor names; found from the graphs when not given.
        samples: the batch size, where a graph leaves it open.
        runs: how many runs to time after the first one; fewer where they take more than a few seconds.
        threads: how many an engine may use.

    Raises:
        UsageError: no such engine, or a name is not in a graph.
        PbslimError: a graph cannot be read.
    """
    chosen = list(engines or [name for name in ENGINES if not engine(name).missing()])
    tasks = [(path, engine(name).name) for path in paths for name in chosen]
    found = []
    for done, (path, name) in enumerate(tasks):
        if on_progress:
            on_progress(done, len(tasks))
        with opened(path) as given:
            fed, fetched = find_names(given.graph, inputs, outputs)
            feeds = generate_samples(given.graph, fed, samples=samples, batch=samples).batches[0]
            try:
                choose(name, given.graph, fetched, feeds)
                program = ProgramApart(
                    name, given.path, label=str(path), timeout=timeout, folding=True, threads=threads
                )
                with program:
                    found.append(_measured(program, path, name, feeds, fetched, runs))
            except PbslimError as error:
                found.append(Measurement(path, name, problem=str(error)))
    return found


def _measured(
    program: ProgramApart, path: Path, name: str, feeds: Feeds, fetches: Sequence[str], runs: int
) -> Measurement:
    program.wait()
    loading = program.seconds
    program.run(feeds, fetches)
    first = program.seconds
    times: list[float] = []
    while len(times) < runs and (len(times) < _LEAST_RUNS or sum(times) < _MOST_SECONDS):
        program.run(feeds, fetches)
        times.append(program.seconds)
    steady = statistics.median(times), min(times), max(times)
    return Measurement(path, name, loading, first, *steady, len(times), program.memory)
