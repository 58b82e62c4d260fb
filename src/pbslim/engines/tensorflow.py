"""Run a graph with an installed TensorFlow (1.x or 2.x)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.errors import PbslimError, UsageError

Feeds = Mapping[str, npt.NDArray[Any]]
Runner = Callable[[Feeds, Sequence[str]], list[npt.NDArray[Any]]]

_NO_FOLDING = -1  # OptimizerOptions.L0


def _module() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same kernels on every processor, and no word about them
    try:
        import tensorflow
    except ImportError:
        raise UsageError("TensorFlow is not installed; run: pip install 'pbslim[tensorflow]'") from None
    return tensorflow


def warm_up() -> None:
    """Let TensorFlow take the memory that it takes for any graph.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    tf = _module()
    with tf.Graph().as_default(), tf.compat.v1.Session() as live:
        live.run(tf.constant([1.0]) + 1)


def tensor_name(name: str) -> str:
    """`name` with its port, as TensorFlow wants it."""
    return name if ":" in name else f"{name}:0"


def run(path: Path, feeds: Feeds, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
    """The values of `outputs` for `feeds`, in a session with the graph optimizers off.

    Raises:
        UsageError: TensorFlow is not installed.
        PbslimError: TensorFlow cannot load or run the graph.
    """
    with session(path) as runner:
        return runner(feeds, outputs)


@contextmanager
def session(path: Path, *, folding: bool = True) -> Iterator[Runner]:
    """A function that runs the graph in `path`, in a session with the graph optimizers off.

    Args:
        folding: without it TensorFlow computes no constants beforehand, which would load those that are mapped.

    Raises:
        UsageError: TensorFlow is not installed.
        PbslimError: TensorFlow cannot load or run the graph.
    """
    tf = _module()
    graph_def = tf.compat.v1.GraphDef()
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    if not folding:
        config.graph_options.optimizer_options.opt_level = _NO_FOLDING
    try:
        graph_def.ParseFromString(path.read_bytes())
        with tf.Graph().as_default() as graph:
            tf.compat.v1.import_graph_def(graph_def, name="")
            del graph_def
            with tf.compat.v1.Session(graph=graph, config=config) as live:
                live.run([op for op in graph.get_operations() if op.type.startswith("InitializeTable")])

                def runner(feeds: Feeds, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
                    fed = {tensor_name(name): value for name, value in feeds.items()}
                    return [np.asarray(result) for result in live.run([tensor_name(o) for o in outputs], fed)]

                yield runner
    except Exception as error:  # noqa: BLE001 - TensorFlow raises many classes of its own
        reason = str(error).strip().partition("\n")[0]
        raise PbslimError(f"TensorFlow cannot run '{path}': {reason}") from None
