"""The public functions; `pbslim` re-exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import pbslim.transforms  # noqa: F401 - registers them
from pbslim.ir import Graph
from pbslim.legacy.convert_graphdef_memmapped_format import convert_graphdef_memmapped_format
from pbslim.legacy.optimize_for_inference import optimize_for_inference
from pbslim.legacy.quantize_graph import quantize_graph
from pbslim.legacy.strip_unused import strip_unused
from pbslim.legacy.transform_graph import TransformGraph
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.shrinking.recipes import RECIPES
from pbslim.shrinking.shrink import ShrinkResult, Totals, shrink
from pbslim.verification import Comparison, compare_files
from pbslim.wire import load, save
from pbslim.wire.unmap import unmap

__all__ = [
    "RECIPES",
    "Graph",
    "ShrinkResult",
    "Totals",
    "TransformGraph",
    "convert_graphdef_memmapped_format",
    "load",
    "optimize_for_inference",
    "quantize_graph",
    "save",
    "shrink",
    "strip_unused",
    "transform",
    "unmap",
    "verify",
]


def transform(
    graph: Graph, transforms: str, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
) -> list[StepResult]:
    """Apply `transforms` (the language of ``transform_graph --transforms``) to `graph`, in place.

    Args:
        inputs, outputs: tensor names, ``node`` or ``node:port``.

    Raises:
        TransformSyntaxError: `transforms` cannot be read.
        PbslimError: a transform failed, or the graph is broken.
    """
    return pipeline.run(graph, pipeline.plan(transforms).steps, inputs, outputs)


def verify(
    first: str | Path,
    second: str | Path,
    feeds: Mapping[str, np.ndarray] | None = None,
    *,
    outputs: Sequence[str] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> list[Comparison]:
    """Run both graphs with TensorFlow on the same inputs and compare every output.

    Args:
        feeds: tensor name → array; generated from the placeholders when not given.
        outputs: tensor names; those that the second graph has and nothing reads, when not given.
        rtol, atol: an output agrees when ``|a - b| <= atol + rtol * max|a|`` everywhere.

    Raises:
        UsageError: TensorFlow is not installed, or a name is not in the graphs.
        PbslimError: a graph cannot be read or does not run.
    """
    return compare_files(Path(first), Path(second), feeds, outputs=outputs, rtol=rtol, atol=atol).comparisons
