"""Rounded sites in the ops of a graph, in a form that those who read the file understand."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.weight_sites import find_sites
from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounded
from pbslim.dtypes import FLOAT, HALF, INT8, STRING, UINT8, Shape
from pbslim.errors import UsageError
from pbslim.ir import ArrayTensor, AttrValue, Graph
from pbslim.ir.order import drop_lost_colocations
from pbslim.ir.tensors import Array
from pbslim.passes.bodies import in_bodies
from pbslim.passes.registry import Context
from pbslim.quant.half import LARGEST, in_halves
from pbslim.quant.packing import levels_for
from pbslim.quant.palettes import palettized
from pbslim.transforms import obfuscate_names
from pbslim.transforms.attributes.remove_default_attributes import drop_defaults
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_channels, write_half, write_packed
from pbslim.transforms.compressed.groups import write_groups
from pbslim.transforms.compressed.stored import Stored

_STORED = frozenset({INT8, UINT8, HALF, STRING})
_LEAST_STAYING = 1024  # elements; less is not worth an op
_LEAST_PACKED = 1024  # elements: the ops that unpack them take about 500 bytes
_LEAST_HALF = 64  # elements of a vector that has a Cast of its own, which takes as many bytes as about 40 save

CODED, CODES, PACKED, FLOAT_FORM = "coded", "codes", "packed", "float"

TARGETS = {
    "tf2": CODED,
    "tf2.1": CODED,
    "tf1.15": CODED,
    "tflite": CODED,
    "tf1.4": CODES,
    "android-tf1": CODES,
    "openvino": CODES,
    "opencv": FLOAT_FORM,
}
"""Who reads the file → the form of weights that it understands.

``coded`` needs DecodeCompressed (TensorFlow 1.6, not in mobile builds); ``codes`` needs Cast and Mul alone, and
``packed``, which takes its place where the size of the file itself counts, GatherV2 as well; ``float`` leaves plain
constants, which only a zip makes small.
"""

GOALS = {
    "raw": "the file itself",
    "zip": "the file in a zip, as in an APK",
    "ram": "what weights take in memory while the graph runs",
}
"""Name → what is to be small."""


def forms_of(target: str, goal: str) -> list[str]:
    """The forms of weights that suit a reader and a goal; where there are several, the smallest result is best.

    Raises:
        UsageError: it is none of `TARGETS`, or `GOALS`.
    """
    if target not in TARGETS:
        raise UsageError(f"unknown target '{target}' (known: {', '.join(TARGETS)})")
    if goal not in GOALS:
        raise UsageError(f"unknown goal '{goal}' (known: {', '.join(GOALS)})")
    best = TARGETS[target]
    if best == FLOAT_FORM:
        return [FLOAT_FORM]
    if goal == "ram":
        return [PACKED]
    if goal == "zip":
        return list(dict.fromkeys([best, CODES]))
    return [CODED if best == CODED else PACKED]


def is_stepwise(form: str) -> bool:
    """Whether codes take fixed parts of bytes in that form, so that a few steps more or less may cost nothing."""
    return form == PACKED


def write(graph: Graph, model: Model, rounded: Mapping[str, Rounded], form: str, *, stays: bool = False) -> None:
    """Store the sites of a copy of the model's graph as rounded, and vectors, repaired biases too, as float16 or finer.

    Args:
        stays: decode weights anew in each run, so that they are small in memory as well.
        form: ``coded``, ``codes``, ``packed`` or ``float``.
    """
    repaired = model.biases(rounded)
    vectors = {name: repaired.get(name, vector) for name, vector in model.vectors.items()}
    vectors = {name: vector for name, vector in vectors.items() if np.abs(vector).max() < LARGEST}
    plain = {name: bias for name, bias in repaired.items() if name not in vectors}
    if form == FLOAT_FORM:
        plain |= model.content(rounded)
        vectors = {}
    for name, values in plain.items():
        graph[name].set_attr("value", ArrayTensor(values.astype(np.float32), FLOAT))
    before = {node.name for node in graph}
    stored = [
        Stored.of(site, each.codes, each.steps, each.palette, each.order)
        for site in model.sites
        if (each := rounded.get(site.name)) and not each.stays
    ]
    if model.unseen and form != FLOAT_FORM:
        stored += _few_valued(graph, model.unseen, in_bytes=form != CODED)
        vectors = {name: vector for name, vector in vectors.items() if name not in {each.name for each in stored}}
    if form == CODED:
        write_groups(graph, stored, vectors)
        drop_lost_colocations(graph, before)  # with vectors, which are read where they are decoded
        drop_defaults(graph)  # those who read this form know them; OpenCV does not
        in_bodies(graph, Context(), _shorten)
    elif form != FLOAT_FORM:
        _write_alone(graph, stored, vectors, packed=form == PACKED)
    if stays:
        _keep_decoding(graph, before)


def _shorten(body: Graph, context: Context) -> None:
    """Leave out what takes room in a function and means nothing outside of it."""
    drop_defaults(body)
    obfuscate_names.function(body, context)


def _few_valued(graph: Graph, names: Collection[str], *, in_bytes: bool) -> list[Stored]:
    """Those of some weights that have few values, exactly."""
    sites = [site for site in find_sites(graph) if site.name in names]
    found = {site: palettized(site.matrix(const_value(graph[site.name]).numpy()), in_bytes=in_bytes) for site in sites}
    return [Stored.of(site, each.codes, each.steps, each.palette) for site, each in found.items() if each]


def _keep_decoding(graph: Graph, before: Collection[str]) -> None:
    """Let what is stored pass through an op that could be fed, so that TensorFlow does not compute it beforehand."""
    for node in list(graph):
        if node.op != "Const" or node.name in before:
            continue
        tensor = node.tensor()
        if tensor.dtype in _STORED and (tensor.dtype is STRING or tensor.size >= _LEAST_STAYING):
            value = node.output()
            uses = list(value.uses)
            attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "shape": Shape(tensor.shape)}
            passed = graph.add(f"{node.name}/stays", "PlaceholderWithDefault", [value], attrs)
            for use in uses:
                use.node.set_input(use.slot, passed.output())


def _write_alone(graph: Graph, stored: list[Stored], vectors: Mapping[str, Array], *, packed: bool) -> None:
    decoders = Decoders(graph)
    for each in (each.as_half() if each.codes.dtype == np.int16 else each for each in stored):
        levels = levels_for(each.largest) if packed else None
        if each.is_half:
            write_half(decoders, graph[each.name], each)
        elif levels is not None and each.codes.size >= _LEAST_PACKED:
            write_packed(decoders, graph[each.name], each, levels)
        else:
            write_channels(decoders, graph[each.name], each)
    for name, vector in vectors.items():
        if vector.size >= _LEAST_HALF and not in_halves(vector)[1].any():
            write_half(decoders, graph[name], Stored(name, vector.astype(np.float16)))
        else:
            graph[name].set_attr("value", ArrayTensor(vector.astype(np.float32), FLOAT))
    decoders.place()
