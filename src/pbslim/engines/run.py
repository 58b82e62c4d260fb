"""Run a graph once: from a file or in memory, with arrays or a file of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from pbslim.analysis.endpoints import find_names, require, require_frozen
from pbslim.engines import Engine, Program, choose
from pbslim.engines.apart import ProgramApart
from pbslim.engines.files import read_arrays
from pbslim.engines.protocol import Array
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.wire import load, save
from pbslim.wire.models import is_model
from pbslim.wire.paths import expanded


def run(
    graph: Graph | str | Path,
    feeds: Mapping[str, Array] | str | Path,
    outputs: Sequence[str] | None = None,
    *,
    engine: str = "auto",
) -> dict[str, Array]:
    """The outputs of a graph for these inputs, by name.

    >>> pbslim.run("model.pb", {"input": images})["probabilities"]

    Args:
        graph: a graph, or the file or model that it is in.
        feeds: tensor name → array, an .npz file of them, or an .npy file for the one input. Any tensor can be fed.
        outputs: tensor names, ``node`` or ``node:port``, inner tensors too; those that nothing reads when not given.
        engine: ``auto``, ``builtin`` (needs nothing else), ``tensorflow`` or ``opencv``.

    Raises:
        UsageError: a name is not in the graph, an input is not fed or does not fit, or no engine can run the graph.
        PbslimError: the graph cannot be read, or it fails.
    """
    loaded = graph if isinstance(graph, Graph) else load(graph)
    if not isinstance(graph, Graph) and is_model(expanded(graph)):
        graph = loaded
    fed = dict(feeds) if isinstance(feeds, Mapping) else read_arrays(Path(feeds))
    if "" in fed:
        fed[_only_input(loaded, outputs)] = fed.pop("")
    for name in fed:
        require(loaded, name)
    names = list(dict.fromkeys(outputs)) if outputs else find_names(loaded)[1]
    for name in names:
        require(loaded, name)
    require_frozen(loaded, [name for name in names if name not in fed])
    chosen = choose(engine, loaded, names, list(fed))
    with ExitStack() as stack:
        program = stack.enter_context(chosen.load(loaded) if chosen.name == "builtin" else _apart(chosen, graph, stack))
        return dict(zip(names, program.run(fed, names), strict=True))


def _apart(chosen: Engine, graph: Graph | str | Path, stack: ExitStack) -> Program:
    """A program in a process of its own, where it may crash."""
    label = "the graph" if isinstance(graph, Graph) else str(graph)
    if isinstance(graph, Graph):
        path = Path(stack.enter_context(TemporaryDirectory())) / "graph.pb"
        save(graph, path)
    else:
        path = expanded(graph)
    return ProgramApart(chosen.name, path, label=label, timeout=math.inf, name=f"the {chosen.name} engine")


def _only_input(graph: Graph, outputs: Sequence[str] | None) -> str:
    inputs = find_names(graph, None, outputs)[0]
    if len(inputs) != 1:
        raise UsageError(f"an .npy file is for one input, the graph has {len(inputs)}: {', '.join(inputs)}")
    return inputs[0]
