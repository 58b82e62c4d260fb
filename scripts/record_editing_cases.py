"""Make tests/data/editing_cases.json: what TensorFlow 1.15.5 makes of small graphs.

Run it with a Python that has that release; the cases are in this file. The same cases always give the same text::

    python3.7 scripts/record_editing_cases.py tests/data/editing_cases.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import json_format
from tensorflow.tools.graph_transforms import TransformGraph

F, I32, QUINT8 = {"type": "DT_FLOAT"}, {"type": "DT_INT32"}, {"type": "DT_QUINT8"}


def node(name: str, op: str, *inputs: str, device: str = "", **attrs: Any) -> dict[str, Any]:
    """A NodeDef as JSON; an attribute is a plain value or an AttrValue as JSON."""
    kinds = {bool: "b", int: "i", float: "f"}
    found = {key: value if isinstance(value, dict) else {kinds[type(value)]: value} for key, value in attrs.items()}
    return {"name": name, "op": op, "input": list(inputs), "device": device, "attr": found}


def const(name: str, value: float) -> dict[str, Any]:
    """A float scalar."""
    return node(name, "Const", dtype=F, value={"tensor": {"dtype": "DT_FLOAT", "tensorShape": {}, "floatVal": [value]}})


X = node("x", "Placeholder", dtype=F)
AXIS = {"tensor": {"dtype": "DT_INT32", "tensorShape": {}, "intVal": [1]}}
BARE_OPS = """
    Bucketize Const Conv2D DecodeJpeg DepthwiseConv2dNative FusedBatchNorm FusedBatchNormV3 HashTableV2 ImageSummary LRN
    LeakyRelu MatrixDiagV2 MaxPool Mul OneShotIterator ParseExample Placeholder Print QuantizeV2 Reshape ResizeBilinear
    Squeeze StatefulPartitionedCall StridedSlice TensorArrayV3 While _Arg
