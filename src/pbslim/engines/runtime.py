"""The part of an installed TensorFlow that runs graphs.

``import tensorflow`` loads all of its Python, which takes three times as long as what a session needs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from pbslim.cores import OWN_THREADS
from pbslim.errors import UsageError

MISSING = "TensorFlow is not installed; run: pip install 'pbslim[tensorflow]'"

_NAME = "tensorflow"


@dataclass(frozen=True)
class Runtime:
    """The classes and the function that load and run a graph, as in ``tf.compat.v1``."""

    graph_def: Any
    config: Any
    graph: Any
    session: Any
    import_graph_def: Any


@lru_cache(maxsize=1)
def runtime() -> Runtime:
    """What runs graphs; it is imported by the first call.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same kernels on every processor, and no word about them
    if _has_other_threads():
        return _public()  # one of them may import it meanwhile, and must get all
    try:
        with _without_its_init():
            return _inner()
    except (ImportError, AttributeError):  # a release in which they are elsewhere
        return _public()


def _has_other_threads() -> bool:
    others = (thread for thread in threading.enumerate() if thread is not threading.current_thread())
    return not all(thread.name.startswith(OWN_THREADS) for thread in others)


@contextmanager
def _without_its_init() -> Iterator[None]:
    """Let modules in TensorFlow be imported without all that it imports itself; who imports it later gets all."""
    spec = None if _NAME in sys.modules else find_spec(_NAME)
    if spec is None or spec.submodule_search_locations is None:
        yield
        return
    package = ModuleType(_NAME)
    package.__path__, package.__spec__ = list(spec.submodule_search_locations), spec
    sys.modules[_NAME] = package
    try:
        yield
    finally:
        del sys.modules[_NAME]


def _inner() -> Runtime:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.config_pb2 import ConfigProto
    from tensorflow.python.client.session import Session
    from tensorflow.python.framework.importer import import_graph_def
    from tensorflow.python.framework.ops import Graph

    return Runtime(GraphDef, ConfigProto, Graph, Session, import_graph_def)


def _public() -> Runtime:
    try:
        import tensorflow
    except ImportError:
        raise UsageError(MISSING) from None
    found = tensorflow.compat.v1
    return Runtime(found.GraphDef, found.ConfigProto, found.Graph, found.Session, found.import_graph_def)
