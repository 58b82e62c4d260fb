"""backport_concatv2 and backport_tensor_array_v3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import RESOURCE, STRING, DType
from pbslim.ir import Graph
from pbslim.wire import save, to_bytes
from tests.graphs import apply, check_refuses, check_transform, parse, show


def test_the_axis_comes_first_and_control_edges_last() -> None:
    check_transform(
        "backport_concatv2",
        """
            x = Placeholder()
            axis = Const(1, dtype='int32')
            s = Split(axis, x)
            y = ConcatV2(s:1, s, axis, ^x, ^axis, N=2, mark=3, device='/cpu:0')
            -> y
        """,
        """
            x = Placeholder()
            axis = Const(1, dtype='int32')
            s = Split(axis, x)
            y = Concat(axis, s:1, s, ^x, ^axis, N=2, mark=3, device='/cpu:0')
        """,
    )


@pytest.mark.parametrize("name", ["int32", "int64"])
def test_concat_takes_int32_only(name: str) -> None:
    graph, _ = parse("x = Placeholder()\naxis = Const(0, dtype='int32')\ny = ConcatV2(x, x, axis, N=2)\n-> y")
    graph["y"].set_attr("Tidx", DType.parse(name))
    results = pbslim.transform(graph, "backport_concatv2", ["x"], ["y"])
    if name == "int32":
        assert show(graph)[2] == "y = Concat(axis, x, x, N=2)"
        assert "Tidx" not in graph["y"].attrs
    else:
        assert graph["y"].op == "ConcatV2"
        assert [skipped.reason for skipped in results[0].skipped] == ["its axis is int64, and Concat takes int32 only"]


def test_a_concat_without_inputs_stays() -> None:
    check_refuses("backport_concatv2", "x = Placeholder()\ny = ConcatV2(^x)\n-> y", "it has no inputs")


@pytest.mark.tensorflow
def test_concat_runs_as_before(tmp_path: Path) -> None:
    graph, _ = parse("x = Placeholder()\naxis = Const(-1, dtype='int32')\ny = ConcatV2(x, x, x, axis, ^x, N=3)\n-> y")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    check_equal_results(graph, "backport_concatv2", {"x": x}, ["y"], tmp_path)


ARRAY = """
    x = Placeholder()
    n = Const(2, dtype='int32')
    i = Const(0, dtype='int32')
    ta = TensorArrayV3(n, identical_element_shapes=True)
    w = TensorArrayWriteV3(ta, i, x, ta:1, ^ta)
    y = TensorArrayReadV3(ta, i, w)
