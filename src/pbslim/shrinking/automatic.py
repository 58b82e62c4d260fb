"""The smallest weights that keep a promise, proven on the file that holds them."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from pbslim.compression.compressor import Compressor, Way, replayed, written
from pbslim.compression.effort import CHEAPER, effort_of
from pbslim.compression.estimate import VERIFYING, Forecast, Pace, estimate
from pbslim.compression.evaluation import has_huge_constant
from pbslim.compression.model import Model
from pbslim.compression.plan import Plan, fingerprint
from pbslim.compression.samples import SampleSets
from pbslim.compression.schemes import Rule, require_used
from pbslim.compression.writing import forms_of
from pbslim.dtypes import FLOAT
from pbslim.errors import CheckError, PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.shrinking.attempts import Attempts, Compressed, verified
from pbslim.shrinking.inputs import model_of, samples_of
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Files, Proof
from pbslim.shrinking.stand_ins import stand_ins
from pbslim.transforms import palettize_weights, quantize_weights_per_channel

_SEARCHED_IF_NARROW, _PROVEN_IF_NARROW = 3, 2
"""Times as many inputs where an output is a few numbers: those of one input say little."""


def compress(graph: Graph, files: Files, options: CompressionOptions, proof: Proof | None) -> Compressed:
    """Compress a simplified graph.

    Without a way to run it, or inputs to run it with, weights become eight-bit codes with one step per channel, which
    is the safest choice unseen.

    Args:
        files: the original, and the names of what goes in and out.
        proof: how to compare a result with the original; without it the search alone decides.

    Raises:
        CheckError: no weights in fewer bits keep the promise, or there was no time to find them.
    """
    started = time.perf_counter()
    forms = forms_of(options.target, options.goal)
    _require_weights(graph, options)
    try:
        if options.plan:
            return _replayed(graph, options.plan, files, options, proof)
        model = model_of(graph, files, options, _kept(options))
        held = _held(model, options, proof)
        asked = options.effort
        options, samples, forecast, needed = _affordable(model, files, options, held, started)
        files = files._replace(inner=stand_ins(model, files, samples.validation[0]))
        if not model.sites:
            return Compressed(graph, notes=["no weights of 256 or more elements that could be stored in fewer bits"])
        way = Way(forms[0], effort_of(options.effort), options.schemes)
        compressor = Compressor.of(model, samples, way, forecast.tell, options.executor)
    except CheckError:
        raise
    except PbslimError as error:
        if options.calibrate or options.plan or (proof and proof.is_demanding):
            raise
        steps = [palettize_weights(keep=_kept(options)), quantize_weights_per_channel(keep=_kept(options))]
        pipeline.run(graph, steps, files.new_inputs, files.outputs)
        return Compressed(graph, not_verified=str(error))
    deadline = math.inf if options.time_limit is None else started + options.time_limit
    proving = forecast.seconds[VERIFYING]
    attempts = Attempts(compressor, forms, files, options, held, forecast.tell, deadline, proving)
    if has_huge_constant(graph):
        attempts.looser = 0  # each takes minutes
    try:
        return attempts.best()
    except CheckError as error:
        is_hurried = options.effort != asked or time.perf_counter() >= deadline - proving
        if options.time_limit is None or options.target_size is not None or not is_hurried:
            raise
        raise _too_hurried(options, asked, needed) from error


def _too_hurried(options: CompressionOptions, asked: str, needed: float) -> CheckError:
    """What is told where more time might have helped."""
    takes = f" (effort {asked} takes about {math.ceil(needed)} s)" if needed > (options.time_limit or 0) else ""
    return CheckError(
        "the time was up before weights in fewer bits were found that keep the promise of "
        f"{options.promise.snr:g} dB; give a longer --time-limit{takes}"
    )


def _held(model: Model, options: CompressionOptions, proof: Proof | None) -> Proof | None:
    """How a result is proven: by what is promised, where no more is asked for."""
    if proof is None:
        return None
    held = proof.demanding(options.promise) if options.promises else replace(proof, patient=True)
    return replace(held, samples=_PROVEN_IF_NARROW * held.samples) if model.judge.is_narrow else held


def _affordable(
    model: Model, files: Files, options: CompressionOptions, proof: Proof | None, started: float
) -> tuple[CompressionOptions, SampleSets, Forecast, float]:
    """Options of which the effort fits into the time that is allowed, the inputs for it, and what to expect.

    At last the seconds that the effort takes which was asked for.
    """
    pace, needed = None, {}
    for name in dict.fromkeys([options.effort, *CHEAPER]):
        effort = effort_of(name)
        if model.judge.is_narrow:
            effort = replace(effort, validation=_SEARCHED_IF_NARROW * effort.validation)
        samples = samples_of(model.graph, files.new_inputs, options.calibrate, effort)
        pace = pace or Pace.of(model, samples)
        seconds = estimate(model, pace, effort, proof.samples if proof else 0)
        needed[name] = sum(seconds.values())
        left = None if options.time_limit is None else options.time_limit - (time.perf_counter() - started)
        if left is None or needed[name] <= left:
            break
    if name != options.effort:
        options.say(
            f"a search with effort {options.effort} would take about {needed[options.effort]:.0f} s, too long; "
            f"effort {name} takes about {needed[name]:.0f} s: fewer inputs are tried and weights rounded plainly"
        )
    return replace(options, effort=name), samples, Forecast(seconds, options.tell), needed[options.effort]


def _kept(options: CompressionOptions) -> tuple[str, ...]:
    """Names of weights that stay as they are."""
    return (*options.keep, *(rule.pattern for rule in options.schemes if rule.scheme == "float32"))


def _require_weights(graph: Graph, options: CompressionOptions) -> None:
    """Make sure that what is said of weights is about some."""
    names = [node.name for node in graph if node.op == "Const" and node.dtype_attr("dtype") is FLOAT]
    patterns = [Rule(pattern, "float32") for pattern in options.keep if "*" in pattern]
    require_used([*patterns, *options.schemes], names)


def _replayed(graph: Graph, plan: Plan, files: Files, options: CompressionOptions, proof: Proof | None) -> Compressed:
    if plan.model != fingerprint(files.source):
        raise UsageError(f"the plan is for another file than '{files.source}' (SHA-256 {plan.model[:12]}…)")
    rules = tuple(map(Rule.parse, plan.rules))
    calibrate = Path(plan.calibrate) if plan.calibrate else None
    asked = replace(options, keep=plan.keep, schemes=rules, calibrate=calibrate, engine=plan.engine)
    model = model_of(graph, files, asked, _kept(asked))
    missing = [name for name in plan.coarseness if name not in model.names]
    if missing:
        raise UsageError(f"the plan names '{missing[0]}', which is not a weight of '{files.source}'")
    if plan.exact_vectors:
        model.keep_vectors()
    effort = effort_of(plan.effort)
    samples = samples_of(graph, files.new_inputs, calibrate, effort)
    files = files._replace(inner=stand_ins(model, files, samples.validation[0]))
    rounded = replayed(model, samples, Way(plan.form, effort, rules), plan.coarseness, trellis=plan.trellis)
    result = written(model, rounded, plan.form, stays=plan.stays)
    proof = replace(proof, engine=plan.engine) if proof else None
    return Compressed(result, plan, verified(result, files, proof, 0, samples) if proof else None)
