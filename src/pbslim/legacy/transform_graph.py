"""`TransformGraph` as ``tensorflow.tools.graph_transforms`` had it, so that old scripts change one import.

>>> from pbslim import TransformGraph
>>> optimized = TransformGraph(graph_def, ["x"], ["y"], ["strip_unused_nodes", "fold_constants"])
"""

from __future__ import annotations

from os import PathLike
from typing import Any, TypeVar, overload

from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.wire.files import load
from pbslim.wire.given import Names, names, same_kind, texts

Given = TypeVar("Given")


@overload
def TransformGraph(input_graph_def: str | PathLike[str], inputs: Names, outputs: Names, transforms: Names) -> Graph: ...


@overload
def TransformGraph(input_graph_def: Given, inputs: Names, outputs: Names, transforms: Names) -> Given: ...


def TransformGraph(input_graph_def: Any, inputs: Names, outputs: Names, transforms: Names) -> Any:  # noqa: N802 - the reference's name
    """Apply `transforms` to a graph and give the result; what was given stays as it is.

    Args:
        input_graph_def: TensorFlow's ``GraphDef`` message, the bytes of one, a `pbslim.Graph`, or the path of a file.
        inputs, outputs: tensor names, ``node`` or ``node:port``: a list of text or bytes, or one text with commas.
        transforms: the ``--transforms`` language, in one text or in several that are joined by blanks. None at all
            leaves the graph as it is.

    Returns:
        The same kind as was given: a message of the same class, bytes, or a `pbslim.Graph`. For a path it is a
        `pbslim.Graph` too, which `pbslim.save` writes; so the weights of a large file are never held in memory.

    Raises:
        UsageError: a name is empty, or `input_graph_def` is none of these.
        TransformSyntaxError: `transforms` cannot be read.
        PbslimError: the graph cannot be read, a transform failed, or the result is too large for a message.
    """
    ends = names(inputs, "inputs"), names(outputs, "outputs")
    steps = pipeline.plan(" ".join(texts(transforms, "transforms"))).steps
    graph = load(input_graph_def)
    if graph is input_graph_def:
        graph = graph.copy()
    pipeline.run(graph, steps, *ends)
    return same_kind(graph, input_graph_def)
