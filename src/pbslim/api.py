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
from pbslim.passes.pipeline import StepResult, Transforms
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
    graph: Graph,
    transforms: Transforms,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    *,
    functions: bool = False,
) -> list[StepResult]:
    """Apply `transforms` to `graph`, in place.

    Args:
        transforms: steps from `pbslim.transforms`, as ``[fold_constants(), round_weights(num_steps=64)]``, or text in
            the language of ``transform_graph --transforms``.
        inputs, outputs: tensor names, ``node`` or ``node:port``.
        functions: transform the bodies of the function library too, by every step for which that makes sense.

    Raises:
        TransformSyntaxError: text in `transforms` cannot be read.
        UsageError: something in `transforms` is neither text nor a step.
        PbslimError: a transform failed, or the graph is broken.
    """
    return pipeline.run(graph, pipeline.plan(transforms).steps, inputs, outputs, functions=functions)


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
