"""A recipe on a frozen graph, from file to file, with what it brought."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from pbslim.analysis.endpoints import Endpoint, describe
from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.compression.plan import Plan
from pbslim.compression.promises import Promise
from pbslim.cores import on_cores
from pbslim.engines import engine
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph, Signature
from pbslim.ir.facts import with_ops
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Step
from pbslim.shrinking.attempts import Attempt, Compressed
from pbslim.shrinking.automatic import compress
from pbslim.shrinking.levels import fitting, is_leveled, store
from pbslim.shrinking.measuring import measure
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.preparation import Wanted, prepare
from pbslim.shrinking.proof import Files, Proof, require_met
from pbslim.shrinking.readers import fit
from pbslim.shrinking.recipes import transforms_of
from pbslim.shrinking.stand_ins import notes_of
from pbslim.transforms import decode_weights, set_placeholders
from pbslim.verification import Verification
from pbslim.verification.benchmark import Measurement
from pbslim.verification.given import require_telling
from pbslim.verification.running import spare_processes
from pbslim.wire import save
from pbslim.wire.files import GraphLike, size_of, write
from pbslim.wire.given import opened
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
        recipe: its name; None where weights were stored in as few bits as keep a promise.
        seconds: without the verification that is told.
        verification: how the result compares with the original, if that was asked for and possible.
        not_verified: why it was not possible.
        plan: how each weight is stored, where there is no recipe.
        notes: remarks for the user.
        promise: what the result was held to, where there is no recipe.
        attempts: the results that were tried on the way to this one.
        interrupted: whether the search was stopped before its end.
        signature: what the model calls inputs and outputs, where a SavedModel was given.
        measurements: what the original and the result take to load and run, where `CompressionOptions.prefer` is given.
    """

    recipe: str | None
    inputs: list[Endpoint]
    outputs: list[Endpoint]
    before: Totals
    after: Totals
    seconds: float
    steps: list[StepResult] = field(default_factory=list)
    verification: Verification | None = None
    not_verified: str = ""
    plan: Plan | None = None
    notes: list[str] = field(default_factory=list)
    promise: Promise | None = None
    attempts: list[Attempt] = field(default_factory=list)
    interrupted: bool = False
    signature: Signature | None = None
    measurements: list[Measurement] = field(default_factory=list)


SIMPLE = "optimize"
"""The recipe that runs before weights are stored in fewer bits."""


def shrink(
    source: GraphLike,
    out: str | Path,
    recipe: str | None = None,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    values: Mapping[str, bool | float | str] | None = None,
    keep: Sequence[str] = (),
    keep_constants: bool = False,
    exact_zip: bool = False,
    options: CompressionOptions | None = None,
    proof: Proof | None = None,
    on_step: Callable[[StepResult], None] | None = None,
    on_bytes: Callable[[int], None] | None = None,
    look: Callable[[Files], None] | None = None,
) -> ShrinkResult:
    """Make the frozen graph in `source` small and write the result to `out`.

    Args:
        recipe: one of `RECIPES`; when not given, weights are stored in as few bits as keep a promise.
        inputs: tensors to be fed, each ``NAME[:PORT][:DTYPE][SHAPE]``, at inner ones the graph is cut.
        outputs: tensor names; like the inputs they are found from the graph when not given.
        values: placeholders that become constants, by name: ``{"keep_prob": 1.0, "phase_train": False}``.
        keep: names of nodes that stay as they are, though no output needs them; with a ``*``, weights that it fits.
        keep_constants: the same for all constants that nothing reads, as programs fetch some by name.
        exact_zip: deflate the files whole, however large, to measure their zipped size.
        options: what to promise, and for whom, when there is no recipe.
        proof: how to verify the result; not at all when not given.
        look: is shown the original and the result before it takes its place, so that it can compare them; the size
            after each step is measured for it.

    Raises:
        CheckError: the result does not meet what `proof` demands, or no weights keep the promise; nothing is written.
        UsageError: no such recipe, the engine is not installed, or the inputs or outputs cannot be found.
        PbslimError: the file is not a frozen graph, or cannot be transformed or written.
    """
    if isinstance(source, str | PathLike):
        require_apart(out, Path(source))
    if options and (problem := engine(options.engine).missing()):
        raise UsageError(problem)
    started = time.perf_counter()
    named = [name for name in keep if "*" not in name]
    wanted = partial(prepare, inputs=inputs, outputs=outputs, keep=named, keep_constants=keep_constants)
    with ExitStack() as stack:
        loaded = stack.enter_context(opened(source))
        graph, given = loaded.graph, loaded.source
        if proof and proof.evaluation:
            require_telling(proof.evaluation, graph, varied=recipe is None)
        asked, recipe = recipe, (fitting(recipe, graph) if recipe else None)
        on_step = _measuring(graph, on_step) if look else on_step
        simple = _simplified(graph, recipe, values or {}, wanted, on_step)
        path = stack.enter_context(_named(given, simple.original))
        files = simple.files._replace(source=path)
        options = replace(options or CompressionOptions(), keep=(*(options.keep if options else ()), *keep))
        if proof:
            proof = replace(proof, spare=stack.enter_context(spare_processes(proof.engine, path)))
        unread = fit(simple.graph, options.target)
        done = _stored(simple, files, recipe, options, proof)
        if recipe != asked:
            done.notes.append(f"weights have few values already, which the recipe {recipe} keeps")
        done.notes[:0] = [*simple.notes, *unread]
        seconds = time.perf_counter() - started - (done.verification.seconds if done.verification else 0.0)
        with replacing(out, given) as file:  # what can go wrong does so before the file is there
            started = time.perf_counter()
            size = write(done.graph, file, progress=on_bytes)
            file.flush()
            seconds += time.perf_counter() - started
            if proof and not done.verification and not done.not_verified:
                _verify(proof, done, files._replace(out=Path(file.name)), recipe)
            measured = measure(files.source, Path(file.name)) if options.prefer or options.goal == "ram" else []
            if look:
                look(files._replace(out=Path(file.name)))
            before = Totals(*simple.counts, len(given), zipped_size(given, exact=exact_zip))
            after = Totals(*_count(done.graph), size, zipped_size(Path(file.name), exact=exact_zip))
            promise = options.promise if recipe is None and options.promises else None
            return _result(recipe, simple, done, (before, after), seconds, promise, measured)


