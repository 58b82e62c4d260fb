"""TensorFlow's freeze_graph: make constants of the variables in a graph, by the command line of that tool."""

from __future__ import annotations

from os import PathLike

from pbslim.errors import UsageError
from pbslim.freezing.freeze import Frozen, freeze
from pbslim.wire.given import Names, names
from pbslim.wire.paths import expanded

Path = str | PathLike[str]


def freeze_graph(
    output_node_names: Names,
    *,
    input_graph: Path | None = None,
    input_checkpoint: Path | None = None,
    input_meta_graph: Path | None = None,
    input_saved_model_dir: Path | None = None,
    saved_model_tags: Names = "serve",
    clear_devices: bool = True,
    variable_names_whitelist: Names = (),
    variable_names_blacklist: Names = (),
) -> Frozen:
    """The graph of a SavedModel, a MetaGraphDef or a GraphDef, in this order of preference, with its variables frozen.

    Args:
        output_node_names: the nodes of which the results are wanted.
        input_checkpoint: where the values of the variables are; needed but for a SavedModel.
        saved_model_tags: those of the graph to take.
        variable_names_whitelist: the variables to freeze, all if not given.
        variable_names_blacklist: variables to leave.

    Raises:
        UsageError: a flag is missing, or there is no variable to freeze.
        PbslimError: an input cannot be read or frozen.
    """
    outputs = names(output_node_names, "outputs")
    if not outputs:
        raise UsageError("You need to supply the name of a node to --output_node_names.")
    model = input_saved_model_dir or input_meta_graph or input_graph
    if not model:
        raise UsageError("name the graph with --input_graph, --input_meta_graph or --input_saved_model_dir")
    for what, path in (("meta graph", input_meta_graph), ("graph", input_graph)):
        if path and not input_saved_model_dir and not expanded(path).exists():
            raise UsageError(f"Input {what} file '{path}' does not exist!")
    if not input_saved_model_dir and not input_checkpoint:
        raise UsageError("name the checkpoint with --input_checkpoint")
    found = freeze(
        model,
        tags=saved_model_tags if input_saved_model_dir else None,
        outputs=outputs,
        checkpoint=None if input_saved_model_dir else input_checkpoint,
        names="graph",
        keep_devices=not clear_devices,
        only=variable_names_whitelist or None,
        without=variable_names_blacklist,
    )
    if not found.variables:
        raise UsageError(
            "No variables were found in this model. It is likely the model was frozen previously. "
            "You cannot freeze a graph twice."
        )
    return found
