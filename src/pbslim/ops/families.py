"""Sets of ops that mean one thing to those who ask, each in one place and with its reason."""

from __future__ import annotations

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
"""Have no value until they are fed."""

FEEDABLE = PLACEHOLDERS | {"PlaceholderWithDefault"}
"""Stand for what a caller feeds; a default that is not fed over is a value all the same."""

ALIASES = frozenset({"Identity", "PreventGradient", "Snapshot", "StopGradient"})
"""Give their one input as it is, so that a constant is seen through them."""

SWITCHES = frozenset({"RefSwitch", "Switch", "_SwitchN"})
"""Only one of their outputs is alive; a control edge from the node itself is alive whichever that is."""

MERGES = frozenset({"Merge", "RefMerge", "_XlaMerge"})
"""Run as soon as one of their data inputs is there; loops close through them."""

ENTERS = frozenset({"Enter", "RefEnter"})
"""Bring a value into the frame of a loop."""

EXITS = frozenset({"Exit", "RefExit"})
"""Bring a value out of the frame of a loop when the loop ends."""

NEXT_ITERATIONS = frozenset({"NextIteration", "RefNextIteration"})
"""Carry a value to the next turn of a loop; what reads it comes before it."""

PLACES = SWITCHES | ENTERS
"""What follows them lives in a branch or a loop; a node without data inputs is held there by control edges alone."""

CONTROL_FLOW = PLACES | MERGES | EXITS | NEXT_ITERATIONS | {"LoopCond"}
"""Decide what runs and how often, so they have no value of their own that could be computed beforehand."""

SOURCES = frozenset(
    {"BarrierTakeMany", "DatasetToSingleElement", "InfeedDequeue", "InfeedDequeueTuple", "IteratorGetNext"}
    | {"IteratorGetNextAsOptional", "IteratorGetNextSync", "MapUnstage", "OrderedMapUnstage", "QueueDequeue"}
    | {"QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2", "QueueDequeueV2"}
    | {"ReaderRead", "ReaderReadUpTo", "ReaderReadUpToV2", "ReaderReadV2", "Unstage"}
)
"""Give what an input pipeline brings: a frozen graph with one cannot run without the pipeline."""

IFS = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
WHILES = frozenset({"StatelessWhile", "While"})
FUNCTIONAL = IFS | CASES | WHILES
"""Branches and loops of which the bodies are functions."""

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Call the one function that they name."""

VARIABLES = frozenset({"TemporaryVariable", "VarHandleOp", "Variable", "VariableV2", "_VarHandlesOp"})
"""Hold values that a GraphDef does not: a graph in which an output needs one is not frozen."""

WITHOUT_VALUE = frozenset({"TemporaryVariable", "_VarHandlesOp"})
"""Variables that have no value outside of a run, or not just one."""

RESTORES_ONE = frozenset({"Restore", "RestoreSlice"})
"""Give one tensor of a checkpoint, or a slice of it."""

RANDOM_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"})
"""Give floating numbers from 0 up to but not including 1; the first input is the shape."""

RANDOM_NORMAL = frozenset(
    {"RandomStandardNormal", "StatelessRandomNormal", "StatelessRandomNormalV2", "StatelessTruncatedNormal"}
    | {"StatelessTruncatedNormalV2", "TruncatedNormal"}
)
"""Give floating numbers around 0; the first input is the shape."""

RANDOM = (
    RANDOM_UNIFORM
    | RANDOM_NORMAL
    | {"RandomUniformInt", "StatelessRandomGetAlg", "StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg"}
)
"""Give other numbers each time, but do nothing else: without consumers they can be removed."""

SHAPES = frozenset({"Rank", "Shape", "ShapeN", "Size"})
"""Look at the shape of their inputs alone, never at an element."""

_TRAINING = frozenset(
    RESTORES_ONE
    | {"BroadcastGradientArgs", "MergeV2Checkpoints", "RestoreV2"}
    | {"Save", "SaveSlices", "SaveV2", "ShardedFilename", "ShardedFilespec"}
)
_TRAINING_PREFIXES = ("Apply", "Assign", "ResourceApply", "ResourceSparseApply", "SparseApply", "Write")


def is_training(op: str) -> bool:
    """Whether `op` updates, saves or restores variables, or writes summaries: of no use in a frozen graph."""
    return op in _TRAINING or op.startswith(_TRAINING_PREFIXES) or op.endswith(("Summary", "SummaryV2"))