def _stored(
    simple: _Simple, files: Files, recipe: str | None, options: CompressionOptions, proof: Proof | None
) -> Compressed:
    """A simplified graph with its weights as a recipe wants them, or in as few bits as keep the promise."""
    if recipe and not simple.last:
        return Compressed(simple.graph)
    from threadpoolctl import threadpool_limits

    # Several samples, or parts of one, take all cores; threads that wait for many small products would be in their way.
    with threadpool_limits(1, "blas"), on_cores(os.cpu_count() or 1):
        if recipe and simple.last:
            return store(simple.graph, files, recipe, simple.last, options)
        return compress(simple.graph, files, options, proof)


def _result(
    recipe: str | None,
    simple: _Simple,
    done: Compressed,
    totals: tuple[Totals, Totals],
    seconds: float,
    promise: Promise | None,
    measured: list[Measurement],
) -> ShrinkResult:
    """What is known of a graph that was written."""
    # Looked up in the result: it is smaller and says the same.
    fed, found = (describe(done.graph, names) for names in (simple.files.new_inputs, simple.files.outputs))
    return ShrinkResult(
        recipe,
        fed,
        found,
        *totals,
        seconds,
        simple.steps,
        verification=done.verification,
        not_verified=done.not_verified,
        plan=done.plan,
        notes=done.notes,
        promise=promise,
        attempts=done.attempts,
        interrupted=done.interrupted,
        signature=done.graph.signature,
        measurements=measured,
    )


def _measuring(graph: Graph, on_step: Callable[[StepResult], None] | None) -> Callable[[StepResult], None]:
    """A listener that adds to each step the size that the graph has after it."""

    def measure(result: StepResult) -> None:
        result.size = size_of(graph)
        if on_step:
            on_step(result)

    return measure


@dataclass(frozen=True)
class _Simple:
    """A graph that the transforms of a recipe have run on.

    Attributes:
        last: the step that is still to be done, with a look at inputs if there are any.
        original: what its results are compared with, where that is not what was given.
        counts: how many nodes and constants it had before.
    """

    graph: Graph
    last: Step | None
    original: Graph | None
    files: Files
    counts: tuple[int, int]
    steps: list[StepResult]
    notes: list[str]


def _simplified(
    graph: Graph,
    recipe: str | None,
    values: Mapping[str, bool | float | str],
    wanted: Callable[[Graph], Wanted],
    on_step: Callable[[StepResult], None] | None,
) -> _Simple:
    steps: Sequence[Step] = pipeline.plan(transforms_of(recipe or SIMPLE)).steps
    counts, done, original = _count(graph), [], None
    if values:
        setting = set_placeholders(name=tuple(values), value=tuple(map(str, values.values())))
        done, original = pipeline.run(graph, [setting], on_step=on_step), graph.copy()
    asked = wanted(graph)
    ends = asked.inputs, asked.outputs
    steps = [asked.step(step) for step in steps]
    if recipe is None:  # what is stored in few bits is stored anew
        steps.insert([step.transform.name for step in steps].index("fold_constants"), decode_weights())
    last = steps.pop() if is_leveled(recipe) else None
    results = pipeline.run(graph, steps, *ends, kept=asked.kept, functions=True, on_step=on_step)
    files = Files(Path(), Path(), ends[0], results[-1].inputs, ends[1])
    return _Simple(graph, last, original, files, counts, done + results, asked.notes)


@contextmanager
def _named(given: Source, original: Graph | None) -> Iterator[Path]:
    """A file that holds `original`, or else what was given, which may have come from a pipe."""
    if original is None and isinstance(given, InputFile) and given.has_name:
        yield given.path
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "given.pb"
        if original is None:
            path.write_bytes(given[:])
        else:
            save(original, path)
        yield path


def _verify(proof: Proof, done: Compressed, files: Files, recipe: str | None) -> None:
    """Compare what was made with what was given."""
    try:
        done.verification = proof.verify(files._replace(inner=done.inner))
        done.notes += notes_of(done.inner)
    except PbslimError as error:
        if proof.is_demanding:
            raise
        done.not_verified = str(error)
    if proof.is_demanding and done.verification:
        require_met(done.verification, recipe)


def _count(graph: Graph) -> tuple[int, int]:
    return len(graph), len(with_ops(graph, ("Const",)))
