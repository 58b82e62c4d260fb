"""The public functions that no room holds; every other public name can be had from here as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pbslim import lazy
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult, Transforms
from pbslim.verification import Verification, compare_files
from pbslim.verification.compare import Metric
from pbslim.verification.feeds import DEFAULT_SAMPLES
from pbslim.verification.running import DEFAULT_TIMEOUT
from pbslim.wire.files import GraphLike
from pbslim.wire.given import Names, changes_graph, names
from pbslim.wire.paths import expanded


def __getattr__(name: str) -> Any:
    return lazy.load("pbslim", name)


@changes_graph
def transform(
    graph: Graph,
    transforms: Transforms,
    inputs: Names = (),
    outputs: Names = (),
    *,
    functions: bool = False,
) -> list[StepResult]:
    """Apply `transforms` to `graph`, in place; a message, bytes or a path stays, and the changed graph is given back.

    Args:
        transforms: steps from `pbslim.transforms`, as ``[fold_constants(), round_weights(num_steps=64)]``, or text in
            the language of ``transform_graph --transforms``.
        inputs, outputs: tensor names, ``node`` or ``node:port``: a list, or one text with commas.
        functions: transform the bodies of the function library too, by every step for which that makes sense.

    Raises:
        TransformSyntaxError: text in `transforms` cannot be read.
        UsageError: something in `transforms` is neither text nor a step.
        PbslimError: a transform failed, or the graph is broken.
    """
    steps = pipeline.plan(transforms).steps
    return pipeline.run(graph, steps, names(inputs, "inputs"), names(outputs, "outputs"), functions=functions)


def verify(
    first: GraphLike,
    second: GraphLike,
    feeds: Mapping[str, np.ndarray] | str | Path | None = None,
    *,
    evaluation: str | Path | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    image_range: tuple[float, float] | None = None,
    engine: str = "auto",
    min_snr: float | None = None,
    min_agreement: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    metric: Metric | None = None,
    max_drop: float | None = None,
    max_growth: float | None = None,
    per_layer: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
) -> Verification:
    """Run both graphs on the same inputs and compare every output.

    The result has a verdict and iterates over the comparisons, one for each output. It agrees when all that is asked
    for is met, and with nothing asked for, when the graphs compute the same but for float rounding.

    Args:
        feeds: tensor name → array, or a file of arrays (.npz, .npy), or a folder of images; photographs and other
            values that fit are generated when not given.
        evaluation: an .npz file of inputs and an array ``labels``; the result then has the accuracy of both graphs.
        inputs: placeholders to generate values for.
        outputs: tensor names; those that the second graph has and nothing reads, when not given.
        samples, seed: how many inputs to generate, and from which seed.
        image_range: the smallest and largest pixel value that the graphs take; found from the graph when not given.
        engine: ``auto``, ``builtin``, ``tensorflow`` or ``opencv``.
        min_snr: signal to noise in dB that every output must have.
        min_agreement: share of equal decisions that every output must have.
        rtol, atol: ``|a - b| <= atol + rtol * max|a|`` must hold everywhere; where one is given, the other is 1e-4 for
            `rtol` and 1e-5 for `atol`.
        metric: your own measure, called with the outputs of a graph by name over all samples; more is better.
        max_drop: how much smaller the accuracy or the metric may become.
        max_growth: how much larger the second file may be, as a share of the first.
        per_layer: find the layers in which the difference arises.
        timeout: seconds that one run of a graph may take.

    Raises:
        UsageError: a name is not in the graphs, or no engine that is installed can run them.
        PbslimError: a graph cannot be read or does not run.
    """
    return compare_files(
        first,
        second,
        expanded(feeds) if isinstance(feeds, (str, Path)) else feeds,
        evaluation=expanded(evaluation) if evaluation else None,
        inputs=inputs,
        outputs=outputs,
        samples=samples,
        seed=seed,
        image_range=image_range,
        engine=engine,
        min_snr=min_snr,
        min_agreement=min_agreement,
        rtol=rtol,
        atol=atol,
        metric=metric,
        max_drop=max_drop,
        max_growth=max_growth,
        per_layer=per_layer,
        timeout=timeout,
    )
