"""Rounded sites in the ops of a graph, in a form that those who read the file understand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pbslim.compression.model import Model
from pbslim.compression.rounding import Rounded
from pbslim.dtypes import FLOAT
from pbslim.errors import UsageError
from pbslim.ir import ArrayTensor, Graph
from pbslim.ir.tensors import Array
from pbslim.transforms.attributes.remove_default_attributes import drop_defaults
from pbslim.transforms.compressed.decoders import Decoders
from pbslim.transforms.compressed.forms import write_channels, write_half
from pbslim.transforms.compressed.groups import write_groups
from pbslim.transforms.compressed.stored import Stored

_LEAST_HALF = 64  # elements of a vector that has a Cast of its own, which takes as many bytes as about 40 save

TARGETS = {
    "tf2": "coded",
    "tf2.1": "coded",
    "tf1.15": "coded",
    "tflite": "coded",
    "tf1.4": "int8",
    "android-tf1": "int8",
    "openvino": "int8",
    "opencv": "float",
}
"""Who reads the file → the form that it understands.

``coded`` needs DecodeCompressed (TensorFlow 1.6, not in mobile builds); ``int8`` needs Cast and Mul alone; ``float``
leaves plain constants, which only a zip makes small.
"""


def form_of(target: str) -> str:
    """The form of weights for a reader.

    Raises:
        UsageError: it is none of `TARGETS`.
    """
    if target not in TARGETS:
        raise UsageError(f"unknown target '{target}' (known: {', '.join(TARGETS)})")
    return TARGETS[target]


def write(graph: Graph, model: Model, rounded: Mapping[str, Rounded], form: str) -> None:
    """Store the sites of a copy of the model's graph as rounded, vectors as float16, and biases repaired.

    Args:
        form: a value of `TARGETS`.
    """
    repaired = model.biases(rounded)
    vectors = {
        name: repaired[name].astype(np.float16) if name in repaired else vector
        for name, vector in model.vectors.items()
    }
    plain = {name: bias for name, bias in repaired.items() if name not in vectors}
    if form == "float":
        plain |= model.content(rounded)
        vectors = {}
    for name, values in plain.items():
        graph[name].set_attr("value", ArrayTensor(values.astype(np.float32), FLOAT))
    stored = [_stored(model, name, rounded[name]) for name in model.names if name in rounded]
    if form == "coded":
        write_groups(graph, stored, vectors)
        drop_defaults(graph)  # those who read this form know them; OpenCV does not
    elif form == "int8":
        _write_alone(graph, stored, vectors)


def _write_alone(graph: Graph, stored: list[Stored], vectors: Mapping[str, Array]) -> None:
    decoders = Decoders(graph)
    for each in (each.as_half() if each.codes.dtype == np.int16 else each for each in stored):
        writer = write_half if each.steps is None else write_channels
        writer(decoders, graph[each.name], each)
    for name, vector in vectors.items():
        if vector.size >= _LEAST_HALF:
            write_half(decoders, graph[name], Stored(name, vector))
        else:
            graph[name].set_attr("value", ArrayTensor(vector.astype(np.float32), FLOAT))
    decoders.place()


def _stored(model: Model, name: str, rounded: Rounded) -> Stored:
    site = model.site(name)
    codes = np.ascontiguousarray(site.from_matrix(rounded.codes))
    return Stored(name, codes, None if rounded.steps is None else rounded.steps.reshape(site.step_shape))
