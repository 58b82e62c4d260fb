from __future__ import annotations

import json
from typing import Any

import pytest

import pbslim
from pbslim.dtypes import INT32, DType, Shape
from pbslim.errors import UsageError
from pbslim.ir import AttrValue, Graph, Tensor
from pbslim.wire import schema, to_bytes
from tests.graphs import apply, check_refuses, check_transform, parse
from tests.shared import SHARED, needs_shared


def test_what_is_missing_is_added_and_what_is_there_stays() -> None:
    check_transform(
        "add_default_attributes",
        "x = Placeholder(shape=[2])\ny = LRN(x, ^x, alpha=0.5, own=1, device='/cpu:0')\n-> y",
        """
            x = Placeholder(shape=[2])
            y = LRN(x, ^x, alpha=0.5, beta=0.5, bias=1.0, depth_radius=5, own=1, device='/cpu:0')
        """,
    )


def test_nothing_is_added_twice() -> None:
    _, results = apply("add_default_attributes add_default_attributes", "x = Placeholder()\ny = MaxPool(x)\n-> y")
    assert results[0].changed
    assert not results[1].changed


@pytest.mark.parametrize(
    ("version", "added"),
    [
        ("1.4", {"data_format", "use_cudnn_on_gpu"}),
        ("1.12.3", {"data_format", "use_cudnn_on_gpu", "dilations"}),
        ("1.15", {"data_format", "use_cudnn_on_gpu", "dilations", "explicit_paddings"}),
        ("2.21", {"data_format", "use_cudnn_on_gpu", "dilations", "explicit_paddings"}),
    ],
)
def test_a_release_adds_what_it_knows(version: str, added: set[str]) -> None:
    graph, _ = apply(f"add_default_attributes(version={version})", "x = Placeholder()\ny = Conv2D(x, x)")
    assert graph["y"].attrs.keys() - {"T"} == added


@pytest.mark.parametrize("version", ["1.3", "latest", "1", "1.15rc", "-2.1"])
def test_a_version_must_be_one(version: str) -> None:
    with pytest.raises(UsageError, match=f"add_default_attributes: 'version' must be .* not '{version}'"):
        apply(f"add_default_attributes(version={version})", "x = Placeholder()")


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ("NobodyKnows", "op 'NobodyKnows' is not known"),
        ("DeviceIndex", "op 'DeviceIndex' is newer than TensorFlow 1.15; see version="),
        ("LRN", "'LRN' is a function of the graph's own library"),
    ],
)
def test_nodes_without_a_definition_stay(op: str, reason: str) -> None:
    graph, _ = parse(f"x = Placeholder(shape=[2])\ny = {op}(x)\nz = Squeeze(y)\n-> z")
    function = b"" if op != "LRN" else with_function(op)
    graph = pbslim.load(to_bytes(graph) + function)
    results = pbslim.transform(graph, "add_default_attributes", ["x"], ["z"])
    assert [skipped.node for skipped in results[0].skipped] == ["y"]
    assert results[0].skipped[0].reason.startswith(reason)
    assert not graph["y"].attrs.keys() - {"T"}
    assert graph["z"].attrs["squeeze_dims"] == ()


def with_function(name: str) -> bytes:
    message = schema.new("GraphDef")
    message.library.function.add().signature.name = name
    encoded: bytes = message.SerializeToString()
    return encoded


def test_a_refusal_leaves_the_node() -> None:
    check_refuses("add_default_attributes", "x = NobodyKnows()\n-> x", "is not known")


CHANGED = {
    *("CopyToMeshGrad", "InPolymorphicTwice", "RaggedTensorFromVariant", "RaggedTensorToVariant", "XlaCallModule"),
    *("_FusedConv2D", "_MklNativeFusedConv2D", "_MklSoftmax", "_XlaHostComputeMlir"),
}
"""Ops that TensorFlow 2.21 defines so that older graphs with them no longer fit; the table has them as they were."""


@needs_shared
@pytest.mark.parametrize(("release", "changed"), [("1.15.5", set()), ("2.21", CHANGED)])
def test_every_default_is_that_of_tensorflow(release: str, changed: set[str]) -> None:
    defaults = json.loads((SHARED / "spec" / f"op_attr_defaults_tf{release}.json").read_text())
    graph = Graph()
    for op in defaults:
        graph.add(f"n{op}", op)
    results = pbslim.transform(graph, f"add_default_attributes(version={release})")
    assert not results[0].skipped
    for node in pbslim.load(to_bytes(graph)):
        if node.op not in changed:
            found = {name: plain(value) for name, value in node.attrs.items()}
            wanted = {name: expected(value) for name, value in defaults[node.op].items()}
            if node.op == "DefaultAttrs":  # the specification left this one out
                wanted["tensor_list_val"] = [(INT32, (), 1)]
            assert found == wanted, node.op


def plain(value: AttrValue) -> object:
    if isinstance(value, Tensor):
        return value.dtype, value.shape, value.numpy().tolist()
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def expected(encoded: dict[str, Any]) -> object:
    """The value that the table of the specification stands for."""
    (kind, value), *none = encoded.items()
    assert not none
    if kind == "list":
        return [expected({inner: item}) for inner, items in value.items() for item in items]
    if kind == "tensor_hex":
        message = schema.new("GraphDef")
        message.node.add(name="t").attr["value"].tensor.ParseFromString(bytes.fromhex(value))
        return plain(pbslim.load(message.SerializeToString())["t"].attrs["value"])
    if kind == "shape":
        return Shape(None if value.get("unknown_rank") else tuple(value["dim"]))
    if kind == "type":
        return DType.parse(value.removeprefix("DT_").lower())
    return value.encode("latin-1") if kind == "s" else float(value) if kind == "f" else value
