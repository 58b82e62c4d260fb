"""Variables that a graph writes to checkpoints and reads from them, as ``tf.train.Saver`` builds that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.analysis.constants import constant
from pbslim.dtypes import FLOAT, STRING
from pbslim.ir import Graph, Node, StringTensor
from pbslim.rewrite import Skip


def save_too(graph: Graph, save: Node, variables: Sequence[Node]) -> None:
    """Let `save` (SaveV2) and the ``restore_all`` beside it take float `variables` along, each under its own name.

    Raises:
        Skip: the graph does not restore what it saves, or it is not known what that is.
    """
    prefix, _, _ = save.name.rpartition("/")
    restore = graph.get(f"{prefix}/restore_all")
    if restore is None:
        raise Skip(f"there is no '{prefix}/restore_all' to read a checkpoint of '{save.name}'")
    dtypes = save.attr("dtypes", tuple)
    names, slices = map(constant, save.inputs[1:3])
    consts = [value.node for value in save.inputs[1:3]]
    if not (isinstance(names, StringTensor) and isinstance(slices, StringTensor) and isinstance(dtypes, tuple)):
        raise Skip(f"it is not constant what '{save.name}' saves")
    if any(node.op != "Const" or len(node.readers) > 1 for node in consts):
        raise Skip(f"'{consts[0].name}' or '{consts[1].name}' is read by others than '{save.name}'")
    added = [variable.name.encode() for variable in variables]
    for node, tensor, more in zip(consts, (names, slices), (added, [b""] * len(added)), strict=True):
        node.set_attr("value", _strings([*tensor.numpy(), *more]))
    save.set_attr("dtypes", (*dtypes, *[FLOAT] * len(added)))
    save.set_inputs([*save.inputs, *(variable.output() for variable in variables)])
    assigned = [_restore(graph, save, f"{prefix}/", 2 * i, variable) for i, variable in enumerate(variables)]
    restore.set_controls([*restore.controls, *assigned])


def _restore(graph: Graph, save: Node, prefix: str, number: int, variable: Node) -> Node:
    name = graph.unique_name(f"{prefix}RestoreV2/_{number}_qt")
    operands = [
        graph.add(graph.unique_name(f"{name}/{what}"), "Const", attrs={"dtype": STRING, "value": _strings([text])})
        for what, text in (("tensor_names", variable.name.encode()), ("shape_and_slices", b""))
    ]
    inputs = [save.inputs[0], *(operand.output() for operand in operands)]
    read = graph.add(name, "RestoreV2", inputs, {"dtypes": (FLOAT,)})
    name = graph.unique_name(f"{prefix}Assign/_{number + 1}_qt")
    return graph.add(name, "Assign", [variable.output(), read.output()], {"T": FLOAT})


def _strings(values: list[bytes]) -> StringTensor:
    return StringTensor(tuple(values), np.shape(values))
