"""Weights in levels per channel, as two recipes want them: errors made up for as far as inputs show how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pbslim.analysis.constants import constant
from pbslim.analysis.weight_sites import find_sites
from pbslim.compression.compressor import written
from pbslim.compression.effort import effort_of
from pbslim.compression.rounding import Rounded, SiteRounder
from pbslim.compression.writing import CODES, FLOAT_FORM
from pbslim.dtypes import FLOAT
from pbslim.errors import PbslimError
from pbslim.ir import Graph, Node, Tensor
from pbslim.passes import pipeline
from pbslim.passes.registry import Step
from pbslim.shrinking.attempts import Compressed
from pbslim.shrinking.inputs import model_of, samples_of
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Files
from pbslim.shrinking.stand_ins import stand_ins
from pbslim.transforms.quantization.weights import is_coarse

_LARGE = 1024  # elements
_SMALL = 0.01  # of all weights: float16 costs little there, and codes cost most of what the results lose


class _Way(NamedTuple):
    """How a recipe stores weights, and the steps per root mean square of a channel."""

    form: str
    coarseness: float


_WAYS = {"eight-bit": _Way(CODES, 0.06), "round": _Way(FLOAT_FORM, 0.04)}


def fitting(recipe: str, graph: Graph) -> str:
    """The recipe itself; or its legacy where most weights have few values already, which steps per channel would spoil.

    Folding batch norms into them alone makes many values of few.
    """
    if recipe not in _WAYS:
        return recipe
    large = [tensor for node in graph if (tensor := _large(node)) is not None]
    coarse = sum(tensor.size for tensor in large if is_coarse(tensor))
    return f"{recipe}-legacy" if 2 * coarse > sum(tensor.size for tensor in large) else recipe


def _large(node: Node) -> Tensor | None:
    tensor = constant(node.output()) if node.op == "Const" else None
    fits = tensor is not None and tensor.dtype is FLOAT and len(tensor.shape) > 1 and tensor.size >= _LARGE
    return tensor if fits else None


def is_leveled(recipe: str | None) -> bool:
    """Whether the last step of a recipe gives weights levels per channel."""
    return recipe in _WAYS


def store(graph: Graph, files: Files, recipe: str, last: Step, options: CompressionOptions) -> Compressed:
    """Store the weights of a simplified graph as a recipe wants them.

    Args:
        last: the step that does the same without inputs.
    """
    if not (options.calibrate or find_sites(graph)):  # nothing whose errors could be made up for
        return _plain(graph, files, last)
    inner: Sequence[str] = ()
    try:
        model = model_of(graph, files, options, options.keep)
        effort = effort_of(options.effort)
        samples = samples_of(graph, files.new_inputs, options.calibrate, effort)
        inner = stand_ins(model, files, samples.validation[0])
        moments = model.moments(samples.calibration, means_only=not effort.compensated) if samples.calibration else {}
    except PbslimError as error:
        if options.calibrate:
            raise
        moments, reason = {}, str(error)
    else:
        reason = "" if moments or not model.sites else "nothing is known about its inputs"
    if not moments:
        return _plain(graph, files, last, [f"errors are not made up for: {reason}"] if reason else [], inner)
    way = _WAYS[recipe]
    total = sum(site.size for site in model.sites)
    rounded = {each.site.name: _rounded(each, way, total) for each in model.rounders(moments)}
    return Compressed(written(model, rounded, way.form), inner=inner)


def _plain(graph: Graph, files: Files, last: Step, notes: Sequence[str] = (), inner: Sequence[str] = ()) -> Compressed:
    pipeline.run(graph, [last], files.new_inputs, files.outputs)
    return Compressed(graph, notes=[*notes], inner=inner)


def _rounded(rounder: SiteRounder, way: _Way, total: int) -> Rounded:
    if rounder.site.size < _SMALL * total and (half := rounder.halved()):
        return half
    return rounder.round_evenly(way.coarseness, powers_of_two=way.form == FLOAT_FORM)
