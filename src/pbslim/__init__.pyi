# Each public name and the module that holds it; type checkers read this table, and so does pbslim.lazy.

from pbslim._version import __version__ as __version__
from pbslim.analysis.compatibility import Incompatibility as Incompatibility
from pbslim.analysis.compatibility import incompatibilities as incompatibilities
from pbslim.analysis.diff import ChangedNode as ChangedNode
from pbslim.analysis.diff import Difference as Difference
from pbslim.analysis.diff import diff as diff
from pbslim.analysis.endpoints import Endpoint as Endpoint
from pbslim.analysis.inspection import Inspection as Inspection
from pbslim.analysis.inspection import inspect_file as inspect_file
from pbslim.analysis.inventory import OpUse as OpUse
from pbslim.analysis.inventory import op_inventory as op_inventory
from pbslim.analysis.zipsize import ZipSize as ZipSize
from pbslim.api import transform as transform
from pbslim.api import verify as verify
from pbslim.compression.plan import Plan as Plan
from pbslim.compression.promises import PROMISES as PROMISES
from pbslim.compression.promises import Promise as Promise
from pbslim.compression.schemes import Rule as Rule
from pbslim.engines.run import run as run
from pbslim.errors import CheckError as CheckError
from pbslim.errors import DecodeError as DecodeError
from pbslim.errors import GraphError as GraphError
from pbslim.errors import PbslimError as PbslimError
from pbslim.errors import TransformError as TransformError
from pbslim.errors import TransformSyntaxError as TransformSyntaxError
from pbslim.errors import UsageError as UsageError
from pbslim.freezing.freeze import Frozen as Frozen
from pbslim.freezing.freeze import freeze as freeze
from pbslim.freezing.wrapping import SavedModelResult as SavedModelResult
from pbslim.freezing.wrapping import to_saved_model as to_saved_model
from pbslim.ir import Graph as Graph
from pbslim.ir import Node as Node
from pbslim.ir import Signature as Signature
from pbslim.ir import Value as Value
from pbslim.legacy.compare_graphs import compare_graphs as compare_graphs
from pbslim.legacy.convert_graphdef_memmapped_format import Conversion as Conversion
from pbslim.legacy.convert_graphdef_memmapped_format import (
    convert_graphdef_memmapped_format as convert_graphdef_memmapped_format,
)
from pbslim.legacy.freeze_graph import freeze_graph as freeze_graph
from pbslim.legacy.graph_to_dot import graph_to_dot as graph_to_dot
from pbslim.legacy.optimize_for_inference import optimize_for_inference as optimize_for_inference
from pbslim.legacy.print_selective_registration_header import (
    selective_registration_header as selective_registration_header,
)
from pbslim.legacy.quantize_graph import quantize_graph as quantize_graph
from pbslim.legacy.strip_unused import strip_unused as strip_unused
from pbslim.legacy.summarize_graph import Summary as Summary
from pbslim.legacy.summarize_graph import summarize_graph as summarize_graph
from pbslim.legacy.transform_graph import TransformGraph as TransformGraph
from pbslim.passes.pipeline import StepResult as StepResult
from pbslim.passes.registry import Step as Step
from pbslim.passes.registry import Transform as Transform
from pbslim.shrinking.attempts import Attempt as Attempt
from pbslim.shrinking.many import Outcome as Outcome
from pbslim.shrinking.many import shrink_many as shrink_many
from pbslim.shrinking.options import CompressionOptions as CompressionOptions
from pbslim.shrinking.proof import Proof as Proof
from pbslim.shrinking.recipes import RECIPES as RECIPES
from pbslim.shrinking.shrink import ShrinkResult as ShrinkResult
from pbslim.shrinking.shrink import Totals as Totals
from pbslim.shrinking.shrink import shrink as shrink
from pbslim.verification.benchmark import Measurement as Measurement
from pbslim.verification.benchmark import benchmark as benchmark
from pbslim.verification.metrics import Agreement as Agreement
from pbslim.verification.results import Accuracy as Accuracy
from pbslim.verification.results import Comparison as Comparison
from pbslim.verification.results import Layer as Layer
from pbslim.verification.results import Verification as Verification
from pbslim.verification.verdict import Verdict as Verdict
from pbslim.wire import load as load
from pbslim.wire import save as save
from pbslim.wire.saved_models import TensorInfo as TensorInfo
from pbslim.wire.unmap import unmap as unmap
