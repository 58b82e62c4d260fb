"""A graph that runs here, and what to run it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pbslim.compression import samples
from pbslim.compression.effort import EFFORTS, Effort
from pbslim.compression.model import Model
from pbslim.compression.samples import SampleSets
from pbslim.engines import Engine, engine
from pbslim.engines.allowance import AllowedProgram
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Files


def model_of(graph: Graph, files: Files, options: CompressionOptions, keep: Sequence[str]) -> Model:
    """A simplified graph with the weights that can be stored in fewer bits.

    Args:
        keep: names of weights to leave alone.

    Raises:
        UsageError: it cannot be run.
    """
    chosen = _engine(graph, files.outputs, options.engine)
    program = chosen.load(graph)
    if chosen.name == "builtin" and not options.calibrate:  # nobody has asked to run it
        program = AllowedProgram(program, files.source.stat().st_size)
    asked = [rule.pattern for rule in options.schemes if rule.scheme != "auto"]
    return Model.of(graph, program, files.new_inputs, files.outputs, keep, asked, chosen.name)


def _engine(graph: Graph, outputs: Sequence[str], name: str) -> Engine:
    """The engine of that name, which can run the graph.

    Raises:
        UsageError: it cannot; where TensorFlow may, the message says so.
    """
    found, other = engine(name), engine("tensorflow")
    if problem := found.missing():
        raise UsageError(problem)
    if blocked := found.unsupported(graph, outputs):
        way_out = "" if other.unsupported(graph, outputs) else "; --engine tensorflow can"
        raise UsageError(f"the {found.name} engine cannot run {blocked[0]}{way_out}")
    return found


def samples_of(
    graph: Graph, inputs: Sequence[str], calibrate: Path | None, effort: Effort = EFFORTS["normal"]
) -> SampleSets:
    """The inputs that are given, or generated ones.

    Raises:
        UsageError: there are none.
    """
    return samples.given(calibrate, graph, inputs, effort) if calibrate else samples.generated(graph, inputs, effort)
