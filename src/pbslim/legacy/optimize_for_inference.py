"""Take out of a graph what only training needs, and merge ops: ``optimize_for_inference``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pbslim.errors import TransformError
from pbslim.ir import Graph, Node
from pbslim.ir.extraction import extract_sub_graph
from pbslim.ir.order import check_inputs
from pbslim.legacy.strip_unused import TypeNumber, strip_unused
from pbslim.legacy.subgraphs import remove_training_nodes
from pbslim.ops.families import FEEDABLE
from pbslim.passes import pipeline
from pbslim.passes.pipeline import StepResult
from pbslim.passes.registry import Context, Step, Transform
from pbslim.rewrite import Skip
from pbslim.rewrite.pattern import match
from pbslim.rewrite.replacing import set_const
from pbslim.transforms.batch_norms.forms import BATCH_NORMS, BatchNorm, batch_norm, check_inference
from pbslim.transforms.batch_norms.old_batch_norms import DIRECT, Folder, Scale
from pbslim.transforms.convolutions.fused_convs import ConvFuser
from pbslim.transforms.nodes.set_placeholders import constant_for
from pbslim.wire.given import Names, changes_graph, names

_MAX_GROWTH = 4096


@changes_graph
def optimize_for_inference(
    input_graph_def: Graph,
    input_node_names: Names,
    output_node_names: Names,
    placeholder_type_enum: TypeNumber | Sequence[TypeNumber] | None = None,
    toco_compatible: bool = False,
    *,
    placeholder_to_const_names: Mapping[str, bool | float | str] | None = None,
    all_batch_norms: bool = False,
) -> list[StepResult]:
    """Make `graph` ready for inference, in place, and report what each step did.

    Unused nodes go, then CheckNumerics and Identity; FusedBatchNorm and BatchNormWithGlobalNormalization after a
    convolution are folded into its weights and a BiasAdd; ResizeBilinear and MirrorPad before a convolution become part
    of it. A ``GraphDef`` message, bytes or a path instead of a `Graph` stays as it is, and the changed graph is
    given back.

    Args:
        input_node_names, output_node_names: names of nodes; outputs keep their names.
        placeholder_type_enum: the number of the inputs' data type (1 is float), or one number an input. Each keeps its
            own if this is None.
        toco_compatible: leave resizing and padding apart: TensorFlow Lite has no such fused ops.
        placeholder_to_const_names: each placeholder with such a text in its name becomes this constant, which must
            fit its type; branches that are then never taken go, and so does dropout that drops nothing.
        all_batch_norms: fold constants, and all batch norms however they are written (FusedBatchNormV2 and V3, or
            written out with Mul, Add, Sub and Rsqrt), as ``fold_all_batch_norms`` does.

    Raises:
        UsageError: a name is not in the graph or names a tensor, or a type is not known.
        PbslimError: the graph is broken.
    """
    graph, input_names = input_graph_def, names(input_node_names, "inputs")
    outputs = sorted(names(output_node_names, "outputs"))
    check_inputs(graph)  # those of nodes that are stripped as well, as in the original
    results = [strip_unused(graph, input_names, outputs, placeholder_type_enum)]
    if placeholder_to_const_names:
        results += _set_placeholders(graph, placeholder_to_const_names, outputs)
    inputs = [name for name in input_names if (node := graph.get(name)) and node.op == "Placeholder"]
    steps = [_step("remove_training_nodes", _remove_training_nodes)]
    if all_batch_norms:
        from pbslim.transforms import fold_all_batch_norms, fold_constants  # needed by few, and large

        folding = fold_constants(max_growth_in_bytes=_MAX_GROWTH)
        steps += [folding.with_options(ignore_errors=True), fold_all_batch_norms()]
    else:
        steps.append(_step("fold_batch_norms", _fold_batch_norms))
    if not toco_compatible:
        steps.append(_step("fuse_resize_and_conv", _fuse_resize_and_conv))
    return results + pipeline.run(graph, steps, inputs, outputs)


def _step(name: str, function: Callable[[Graph, Context], None]) -> Step:
    return Transform(name, function, "reassociates")()


def _set_placeholders(
    graph: Graph, values: Mapping[str, bool | float | str], outputs: Sequence[str]
) -> list[StepResult]:
    from pbslim.transforms import prune_branches, remove_dropout  # needed by few, and large

    def fix(graph: Graph, context: Context) -> None:
        _fix_placeholders(graph, context, values)

    results = pipeline.run(graph, [_step("convert_placeholder_to_const", fix)], (), outputs)
    open_ones = [node.name for node in graph if node.op in FEEDABLE]  # defaults decide nothing: they can be fed
    steps = [step.with_options(ignore_errors=True) for step in (prune_branches(), remove_dropout())]
    steps.append(_step("strip", lambda graph, context: extract_sub_graph(graph, context.outputs)))
    return results + pipeline.run(graph, steps, open_ones, outputs)


def _fix_placeholders(graph: Graph, context: Context, values: Mapping[str, bool | float | str]) -> None:
    for text, value in values.items():
        found = [node for node in graph if text in node.name and node.op in FEEDABLE]
        if not found:
            context.note(f"no placeholder has '{text}' in its name")
        for node in found:
            try:
                set_const(node, constant_for(node, value))
            except TransformError as error:
                context.skip(node.name, str(error))
    extract_sub_graph(graph, context.outputs)


def _remove_training_nodes(graph: Graph, context: Context) -> None:
    remove_training_nodes(graph, context.output_nodes)


def _fold_batch_norms(graph: Graph, context: Context) -> None:
    """What is made for each batch norm goes to the end, in the order of the batch norms."""
    rule = Folder(graph, context, _scale).direct
    last: dict[Node, None] = {}
    for norm in graph:
        if norm.op not in BATCH_NORMS:
            continue
        try:
            check_inference(norm)
            found = match(DIRECT, norm, set())
            if found is None:
                raise Skip(_why_not(norm))
            kept = rule(found)
        except Skip as skip:
            context.skip(norm.name, str(skip))
            continue
        graph.erase(node for node in found if node not in kept)
        conv, offset = (value.node for value in norm.inputs)
        last.update(dict.fromkeys([conv.inputs[1].node, conv, offset, norm]))
    graph.reorder([*(node for node in graph if node not in last), *last])


def _why_not(norm: Node) -> str:
    if norm.op in ("FusedBatchNormV2", "FusedBatchNormV3"):
        return f"{norm.op} is left alone unless all_batch_norms is set"
    batch_norm(norm)
    source = norm.inputs[0].node
    return f"no convolution with constant weights stands right before it, but '{source.name}' ({source.op})"


def _scale(_: str, norm: BatchNorm) -> Scale:
    """In double precision, but for the sum below the root; so does the original."""
    dtype = norm.mean.dtype
    if any(tensor.dtype is not dtype for tensor in norm.statistics.values()):
        raise Skip("its statistics are of several types")
    if any(tensor.shape != norm.mean.shape or len(tensor.shape) != 1 for tensor in norm.statistics.values()):
        raise Skip("its statistics differ in shape or are not vectors")
    with np.errstate(all="ignore"):
        scale = 1 / np.sqrt((norm.variance.numpy() + dtype.numpy.type(norm.epsilon)).astype(np.float64))
        if norm.gamma is not None:
            scale = scale * norm.gamma.numpy()
        return Scale(scale, -norm.mean.numpy() * scale + norm.beta.numpy(), dtype)


def _fuse_resize_and_conv(graph: Graph, context: Context) -> None:
    """Fused convolutions go to the end; what they took in goes, and so does what was not read before.

    What only that was read by stays, as in the original.
    """
    fuser = ConvFuser(graph, context)
    idle = dict.fromkeys(node for node in graph if _is_idle(node, context))
    last: dict[Node, None] = {}
    taken_in: dict[Node, None] = {}
    for conv in graph:
        if conv.op != "Conv2D" or not conv.inputs:
            continue
        before = conv.inputs[0].node
        pad = before if before.op == "MirrorPad" else None
        source = pad.inputs[0].node if pad and pad.inputs else before
        resize = source if source.op == "ResizeBilinear" else None
        if resize or pad:
            try:
                last.update(dict.fromkeys([*fuser.fuse(conv, resize, pad), conv]))
            except Skip as skip:
                context.skip(conv.name, str(skip))
            else:
                taken_in.update(dict.fromkeys(node for node in (pad, resize) if node))
    graph.reorder([*(node for node in graph if node not in last), *last])
    graph.erase(node for node in idle if node not in last)
    for op in ("MirrorPad", "ResizeBilinear"):  # a padding reads what it was fused with
        graph.erase([node for node in taken_in if node.op == op and _is_idle(node, context)])


def _is_idle(node: Node, context: Context) -> bool:
    return not node.readers and node.name not in context.output_nodes
