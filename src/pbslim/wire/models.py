"""Models that are no frozen graph yet: they are known by their names here, and frozen by the room that can."""

from __future__ import annotations

import re
from contextlib import suppress
from glob import escape
from importlib import import_module
from pathlib import Path

from pbslim.ir import Graph
from pbslim.wire.paths import descriptor

_FREEZER = "pbslim.freezing.freeze"  # by its name, for it stands above this room; imported when it is asked
_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
_BESIDE = (".meta", ".index")
_CHECKPOINT = re.compile(r"(?P<prefix>.+?)\.(?:index|meta|data-\d{5,}-of-\d{5,})", re.DOTALL)


def is_saved_model(folder: Path) -> bool:
    """Whether this is the folder of a SavedModel."""
    with suppress(OSError, ValueError):
        return any((folder / name).is_file() for name in _SAVED_MODELS)
    return False


def model_of(path: Path) -> Path:
    """The folder of a SavedModel, where `path` is the file of its graph, and else `path` itself."""
    return path.parent if path.name in _SAVED_MODELS else path


def is_model(path: Path) -> bool:
    """Whether `path` names a folder or a checkpoint with a graph beside it, not the file of a graph."""
    if descriptor(path, 0) is not None:
        return False
    with suppress(OSError, ValueError):  # a name that no file can have
        if path.is_dir() or path.name in _SAVED_MODELS or path.suffix in _BESIDE or ".data-" in path.name:
            return True
        return not path.exists() and Path(f"{path}.index").exists()
    return False


def prefix_of(path: Path) -> Path:
    """What the names of the files of a checkpoint begin with, where `path` is one of them, and else `path` itself."""
    found = _CHECKPOINT.fullmatch(path.name)
    return path.with_name(found["prefix"]) if found else path


def parts_of(path: Path) -> list[Path]:
    """What must stay as it is while `path` is an input: the folder of a SavedModel, the files of a checkpoint."""
    path = model_of(path)
    prefix = prefix_of(path)
    with suppress(OSError, ValueError):
        if path.is_dir() and not is_saved_model(path):
            return [each for each in path.iterdir() if prefix_of(each) != each]
        if prefix != path or not path.exists():
            beside = prefix.parent.glob(f"{escape(prefix.name)}.*")
            return [path, *(each for each in beside if prefix_of(each) == prefix)]
    return [path]


def freeze_model(path: Path) -> Graph:
    """The frozen graph of the model at `path`, with what its signature says.

    Raises:
        PbslimError: it cannot be frozen; the message says why.
    """
    graph: Graph = import_module(_FREEZER).freeze(path).graph
    return graph
