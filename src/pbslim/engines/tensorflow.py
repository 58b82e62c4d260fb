"""Run a graph with an installed TensorFlow (1.x or 2.x)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pbslim import ops
from pbslim.engines.lending import LendingProgram, needed_nodes, take_out
from pbslim.engines.protocol import Array, Engine, Feeds, Program, Unsupported
from pbslim.engines.runtime import MISSING, runtime
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.wire import load, to_bytes
from pbslim.wire.memmapped import lay_out
from pbslim.wire.packages import is_package
from pbslim.wire.sniff import is_graph_text
from pbslim.wire.sources import open_source

Runner = Callable[[Feeds, Sequence[str]], list[Array]]

_TITLE = "Graph execution error:"
_INITIALIZERS = ("InitializeTable", "LookupTableImport")
_HEAD = 4096  # bytes in which a text shows that it is one
_NO_FOLDING = -1  # OptimizerOptions.L0
_IN_CALLER = -1


def warm_up() -> None:
    """Let TensorFlow take the memory that it takes for any graph.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    graph_def = runtime().graph_def()
    graph_def.node.add(name="nothing", op="NoOp")
    with runtime().graph().as_default() as graph:
        runtime().import_graph_def(graph_def, name="")
    with runtime().session(graph=graph) as live:
        live.run("nothing")


def tensor_name(name: str) -> str:
    """`name` with its port, as TensorFlow wants it."""
    return name if ":" in name else f"{name}:0"


class TensorFlowProgram(Program):
    """A graph in a session with the graph optimizers off.

    Args:
        source: the graph, or a file in binary form.
        folding: without it TensorFlow computes no constants beforehand, which would load those that are mapped.
        single: each run takes place in the thread that asks for it, so that many can run at the same time, and round
            in the same way whatever the machine has.

    Raises:
        UsageError: TensorFlow is not installed.
        PbslimError: TensorFlow cannot load the graph.
    """

    def __init__(self, source: Graph | Path, *, folding: bool = True, single: bool = False) -> None:
        self._label = f"'{source}'" if isinstance(source, Path) else "the graph"
        self._stack = ExitStack()
        tf = runtime()
        graph_def, config = tf.graph_def(), tf.config(allow_soft_placement=True)
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        if single:
            config.intra_op_parallelism_threads = 1
            config.inter_op_parallelism_threads = _IN_CALLER
        if not folding:
            config.graph_options.optimizer_options.opt_level = _NO_FOLDING
        with self._told():
            graph_def.ParseFromString(to_bytes(source) if isinstance(source, Graph) else self._bytes_of(source))
            with tf.graph().as_default() as graph:
                tf.import_graph_def(graph_def, name="")
            # Not entered, which would make its graph the default of the caller for as long as the program is open.
            self._session = tf.session(graph=graph, config=config)
            self._stack.callback(self._session.close)
            self._session.run([op for op in graph.get_operations() if op.type.startswith(_INITIALIZERS)])

    def _bytes_of(self, path: Path) -> bytes:
        if is_package(open_source(path)):
            # TensorFlow's Python has no file system for packages, but any file can be a region.
            folder = self._stack.enter_context(TemporaryDirectory())
            path = lay_out(path, Path(folder))
        data = path.read_bytes()
        return to_bytes(load(path)) if is_graph_text(data[:_HEAD]) else data

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except PbslimError:
            self.close()
            raise
        except Exception as error:  # noqa: BLE001 - TensorFlow raises many classes of its own
            raise PbslimError(f"TensorFlow cannot run {self._label}: {_reason(str(error))}") from None

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`."""
        with self._told():
            fed = {tensor_name(name): value for name, value in feeds.items()}
            return [_as_array(result) for result in self._session.run([tensor_name(o) for o in fetches], fed)]

    def close(self) -> None:
        """End the session."""
        self._stack.close()


def _reason(message: str) -> str:
    """What went wrong, and at which node: the line before TensorFlow's first mark ``[[{{node x}}]]``."""
    before, mark, after = message.partition("[[")
    lines = [line.strip() for line in before.splitlines() if line.strip() and line.strip() != _TITLE]
    reason = re.sub(r"^\(\d+\) ", "", lines[-1 if mark else 0]) if lines else "it does not say why"
    node = re.match(r"(?:\{\{)?node ([^\s}\]]+)", after)
    return f"node '{node[1]}': {reason}" if node else reason


def _as_array(result: Any) -> Array:
    array = np.asarray(result, object) if isinstance(result, bytes) else np.asarray(result)
    return array.view(array.dtype[0]) if array.dtype.fields else array  # numpy type of a quantized tensor


def run(path: Path, feeds: Feeds, outputs: Sequence[str]) -> list[Array]:
    """The values of `outputs` for `feeds`.

    Raises:
        UsageError: TensorFlow is not installed.
        PbslimError: TensorFlow cannot load or run the graph.
    """
    with session(path) as runner:
        return runner(feeds, outputs)


@contextmanager
def session(path: Path, *, folding: bool = True) -> Iterator[Runner]:
    """A function that runs the graph in `path`; see `TensorFlowProgram`."""
    with TensorFlowProgram(path, folding=folding) as program:
        yield program.run


class TensorFlow(Engine):
    """TensorFlow itself."""

    name = "tensorflow"

    def missing(self) -> str:
        """Why TensorFlow cannot be used; it is looked for, not loaded."""
        return "" if find_spec("tensorflow") else MISSING

    def unsupported(self, graph: Graph, fetches: Sequence[str], fed: Collection[str] = ()) -> list[Unsupported]:
        """The nodes of which no TensorFlow knows the op."""
        needed = needed_nodes(graph, fetches, fed)
        return [
            Unsupported(node.name, node.op, "no release of TensorFlow has this op")
            for node in graph
            if node in needed and ops.find(node.op) is None and node.op not in graph.library.functions
        ]

    def load(self, source: Graph | Path) -> Program:
        """A session that threads share; a graph may then be run with any number of sets of feeds and fetches."""
        if isinstance(source, Path):
            return TensorFlowProgram(source, single=True)
        graph = source.copy()
        constants = take_out(graph)
        return LendingProgram(TensorFlowProgram(graph, single=True), graph, constants)


ENGINE = TensorFlow()
