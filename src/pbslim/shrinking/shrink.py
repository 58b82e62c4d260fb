"""A recipe on a frozen graph, from file to file, with what it brought."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pbslim.analysis.endpoints import Endpoint, describe
from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Step
from pbslim.shrinking.preparation import prepare
from pbslim.shrinking.proof import Proof, require_met
from pbslim.shrinking.recipes import transforms_of
from pbslim.transforms import set_placeholders
from pbslim.verification import Verification
from pbslim.wire import load, save
from pbslim.wire.given import reads_file
from pbslim.wire.write import require_apart


@dataclass(frozen=True)
class Totals:
    """What a file holds: nodes, constants, and its size in bytes as it is and deflated."""

    nodes: int
    constants: int
    size: int
    zipped: ZipSize


@dataclass
class ShrinkResult:
    """What `shrink` did.

    Attributes:
        seconds: without the verification.
        verification: how the result compares with the original, if that was asked for and possible.
        not_verified: why it was not possible.
        notes: remarks on what is asked of the graph.
    """

    recipe: str
    inputs: list[Endpoint]
    outputs: list[Endpoint]
    before: Totals
    after: Totals
    seconds: float
    steps: list[StepResult] = field(default_factory=list)
    verification: Verification | None = None
    not_verified: str = ""
    notes: list[str] = field(default_factory=list)


@reads_file
def shrink(
    source: Path,
    out: str | Path,
    recipe: str = "round",
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    values: Mapping[str, bool | float | str] | None = None,
    keep: Sequence[str] = (),
    keep_constants: bool = False,
    exact_zip: bool = False,
    proof: Proof | None = None,
    on_step: Callable[[StepResult], None] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> ShrinkResult:
    """Run a recipe on the frozen graph in `source` and write the result to `out`.

    Args:
        recipe: one of `RECIPES`: ``optimize``, ``round``, ``eight-bit``.
        inputs: tensors to be fed, each ``NAME[:PORT][:DTYPE][SHAPE]``: placeholders, or inner ones at which the
            graph is cut. Found from the graph when not given.
        outputs: tensor names; found from the graph when not given.
        values: placeholders that become constants, by name: ``{"keep_prob": 1.0, "phase_train": False}``.
        keep: names of nodes that stay as they are, though no output needs them.
        keep_constants: the same for all constants that nothing reads, as programs fetch some by name.
        exact_zip: deflate the files whole, however large, to tell their zipped size.
        proof: how to verify the result; not at all when not given.

    Raises:
        CheckError: the result does not meet what `proof` demands; nothing is written.
        UsageError: no such recipe, or the inputs or outputs cannot be found.
        PbslimError: the file is not a frozen graph, or cannot be transformed or written.
    """
    steps: Sequence[Step] = pipeline.plan(transforms_of(recipe)).steps
    out = Path(out).expanduser()
    require_apart(out, source)
    started = time.perf_counter()
    with _loaded(source, values, proof, on_step) as (graph, original, results):
        wanted = prepare(graph, inputs, outputs, keep=keep, keep_constants=keep_constants)
        ends = wanted.inputs, wanted.outputs
        before = _count(graph)
        steps = [wanted.step(step) for step in steps]
        results += pipeline.run(graph, steps, *ends, kept=wanted.kept, functions=True, on_step=on_step)
        files = _Files(original, out, ends[0], results[-1].inputs, ends[1])
        seconds = time.perf_counter() - started
        verification = _proved_before(proof, files, graph, recipe) if proof and proof.is_demanding else None
        started = time.perf_counter()
        size = save(graph, out, progress=on_bytes)
        seconds += time.perf_counter() - started
        totals = (
            Totals(*before, source.stat().st_size, zipped_size(source, exact=exact_zip)),
            Totals(*_count(graph), size, zipped_size(out, exact=exact_zip)),
        )
        # What is left is asked, as it is quicker to tell and says the same.
        shown = describe(graph, files.new_inputs), describe(graph, files.outputs)
        result = ShrinkResult(recipe, *shown, *totals, seconds, results, verification, notes=wanted.notes)
        if proof and not verification:
            try:
                result.verification = proof.verify(*files)
            except PbslimError as error:
                result.not_verified = str(error)
    return result


@contextmanager
def _loaded(
    source: Path,
    values: Mapping[str, bool | float | str] | None,
    proof: Proof | None,
    on_step: Callable[[StepResult], None] | None,
) -> Iterator[tuple[Graph, Path, list[StepResult]]]:
    """The graph with placeholders set to `values`, a file of it to verify with, and what was done."""
    graph = load(source)
    if not values:
        yield graph, source, []
        return
    step = set_placeholders(name=tuple(values), value=tuple(map(str, values.values())))
    results = pipeline.run(graph, [step], on_step=on_step)
    with TemporaryDirectory() as folder:
        original = Path(folder) / "original.pb"
        if proof:
            save(graph, original)
        yield graph, original, results


class _Files(NamedTuple):
    """The files and the names in them; `new_inputs` is what inputs are called in the result."""

    source: Path
    out: Path
    inputs: list[str]
    new_inputs: Sequence[str]
    outputs: list[str]


def _proved_before(proof: Proof, files: _Files, graph: Graph, recipe: str) -> Verification:
    """The verification of a result that is written only if it is good enough."""
    with TemporaryDirectory() as folder:
        trial = files._replace(out=Path(folder) / "result.pb")
        save(graph, trial.out)
        found = proof.verify(*trial)
    require_met(found, recipe)
    return found


def _count(graph: Graph) -> tuple[int, int]:
    return len(graph), sum(node.op == "Const" for node in graph)
