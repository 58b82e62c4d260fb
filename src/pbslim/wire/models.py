"""Models that are no frozen graph yet: they are known by their names here, and frozen by the room that can."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pbslim.ir import Graph
from pbslim.wire.paths import descriptor

_FREEZER = "pbslim.freezing.freeze"  # by its name, for it stands above this room; imported when it is asked
_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
_BESIDE = (".meta", ".index")


def is_saved_model(folder: Path) -> bool:
    """Whether this is the folder of a SavedModel."""
    with suppress(OSError, ValueError):
        return any((folder / name).is_file() for name in _SAVED_MODELS)
    return False


def is_model(path: Path) -> bool:
    """Whether `path` names a folder or a checkpoint with a graph beside it, not the file of a graph."""
    if descriptor(path, 0) is not None:
        return False
    with suppress(OSError, ValueError):  # a name that no file can have
        if path.is_dir() or path.name in _SAVED_MODELS or path.suffix in _BESIDE or ".data-" in path.name:
            return True
        return not path.exists() and Path(f"{path}.index").exists()
    return False


def freeze_model(path: Path) -> Graph:
    """The frozen graph of the model at `path`, with what its signature says.

    Raises:
        PbslimError: it cannot be frozen; the message says why.
    """
    graph: Graph = import_module(_FREEZER).freeze(path).graph
    return graph
