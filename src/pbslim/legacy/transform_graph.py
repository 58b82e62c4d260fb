"""`TransformGraph` as ``tensorflow.tools.graph_transforms`` had it, so that old scripts change one import.

>>> from pbslim import TransformGraph
>>> optimized = TransformGraph(graph_def, ["x"], ["y"], ["strip_unused_nodes", "fold_constants"])
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, overload

import pbslim.transforms  # noqa: F401 - registers them
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.wire import load, to_bytes
from pbslim.wire.files import from_message, into_message

Names = str | bytes | Iterable[str | bytes]
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
    names = _names(inputs, "inputs"), _names(outputs, "outputs")
    steps = pipeline.plan(" ".join(_texts(transforms, "transforms"))).steps
    graph = _graph(input_graph_def)
    pipeline.run(graph, steps, *names)
    if isinstance(input_graph_def, bytes):
        return to_bytes(graph)
    if isinstance(input_graph_def, str | PathLike | Graph):
        return graph
    return into_message(graph, type(input_graph_def)())


def _graph(given: Any) -> Graph:
    if isinstance(given, Graph):
        return given.copy()
    if isinstance(given, bytes):
        return load(given)
    if isinstance(given, str | PathLike):
        return load(Path(given))
    try:
        return from_message(given)
    except TypeError:
        kind = type(given).__name__
        raise UsageError(f"a graph must be a GraphDef, bytes, a path or a pbslim.Graph, not {kind}") from None


def _texts(given: Names, what: str) -> list[str]:
    if not isinstance(given, Iterable):
        raise UsageError(f"{what} must be text or a list of texts, not {type(given).__name__}")
    texts = []
    for text in [given] if isinstance(given, str | bytes) else given:
        if not isinstance(text, str | bytes):
            raise UsageError(f"{what} must be text, not {type(text).__name__}")
        try:
            texts.append(text.decode() if isinstance(text, bytes) else text)
        except UnicodeDecodeError:
            raise UsageError(f"{what}: {text!r} is not UTF-8 text") from None
    return texts


def _names(given: Names, what: str) -> tuple[str, ...]:
    texts = [text for text in _texts(given, what) if text.strip() or not isinstance(given, str | bytes)]
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if "" in names:
        raise UsageError(f"there is an empty name among the {what}")
    return names