"""
BARE = [node(f"bare_{op}", op) for op in BARE_OPS.split()]
EDITED = [
    X,
    node("a", "Neg", "x", T=F, foo=1, bar=2.0),
    node("b", "Neg", "a", "^x", T=F, foo=True, device="/gpu:0"),
    node("c", "Add", "a:0", "b", T=F, bar=7),
]
SPLIT = [
    X,
    const("d", 0.0),
    node("s", "Split", "d", "x", T=F, num_split=2),
    node("p", "Sub", "s:1", "s", T=F),
    node("q", "Mul", "p", "s:0", "^s", "^d", T=F),
    node("r", "QuantizeV2", "q", "d", "d", T=QUINT8),
    node("o", "Dequantize", "r", "r:1", "r:2", T=QUINT8),
]
ARRAYS = [
    X,
    node("one", "TensorArrayV3", "x", device="/cpu:0", dtype=F, dynamic_size=True),
    node("two", "TensorArrayV3", "x", "^one", dtype=F),
    node("grad", "TensorArrayGradV3", "two", "two:1", source={"s": "Zw=="}),
    node("w", "TensorArrayWriteV3", "one:0", "x", "x", "one:1", "^two", T=F),
    node("sum", "AddN", "grad:1", "w", "one:1", "^one", T=F, N=3),
    node("old", "TensorArrayReadV2", "x", "x", "x", dtype=F),
]
EQUAL = [
    X,
    node("m", "Neg", "x", T=F),
    node("n", "Neg", "x:0", T=F),
    node("far", "Neg", "x", T=F, device="/cpu:0"),
    node("late", "Neg", "x", "^m", T=F),
    node("late2", "Neg", "x:0", "^m", T=F),
    const("k", 1.0),
    const("l", 1.0),
    const("h", 2.0),
    node("km", "Mul", "m", "k", T=F),
    node("ln", "Mul", "m:0", "k", T=F),
    node("nk", "Mul", "k", "m", T=F),
    node("hm", "Mul", "m", "h", T=F),
    node("two", "Split", "k", "x", T=F, num_split=2),
    node("deux", "Split", "k", "x:0", T=F, num_split=2),
    node("r1", "RandomUniform", "x", T=F, dtype=F),
    node("r2", "RandomUniform", "x", T=F, dtype=F),
    node(
        "o", "AddN", "km", "ln", "nk", "hm", "far", "late", "late2:0", "two:1", "deux:1", "deux", "l", "n", "^ln", "^nk"
    ),
    node("p", "AddN", "r1", "r2", "o", T=F, N=3),
]
NAMED = [
    node("in/x", "Placeholder", dtype=F),
    const("1", 1.0),
    node("a", "Neg", "in/x", T=F),
    node("0", "Add", "a:0", "1", T=F),
    node("out", "Split", "1", "0", "^a", T=F, num_split=2),
    node("tail", "Neg", "out:1", "^out", T=F, device="/cpu:0"),
]
CHAIN = [X] + [node(f"link{i}", "Neg", f"link{i - 1}" if i else "x", T=F) for i in range(70)]
CONCATS = [
    X,
    node("axis", "Const", dtype=I32, value=AXIS),
    node("s", "Split", "axis", "x", T=F, num_split=2),
    node("c", "ConcatV2", "^x", "s:1", "s", "axis:0", device="/cpu:0", T=F, N=2, Tidx=I32, mark=1),
    node("e", "ConcatV2", "c", "x", "s:1", "axis", T=F, N=3),
    node("f", "ConcatV2", "e", "c", "axis:0", T=F, N=2, Tidx=I32),
    node("v", "Concat", "axis", "f", "c", T=F, N=2),
]
SOME = [node("m", "MatMul", transpose_a=True, more=1), node("l", "LRN", beta={}, alpha=3.0)]

CASES = [
    ("add_default_attributes", BARE, [], ["bare_Mul"]),
    ("add_default_attributes", SOME, [], ["m"]),
    ("backport_concatv2", CONCATS, ["x"], ["v"]),
    ("backport_tensor_array_v3", ARRAYS, ["x"], ["sum"]),
    ("rename_attribute(old_attribute_name=foo, new_attribute_name=foo)", EDITED, [], ["c"]),
    ("rename_attribute(old_attribute_name=foo, new_attribute_name=bar)", EDITED, [], ["c"]),
    ("rename_attribute(old_attribute_name=bar, new_attribute_name=foo, op_name=Add)", EDITED, [], ["c"]),
    ("rename_attribute(old_attribute_name=value, new_attribute_name=tensor, op_name=Const)", NAMED, [], ["out"]),
    ("rename_op(old_op_name=Neg, new_op_name=Neg)", EDITED, [], ["c"]),
    ("rename_op(old_op_name=neg, new_op_name=Abs)", EDITED, [], ["c"]),
    ("rename_op(old_op_name=Neg, new_op_name=No_such_op)", EDITED, [], ["c"]),
    ('set_device(device="/job:w/task:1", if_default=1)', EDITED, [], ["c"]),
    ("set_device(device=anything, if_default=0)", EDITED, [], ["c"]),
    ("set_device(if_default=true)", EDITED, [], ["c"]),
    ("insert_logging", SPLIT, ["x"], ["o"]),
    ("insert_logging(show_op=true, prefix=s, prefix=r)", SPLIT, ["x"], ["o"]),
    ('insert_logging(op=Split, op=Sub, prefix=s, message="a;b ", show_name=1, first_n=0)', SPLIT, ["x"], ["o"]),
    ("insert_logging(prefix=p, summarize=-1)", SPLIT, ["x"], ["o"]),
    ("insert_logging(op=None)", SPLIT, ["x"], ["o"]),
    ("obfuscate_names", NAMED, ["in/x"], ["out"]),
    ("obfuscate_names", NAMED, ["1", "in/x"], ["0", "tail"]),
    ("obfuscate_names", NAMED, [], []),
    ("obfuscate_names obfuscate_names", NAMED, [], ["out"]),
    ("obfuscate_names", CHAIN, ["x"], ["link69", "11", "Z", "a"]),
    ("merge_duplicate_nodes", EQUAL, ["x"], ["p"]),
    ("merge_duplicate_nodes", EQUAL, ["x", "k"], ["p", "n"]),
]


def main(out: Path) -> None:
    """Run the cases."""
    cases = []
    for transforms, nodes, inputs, outputs in CASES:
        graph = json_format.ParseDict({"node": nodes}, tf.compat.v1.GraphDef())
        result = TransformGraph(graph, inputs, outputs, [transforms])
        cases.append(
            {
                "transforms": transforms,
                "inputs": inputs,
                "outputs": outputs,
                "graph": json_format.MessageToDict(graph)["node"],
                "result": json_format.MessageToDict(result)["node"],
            }
        )
    lines = [json.dumps(case, sort_keys=True, separators=(",", ":")) for case in cases]
    out.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
