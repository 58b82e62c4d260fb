"""What a user means by a model: a SavedModel folder, a checkpoint with its ``.meta``, or a graph with a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbslim.errors import DecodeError, UsageError
from pbslim.ir import Graph
from pbslim.names import nearest, shortened
from pbslim.wire.checkpoint_files import STATE, find_checkpoint
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.files import load_from
from pbslim.wire.meta_graphs import MetaGraph, SignatureSpec, read_meta_graph, read_saved_model
from pbslim.wire.models import is_saved_model, model_of, prefix_of
from pbslim.wire.sources import open_source

_SERVING = "serving_default"
_NOT_REAL = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_SHOWN = 5


@dataclass
class Model:
    """A model before it is frozen.

    Attributes:
        path: what messages call it.
        meta: what the file holds besides the graph; None for a graph alone.
        checkpoint: where the values of variables are, if that is known.
        assets: the folder of the files that the graph reads, if there can be one.
    """

    path: Path
    graph: Graph
    meta: MetaGraph | None = None
    checkpoint: Path | None = None
    assets: Path | None = None

    def values(self) -> Checkpoint:
        """The values of the variables.

        Raises:
            UsageError: their place is not given.
            DecodeError: they are not there, or damaged.
        """
        if self.checkpoint is None:
            raise UsageError(
                f"'{self.path}' has variables, whose values are in a checkpoint: name it with --checkpoint"
            )
        return Checkpoint(self.checkpoint)


def open_model(path: Path, tags: Collection[str] | None = None, checkpoint: Path | None = None) -> Model:
    """The model at `path`.

    Args:
        tags: of the graph to take, where a SavedModel has several.
        checkpoint: where the values of variables are, if not where they belong.

    Raises:
        UsageError: no graph has these tags, or the model holds none.
        DecodeError: what is there is damaged.
    """
    folder = model_of(path)
    if is_saved_model(folder):
        meta = _tagged(read_saved_model(folder), tags, folder)
        values = checkpoint or folder / "variables" / "variables"
        return Model(path, meta.graph(), meta, values, folder / "assets")
    if tags:
        raise UsageError(f"'{path}' is not a SavedModel, so there are no tags to choose by")
    if path.is_dir():
        return _latest(path, checkpoint)
    prefix = prefix_of(path)
    described = Path(f"{prefix}.meta")
    if described.is_file():
        meta = read_meta_graph(described)
        return Model(path, meta.graph(), meta, checkpoint or prefix)
    if path.is_file() and path == prefix:
        return Model(path, load_from(open_source(path), path), checkpoint=checkpoint)
    if path == prefix and not Path(f"{prefix}.index").is_file():
        raise DecodeError(f"cannot read '{path}': No such file or directory")
    raise _without_graph(find_checkpoint(path).prefix)


def _without_graph(prefix: Path) -> UsageError:
    """What to do about a checkpoint with no graph beside it."""
    folder, around = prefix.parent, prefix.parent.parent
    if folder.name == prefix.name == "variables" and is_saved_model(around):
        return UsageError(f"'{folder}' has the variables of a SavedModel; give the folder of the model, '{around}'")
    if folder.name == prefix.name == "variables":
        return UsageError(f"'{folder}' has the variables of a SavedModel; saved_model.pb is missing from '{around}'")
    if _OBJECTS in Checkpoint(prefix):
        return UsageError(
            f"the checkpoint '{prefix}' holds variables of Python objects and no graph: build the model in Python, "
            f"tf.train.Checkpoint(model=model).restore('{prefix}'), model.export('exported'), and give 'exported'"
        )
    return UsageError(
        f"the checkpoint '{prefix}' holds variables, and there is no graph beside it ('{prefix}.meta'); "
        f"give the graph and --checkpoint {prefix}"
    )


def _latest(folder: Path, checkpoint: Path | None) -> Model:
    """The checkpoint in a folder that its state file names as the latest."""
    versions = sorted(each.name for each in folder.iterdir() if is_saved_model(each))
    if versions:
        raise UsageError(f"'{folder}' holds SavedModels, give one of them: {shortened(versions)}")
    if not any((folder / name).is_file() for name in (STATE, "variables.index", "variables/variables.index")):
        raise DecodeError(
            f"'{folder}' is a directory, not a GraphDef file: there is no saved_model.pb and no checkpoint in it"
        )
    prefix = find_checkpoint(folder).prefix
    described = Path(f"{prefix}.meta")
    if not described.is_file():
        raise _without_graph(prefix)
    meta = read_meta_graph(described)
    return Model(folder, meta.graph(), meta, checkpoint or prefix)


def _tagged(graphs: Sequence[MetaGraph], tags: Collection[str] | None, folder: Path) -> MetaGraph:
    """The graph whose tags are just these; if none are given the only one, or the one for serving."""
    found = [each for each in graphs if each.tags == frozenset(tags or ())] if tags is not None else list(graphs)
    if tags is None and len(found) > 1:
        found = [each for each in found if each.tags == {"serve"}]
    if len(found) == 1:
        return found[0]
    sets = ", ".join("{" + ",".join(sorted(each.tags)) + "}" for each in graphs[:_SHOWN])
    wanted = "these tags" if found else "one graph with the tags {" + ",".join(sorted(tags or ())) + "}"
    raise UsageError(
        f"'{folder}' holds several graphs, choose one with 'pbslim freeze --tag': {sets}"
        if tags is None
        else f"'{folder}' has not {wanted}, but {sets}"
    )


def choose_signature(meta: MetaGraph, name: str | None) -> tuple[str, SignatureSpec] | None:
    """The signature called `name`; if None the one for serving, or the only one, or None where there is none.

    Raises:
        UsageError: there is no such signature, or it is not clear which is meant.
    """
    known = {key: spec for key, spec in meta.signatures.items() if key not in _NOT_REAL}
    if name is None:
        if _SERVING in known:
            return _SERVING, known[_SERVING]
        if len(known) > 1:
            raise UsageError(f"choose a signature with 'pbslim freeze --signature': {shortened(sorted(known))}")
        return next(iter(known.items()), None)
    if name in known:
        return name, known[name]
    close = nearest(name, known)
    hint = f", did you mean '{close}'?" if close else f"; there are: {shortened(sorted(known)) or 'none'}"
    raise UsageError(f"there is no signature '{name}'{hint}")
