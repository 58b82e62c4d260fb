"""A recipe on a frozen graph, from file to file, with what it brought."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pbslim.transforms  # noqa: F401 - registers them
from pbslim.analysis.endpoints import Endpoint, describe, find_names, require_frozen
from pbslim.analysis.inputs import Input
from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.ops.families import PLACEHOLDERS
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Step
from pbslim.shrinking.proof import Proof, require_met
from pbslim.shrinking.recipes import transforms_of
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


@reads_file
def shrink(
    source: Path,
    out: str | Path,
    recipe: str = "round",
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
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
    graph = load(source)
    fed = [_read_input(graph, text) for text in inputs or ()]
    names = find_names(graph, [each.tensor for each in fed], outputs)
    require_frozen(graph, names[1], names[0])
    nodes, constants = _count(graph)
    said = [each for each in fed if each.says or graph[each.node].op not in PLACEHOLDERS]
    steps = [_with_inputs(step, said) for step in steps]
    results = pipeline.run(graph, steps, *names, functions=True, on_step=on_step)
    files = _Files(source, out, names[0], results[-1].inputs, names[1])
    seconds = time.perf_counter() - started
    verification = _proved_before(proof, files, graph, recipe) if proof and proof.is_demanding else None
    started = time.perf_counter()
    size = save(graph, out, progress=on_bytes)
    seconds += time.perf_counter() - started
    before = Totals(nodes, constants, source.stat().st_size, zipped_size(source, exact=exact_zip))
    after = Totals(*_count(graph), size, zipped_size(out, exact=exact_zip))
    # What is left is asked, as it is quicker to tell and says the same.
    ends = describe(graph, files.new_inputs), describe(graph, names[1])
    result = ShrinkResult(recipe, *ends, before, after, seconds, results, verification)
    if proof and not verification:
        try:
            result.verification = proof.verify(*files)
        except PbslimError as error:
            result.not_verified = str(error)
    return result


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


def _read_input(graph: Graph, text: str) -> Input:
    name, _, port = text.partition(":")
    plain = name in graph and (not port or port.isdecimal())  # whatever the name looks like
    return Input.named(text) if plain else Input.parse(text)


def _with_inputs(step: Step, inputs: Sequence[Input]) -> Step:
    """The step that cuts the graph learns what is said of the inputs."""
    if step.transform.name != "strip_unused_nodes" or not inputs:
        return step
    return replace(step, arguments={**step.arguments, "input": tuple(map(str, inputs))})


def _count(graph: Graph) -> tuple[int, int]:
    return len(graph), sum(node.op == "Const" for node in graph)
