"""What each op of TensorFlow is: inputs, outputs, attributes with their defaults, and since which release.

The table holds every op that TensorFlow 1.4 to 2.21 registers, internal ones included. It is read on the first
question, so importing this package costs nothing. Static shape inference is in `pbslim.ops.shape_inference`.
"""

from pbslim.ops.definitions import MISSING, ArgDef, AttrDef, Missing, OpDef, find, is_default, suggest
from pbslim.ops.ports import input_count, input_dtypes, output_count, output_dtype, output_dtypes, output_ports

__all__ = [
    "MISSING",
    "ArgDef",
    "AttrDef",
    "Missing",
    "OpDef",
    "find",
    "input_count",
    "input_dtypes",
    "is_default",
    "output_count",
    "output_dtype",
    "output_dtypes",
    "output_ports",
    "suggest",
]
