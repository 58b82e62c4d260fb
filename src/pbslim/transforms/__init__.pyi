# Each transform and the module that holds it; type checkers read this table, and so does pbslim.lazy.

from pbslim.transforms.arithmetic.simplify_arithmetic import simplify_arithmetic as simplify_arithmetic
from pbslim.transforms.attributes.add_default_attributes import add_default_attributes as add_default_attributes
from pbslim.transforms.attributes.remove_attribute import remove_attribute as remove_attribute
from pbslim.transforms.attributes.remove_default_attributes import (
    remove_default_attributes as remove_default_attributes,
)
from pbslim.transforms.attributes.remove_device import remove_device as remove_device
from pbslim.transforms.attributes.rename_attribute import rename_attribute as rename_attribute
from pbslim.transforms.attributes.set_device import set_device as set_device
from pbslim.transforms.backports.backport_concatv2 import backport_concatv2 as backport_concatv2
from pbslim.transforms.backports.backport_tensor_array_v3 import backport_tensor_array_v3 as backport_tensor_array_v3
from pbslim.transforms.batch_norms.fold_all_batch_norms import fold_all_batch_norms as fold_all_batch_norms
from pbslim.transforms.batch_norms.fold_batch_norms import fold_batch_norms as fold_batch_norms
from pbslim.transforms.batch_norms.fold_old_batch_norms import fold_old_batch_norms as fold_old_batch_norms
from pbslim.transforms.batch_norms.fold_subdivmul_batch_norms import (
    fold_subdivmul_batch_norms as fold_subdivmul_batch_norms,
)
from pbslim.transforms.compressed.code_weights import code_weights as code_weights
from pbslim.transforms.compressed.decode_weights import decode_weights as decode_weights
from pbslim.transforms.compressed.float16_weights import float16_weights as float16_weights
from pbslim.transforms.compressed.pack_weights import pack_weights as pack_weights
from pbslim.transforms.compressed.palettize_weights import palettize_weights as palettize_weights
from pbslim.transforms.compressed.quantize_weights_per_channel import (
    quantize_weights_per_channel as quantize_weights_per_channel,
)
from pbslim.transforms.compressed.round_weights_per_channel import (
    round_weights_per_channel as round_weights_per_channel,
)
from pbslim.transforms.constants.fold_constants import fold_constants as fold_constants
from pbslim.transforms.constants.merge_duplicate_nodes import merge_duplicate_nodes as merge_duplicate_nodes
from pbslim.transforms.constants.sparsify_gather import sparsify_gather as sparsify_gather
from pbslim.transforms.control_flow.drop_idle_controls import drop_idle_controls as drop_idle_controls
from pbslim.transforms.control_flow.inline_partitionedcall import inline_partitionedcall as inline_partitionedcall
from pbslim.transforms.control_flow.lower_control_flow import lower_control_flow as lower_control_flow
from pbslim.transforms.control_flow.prune_branches import prune_branches as prune_branches
from pbslim.transforms.control_flow.remove_control_dependencies import (
    remove_control_dependencies as remove_control_dependencies,
)
from pbslim.transforms.convolutions.flatten_atrous_conv import flatten_atrous_conv as flatten_atrous_conv
from pbslim.transforms.convolutions.fuse_convolutions import fuse_convolutions as fuse_convolutions
from pbslim.transforms.convolutions.fuse_pad_and_conv import fuse_pad_and_conv as fuse_pad_and_conv
from pbslim.transforms.convolutions.fuse_resize_and_conv import fuse_resize_and_conv as fuse_resize_and_conv
from pbslim.transforms.convolutions.fuse_resize_pad_and_conv import fuse_resize_pad_and_conv as fuse_resize_pad_and_conv
from pbslim.transforms.hexagon.fuse_remote_graph import fuse_remote_graph as fuse_remote_graph
from pbslim.transforms.hexagon.place_remote_graph_arguments import (
    place_remote_graph_arguments as place_remote_graph_arguments,
)
from pbslim.transforms.hexagon.rewrite_quantized_stripped_model_for_hexagon import (
    rewrite_quantized_stripped_model_for_hexagon as rewrite_quantized_stripped_model_for_hexagon,
)
from pbslim.transforms.layouts.cancel_transposes import cancel_transposes as cancel_transposes
from pbslim.transforms.nodes.insert_logging import insert_logging as insert_logging
from pbslim.transforms.nodes.obfuscate_names import obfuscate_names as obfuscate_names
from pbslim.transforms.nodes.remove_dropout import remove_dropout as remove_dropout
from pbslim.transforms.nodes.remove_idle_nodes import remove_idle_nodes as remove_idle_nodes
from pbslim.transforms.nodes.remove_nodes import remove_nodes as remove_nodes
from pbslim.transforms.nodes.rename_node import rename_node as rename_node
from pbslim.transforms.nodes.rename_op import rename_op as rename_op
from pbslim.transforms.nodes.set_placeholders import set_placeholders as set_placeholders
from pbslim.transforms.nodes.simplify_reshapes import simplify_reshapes as simplify_reshapes
from pbslim.transforms.nodes.sort_by_execution_order import sort_by_execution_order as sort_by_execution_order
from pbslim.transforms.nodes.strip_unused_nodes import strip_unused_nodes as strip_unused_nodes
from pbslim.transforms.quantization.fake_quantize_training import fake_quantize_training as fake_quantize_training
from pbslim.transforms.quantization.freeze_requantization_ranges import (
    freeze_requantization_ranges as freeze_requantization_ranges,
)
from pbslim.transforms.quantization.quantize_nodes import quantize_nodes as quantize_nodes
from pbslim.transforms.quantization.quantize_weights import quantize_weights as quantize_weights
from pbslim.transforms.quantization.remove_ema import remove_ema as remove_ema
from pbslim.transforms.quantization.round_weights import round_weights as round_weights
from pbslim.transforms.repairs.repair_nodes import repair_nodes as repair_nodes
