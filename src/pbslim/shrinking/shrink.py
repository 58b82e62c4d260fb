"""A recipe on a frozen graph, from file to file, with what it brought."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pbslim.transforms  # noqa: F401 - registers them
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
from pbslim.verification import Verification
from pbslim.wire import load_from, open_source
from pbslim.wire.files import write
from pbslim.wire.given import reads_file
from pbslim.wire.outputs import replacing, require_apart
from pbslim.wire.sources import InputFile, Source


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
    require_apart(out, source)
    started = time.perf_counter()
    given = open_source(source)
    graph = load_from(given, source)
    wanted = prepare(graph, inputs, outputs, keep=keep, keep_constants=keep_constants)
    nodes, constants = _count(graph)
    ends = wanted.inputs, wanted.outputs
    steps = [wanted.step(step) for step in steps]
    results = pipeline.run(graph, steps, *ends, kept=wanted.kept, functions=True, on_step=on_step)
    seconds = time.perf_counter() - started
    with replacing(out, given) as file:  # what can go wrong does so before the file is there
        started = time.perf_counter()
        size = write(graph, file, progress=on_bytes)
        file.flush()
        seconds += time.perf_counter() - started
        before = Totals(nodes, constants, len(given), zipped_size(given, exact=exact_zip))
        after = Totals(*_count(graph), size, zipped_size(Path(file.name), exact=exact_zip))
        # What is left is asked, as it is quicker to tell and says the same.
        shown = describe(graph, results[-1].inputs), describe(graph, ends[1])
        result = ShrinkResult(recipe, *shown, before, after, seconds, results, notes=wanted.notes)
        if proof:
            _verify(proof, result, given, Path(file.name), ends[0], results[-1].inputs, ends[1])
    return result


def _verify(
    proof: Proof,
    result: ShrinkResult,
    given: Source,
    made: Path,
    inputs: Sequence[str],
    new_inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Compare what was made with what was given, which may have come from a pipe."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "given.pb"
        if isinstance(given, InputFile) and given.has_name:
            source = given.path
        else:
            source.write_bytes(given[:])
        try:
            result.verification = proof.verify(source, made, inputs, new_inputs, outputs)
        except PbslimError as error:
            if proof.is_demanding:
                raise
            result.not_verified = str(error)
    if proof.is_demanding and result.verification:
        require_met(result.verification, result.recipe)


def _count(graph: Graph) -> tuple[int, int]:
    return len(graph), sum(node.op == "Const" for node in graph)