"""


def test_the_flow_becomes_a_constant() -> None:
    check_transform(
        "backport_tensor_array_v3",
        ARRAY + "-> y",
        """
            x = Placeholder()
            n = Const(2, dtype='int32')
            i = Const(0, dtype='int32')
            ta = TensorArrayV2(n)
            ta/replacement_flow_node = Const(1)
            w = TensorArrayWriteV2(ta, i, x, ta/replacement_flow_node, ^ta)
            y = TensorArrayReadV2(ta, i, w)
        """,
    )


def test_a_taken_name_gets_a_number() -> None:
    graph, _ = apply("backport_tensor_array_v3", ARRAY + "ta/replacement_flow_node = Neg(x)\n-> y")
    assert graph["w"].inputs[3].name == "ta/replacement_flow_node_1"
    assert [node.name for node in graph][3:5] == ["ta", "ta/replacement_flow_node_1"]


def test_a_second_run_finds_nothing() -> None:
    _, results = apply("backport_tensor_array_v3 backport_tensor_array_v3", ARRAY + "-> y")
    assert results[0].changed
    assert not results[1].changed


@pytest.mark.parametrize(
    ("lines", "outputs", "reason"),
    [
        ("call = SomeFunction(ta)", ["y", "call"], "'call' (SomeFunction) reads its handle and knows V3 only"),
        ("e = Enter(ta)\ncall = While(e)", ["y", "call"], "'call' (While) reads its handle and knows V3 only"),
        ("g = TensorArrayGradV3(ta, ta:1)\nl = Pack(g)", ["y", "l"], "'l' (Pack) reads its handle and knows V3 only"),
        ("", ["y", "ta:1"], "its flow is an output of the graph, and V2 has none"),
    ],
)
def test_an_array_that_others_know_as_v3_stays(lines: str, outputs: list[str], reason: str) -> None:
    text = f"{ARRAY.replace('    ', '')}\n{lines}".replace("\n\n", "\n")
    graph, _ = parse(text)
    results = pbslim.transform(graph, "backport_tensor_array_v3", ["x"], outputs)
    assert show(graph) == show(parse(text)[0])
    assert ("ta", reason) in [(skipped.node, skipped.reason) for skipped in results[0].skipped]


def test_an_array_stays_that_shares_nodes_with_one_that_has_to() -> None:
    text = """
        x = Placeholder()
        one = TensorArrayV3(x)
        two = TensorArrayV3(x)
        three = TensorArrayV3(x)
        m = Merge(one, two)
        y = TensorArraySizeV3(m)
        call = SomeFunction(one)
        z = TensorArraySizeV3(three)
        -> y, call, z
    """
    graph, results = apply("backport_tensor_array_v3", text)
    assert [node.op for node in graph if node.op.startswith("TensorArray")] == [
        *("TensorArrayV3", "TensorArrayV3", "TensorArrayV2", "TensorArraySizeV3", "TensorArraySizeV2")
    ]
    assert [skipped.node for skipped in results[0].skipped] == ["one", "two"]


def test_handles_are_strings_wherever_they_are_carried() -> None:
    graph, _ = parse("""
        x = Placeholder()
        ta = TensorArrayV3(x)
        e = Enter(ta, T='resource')
        f = Enter(ta:1)
        m = Merge(e, n, T='resource')
        s = Switch(m, x, T='resource')
        i = Identity(s:1, T='resource')
        n = NextIteration(i, T='resource')
        o = Exit(s, T='resource')
        y = TensorArraySizeV3(o)
        other = Identity(x, T='resource')
    """)
    pbslim.transform(graph, "backport_tensor_array_v3", ["x"], ["y", "f"])
    assert {node.name: node.dtype_attr("T") for node in graph if node.dtype_attr("T") in (STRING, RESOURCE)} == {
        **dict.fromkeys("emsino", STRING),
        "other": RESOURCE,
    }
    assert graph["y"].op == "TensorArraySizeV2"


def test_in_a_loop_or_branch_the_constant_waits_for_its_array() -> None:
    graph, _ = apply(
        "backport_tensor_array_v3",
        """
            x = Placeholder()
            s = Switch(x, x)
            inside = TensorArrayV3(s)
            e = Enter(x)
            o = Exit(e)
            outside = TensorArrayV3(o)
            y = AddN(inside:1, outside:1)
            -> y
        """,
    )
    assert graph["inside/replacement_flow_node"].controls == (graph["inside"],)
    assert graph["outside/replacement_flow_node"].controls == ()


def test_the_graph_claims_a_producer_that_may_use_v2() -> None:
    graph, _ = parse(ARRAY)
    graph.producer = 134
    pbslim.transform(graph, "backport_tensor_array_v3", ["x"], ["y"])
    assert graph.producer == 25
    other, _ = parse("x = Placeholder()")
    other.producer = 134
    pbslim.transform(other, "backport_tensor_array_v3")
    assert other.producer == 134


@pytest.fixture
def old_control_flow() -> Iterator[None]:
    tf = pytest.importorskip("tensorflow")
    enabled = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    yield
    if enabled:
        tf.compat.v1.enable_control_flow_v2()


@pytest.mark.tensorflow
@pytest.mark.usefixtures("old_control_flow")
def test_arrays_around_and_within_a_loop_run_as_before(tmp_path: Path) -> None:
    import tensorflow as tf

    def step(i: Any, state: Any, results: Any) -> tuple[Any, ...]:
        state = tf.tanh(state * 1.5 + rows.read(i))
        inner = tf.TensorArray(tf.float32, 1).write(0, state)
        state = tf.cond(state[0] > 0, lambda: inner.read(0) * 2, lambda: -inner.read(0))
        return i + 1, state, results.write(i, state)

    with tf.Graph().as_default() as built:
        x = tf.compat.v1.placeholder(tf.float32, [4, 3], name="x")
        rows = tf.TensorArray(tf.float32, 4).unstack(x)
        start = [tf.constant(0), tf.zeros([3]), tf.TensorArray(tf.float32, 4)]
        _, _, results = tf.while_loop(lambda i, *_: i < 4, step, start)
        tf.identity(results.stack(), name="y")
    graph = pbslim.load(built.as_graph_def().SerializeToString())
    assert any(node.op == "TensorArrayV3" for node in graph)
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    check_equal_results(graph, "backport_tensor_array_v3", {"x": values}, ["y"], tmp_path)
    assert not any(node.op.startswith("TensorArray") and node.op.endswith("V3") for node in graph)


def check_equal_results(
    graph: Graph, transforms: str, feeds: dict[str, np.ndarray], outputs: list[str], folder: Path
) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    before, after = folder / "before.pb", folder / "after.pb"
    before.write_bytes(to_bytes(graph))
    pbslim.transform(graph, transforms, list(feeds), outputs)
    save(graph, after)
    for want, got in zip(tensorflow.run(before, feeds, outputs), tensorflow.run(after, feeds, outputs), strict=True):
        np.testing.assert_array_equal(got, want)
