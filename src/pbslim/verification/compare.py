"""Compare the outputs of two graphs for the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.analysis.endpoints import find_names, require
from pbslim.engines.apart import Memory, Outcome, run_apart
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import node_name
from pbslim.verification.feeds import generate_feeds
from pbslim.wire import load
from pbslim.wire.memmapped import lay_out, package_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Comparison:
    """One output in both graphs.

    Attributes:
        largest_difference: the largest absolute difference of two elements; for types without differences the
            number of elements that are not equal.
        largest_value: the largest absolute value in the first graph.
        problem: why they do not agree; empty when they do.
    """

    output: str
    shape: tuple[int, ...]
    largest_difference: float
    largest_value: float
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the output is the same within the tolerances."""
        return not self.problem


@dataclass(frozen=True)
class Verification:
    """Two graphs held against each other.

    Attributes:
        comparisons: one for each output.
        memory: what each graph took, where one of them is a memory-mapped package and the system tells.
    """

    comparisons: list[Comparison]
    memory: tuple[Memory, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all outputs are the same within the tolerances."""
        return all(each.agrees for each in self.comparisons)


def compare_arrays(output: str, first: Array, second: Array, rtol: float, atol: float) -> Comparison:
    """Hold `second` against `first`: ``|a - b| <= atol + rtol * max|a|`` for every element; NaN equals NaN."""
    if first.shape != second.shape or first.dtype != second.dtype:
        problem = f"{second.dtype}{list(second.shape)} instead of {first.dtype}{list(first.shape)}"
        return Comparison(output, first.shape, float("inf"), 0.0, problem)
    if first.dtype.kind not in "fiuc" and first.dtype.name != "bfloat16":
        unequal = int(np.count_nonzero(first != second))
        problem = f"{unequal} of {first.size} values differ" if unequal else ""
        return Comparison(output, first.shape, float(unequal), 0.0, problem)
    kind = np.complex128 if first.dtype.kind == "c" else np.float64
    a, b = first.astype(kind), second.astype(kind)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        difference = np.where(same, 0, np.abs(a - b))
    finite = np.abs(a[np.isfinite(a)])
    largest, value = float(np.max(difference, initial=0)), float(np.max(finite, initial=0))
    allowed = atol + rtol * value
    problem = "" if largest <= allowed else f"off by {largest:.3g}, {allowed:.3g} is allowed"
    return Comparison(output, first.shape, largest, value, problem)


def compare_files(
    first: Path,
    second: Path,
    feeds: Mapping[str, Array] | None = None,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> Verification:
    """Run both graphs on the same inputs and compare every output; see `pbslim.verify`.

    Each runs in a process of its own, so that a graph of which TensorFlow dies is an error like any other, and with
    nothing folded, so that the constants of a memory-mapped package stay in its file.

    Raises:
        UsageError: TensorFlow is not installed, or a name is not in a graph.
        PbslimError: a graph cannot be read or does not run.
    """
    graphs = [load(first), load(second)]
    if outputs is None:
        outputs = find_names(graphs[1])[1]
    for graph in graphs:
        for name in outputs:
            require(graph, name)
    if feeds is None:
        feeds = generate_feeds(graphs[0], find_names(graphs[0], inputs, outputs)[0])
    unknown = [name for name in feeds if all(node_name(name) not in graph for graph in graphs)]
    if unknown:
        raise UsageError(f"neither graph has an input '{unknown[0]}'")

    def run(path: Path, graph: Graph) -> Outcome:
        fed = {name: value for name, value in feeds.items() if node_name(name) in graph}
        if package_of(graph) is None:
            return run_apart(path, fed, outputs, str(path))
        # TensorFlow's Python has no file system for packages, but any file can be a region.
        hint = "; perhaps an op wrote into a constant that is mapped"
        with TemporaryDirectory() as folder:
            return run_apart(lay_out(path, Path(folder)), fed, outputs, str(path), hint)

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(run, (first, second), graphs))
    pairs = zip(outputs, *(outcome.outputs for outcome in outcomes), strict=True)
    comparisons = [compare_arrays(name, a, b, rtol, atol) for name, a, b in pairs]
    memory = [outcome.memory for outcome in outcomes if outcome.memory]
    told = len(memory) == len(graphs) and any(map(package_of, graphs))
    return Verification(comparisons, tuple(memory) if told else ())
