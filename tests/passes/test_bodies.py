"""``functions=true``: transforms on the bodies of the function library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from pbslim.passes import pipeline, registry
from pbslim.wire import to_bytes
from tests.functions import load
from tests.graphs import show

MAIN = "x = Placeholder()\np = PartitionedCall(x, f='F', Tin=['float'], Tout=['float'])\ny = Neg(p)\n-> y"
BODY = """
    w = Const([[1, 2], [3, 4]])
    s = Const(2)
    d = Const(2)
    v = Mul(w:output:0, s:output:0, device='/gpu:0')
    u = Mul(w:output:0, d:output:0, device='/gpu:0')
    m = MatMul(a, v:z:0)
    n = MatMul(m:product:0, u:z:0)
    dead = Neg(a)
    -> y = n:product:0
"""


def step(graph: Graph, transforms: str) -> pipeline.StepResult:
    """What the last of `transforms` did to a graph with the input x and the output y."""
    return pbslim.transform(graph, transforms, ["x"], ["y"])[-1]


def body(graph: Graph, name: str = "F") -> list[str]:
    """The nodes of a body, read from the bytes of the graph."""
    graph = pbslim.load(to_bytes(graph))
    found = graph.library.functions[name].body()
    return [line for line in show(found.graph) if line.partition(" ")[0] not in found.arguments]


@pytest.mark.parametrize("name", [n for n in registry.names() if registry.find(n).in_functions])
def test_bodies_are_left_alone_unless_asked(name: str) -> None:
    needs = {
        "remove_nodes": "op=Mul",
        "remove_attribute": "attribute_name=T",
        "rename_attribute": "old_attribute_name=T, new_attribute_name=U",
        "rename_op": "old_op_name=Mul, new_op_name=Multiply",
    }
    graph = load(MAIN, {"F(a: float)": BODY})
    before = body(graph)
    step(graph, f"{name}({needs.get(name, '')})")
    assert body(graph) == before


def test_constants_are_folded_and_dead_nodes_go() -> None:
    graph = load(MAIN, {"F(a: float)": BODY})
    result = step(graph, "fold_constants(functions=true)")
    assert body(graph) == [
        "m = MatMul(a, v/_1__cf__1)",
        "n = MatMul(m, u/_0__cf__0)",
        "u/_0__cf__0 = Const([[2.0, 4.0], [6.0, 8.0]])",
        "v/_1__cf__1 = Const([[2.0, 4.0], [6.0, 8.0]])",
    ]
    assert "F/v/_1__cf__1" in result.changed


def test_duplicates_devices_and_weights() -> None:
    graph = load(MAIN, {"F(a: float)": BODY})
    step(graph, "merge_duplicate_nodes(functions=true) remove_device(functions=true)")
    assert "v = Mul(w, s)" in body(graph)
    assert not any(line.startswith(("u = ", "d = ")) for line in body(graph))
    step(graph, "quantize_weights(minimum_size=2, functions=true)")
    assert "w = Dequantize(w_quantized_const, w_quantized_min, w_quantized_max, mode=b'MIN_FIRST')" in body(graph)


def test_renaming() -> None:
    graph = load(MAIN, {"F(a: float)": BODY})
    step(graph, "rename_op(old_op_name=Mul, new_op_name=Maximum, functions=true)")
    assert "v = Maximum(w, s, @/gpu:0)" in body(graph)


def test_rounding() -> None:
    graph = load(MAIN, {"F(a: float)": f"w = Const({list(range(16))})\ny = Mul(a, w:output:0)\n-> y = y:z:0"})
    step(graph, "round_weights(num_steps=2, functions=true)")
    found = pbslim.load(to_bytes(graph)).library.functions["F"].body().graph["w"].tensor().numpy()
    assert np.unique(found).size == 3  # two levels over the range, and one half a step above it


def test_returned_values_and_effects_stay() -> None:
    text = """
        i = Identity(a)
        j = Identity(i:output:0)
        k = Identity(j:output:0)
        s = Print(k:output:0, T='float', U=[])
        -> y = i:output:0, again = j:output:0, ^done = k
    """
    graph = load(MAIN, {"F(a: float)": text})
    result = step(graph, "remove_nodes(op=Identity, functions=true) fold_constants(functions=true)")
    assert [line.partition(" ")[0] for line in body(graph)] == ["i", "j", "k", "s"]
    assert not [skipped for skipped in result.skipped if skipped.node == "F"]


def test_a_body_that_cannot_be_changed_says_why() -> None:
    graph = load(
        MAIN,
        {
            "F(a: float)": BODY,
            "Own(a: float)": "o = Own_(a)\nn = Neg(o:y:0)\n-> y = n:y:0",
            "G(a: float)": "n = Neg(a)\nm = Neg(n:y:0)\n-> y = m:y:0",
        },
    )
    data = body(graph, "G")
    result = step(graph, "rename_op(old_op_name=Neg, new_op_name=Custom, functions=true)")
    reasons = {skipped.node: skipped.reason for skipped in result.skipped}
    assert reasons["Own"].startswith("function 'Own': the op Own_ of 'o' is not known")
    assert "(Custom) has no known name" in reasons["G"]
    assert body(graph, "G") == data
    assert graph["y"].op == "Custom"
    assert "dead = Custom(a)" in body(graph)  # nobody reads it, so nobody must know the names of its outputs


def test_arguments_stay_arguments() -> None:
    graph = load(MAIN, {"F(a: float)": BODY})
    before = body(graph)
    result = step(graph, "rename_op(old_op_name=Placeholder, new_op_name=Custom, functions=true)")
    assert [str(skipped.reason) for skipped in result.skipped if skipped.node == "F"] == [
        "the argument 'a' is no longer there"
    ]
    assert body(graph) == before


def test_an_error_takes_back_bodies_too() -> None:
    graph = load(MAIN, {"F(a: float)": BODY})
    data = to_bytes(graph)
    with pytest.raises(PbslimError):
        pbslim.transform(graph, "remove_device(functions=true) fold_constants(functions=true)", ["x"], ["gone"])
    graph.rollback()
    assert to_bytes(graph) == data


def test_calls_in_bodies_are_inlined() -> None:
    functions = {
        "F(a: float)": """
            g = StatefulPartitionedCall(a, f='G', Tin=['float'], Tout=['float'])
            -> y = g:output:0, ^g = g
        """,
        "G(a: float)": "n = Neg(a)\n-> y = n:y:0",
    }
    graph = load(MAIN.replace("PartitionedCall", "Kept"), functions)
    step(graph, "inline_partitionedcall(functions=true)")
    assert body(graph) == ["g = Identity(g/n, ^g/n)", "g/n = Neg(a)"]


def test_functions_that_only_bodies_called_can_go() -> None:
    functions = {
        "F(a: float)": """
            w = While(a, T=['float'], cond='G', body='H')
            h = K(a)
            y = Mul(w:output:0, h:y:0)
            -> y = y:z:0
        """,
        "G(a: float)": "n = K(a)\n-> y = n:y:0",
        "H(a: float)": "n = Neg(a)\n-> y = n:y:0",
        "K(a: float)": "n = Neg(a)\n-> y = n:y:0",
    }
    graph = load(MAIN, functions)
    step(graph, "inline_partitionedcall(functions=true, remove_unused_functions=true)")
    assert list(graph.library.functions) == ["G", "H"]
    assert "n/n = Neg(a)" in body(graph, "G")


def test_a_transform_of_whole_graphs_does_not_know_functions() -> None:
    plan = pipeline.plan("strip_unused_nodes(functions=true)")
    assert plan.notes == ("strip_unused_nodes has no parameter 'functions', it is ignored",)


def test_the_manual_shows_it() -> None:
    assert registry.find("round_weights").parameters["functions"].describe() == "functions: bool = false"


CHAIN = """
remove_device(functions=true)
add_default_attributes(functions=true, version=2.8)
remove_nodes(op=Identity, functions=true)
merge_duplicate_nodes(functions=true)
fold_constants(drop_idle_controls=true, functions=true)
fold_batch_norms(algebraic=true, functions=true)
set_device(device="/cpu:0", functions=true)
remove_attribute(attribute_name=_output_shapes, functions=true)
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize("last", ["", "inline_partitionedcall(functions=true)", "quantize_weights(functions=true)"])
def test_equal_numbers_in_tensorflow(last: str) -> None:
    tf = pytest.importorskip("tensorflow")
    weights = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)

    def layer(x: Any) -> Any:
        return tf.nn.relu(x @ tf.constant(weights) * tf.constant(2.0))

    inner = tf.function(layer)

    def main(x: Any) -> Any:
        turned = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, inner(v) / tf.constant(9.0)), [0, x])[1]
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: inner(x), lambda: tf.nn.top_k(-x, 40)[0] * 2.0)
        return turned, chosen + inner(turned)

    graph = tf.function(main).get_concrete_function(tf.TensorSpec([None, 40])).graph
    data = graph.as_graph_def().SerializeToString()
    inputs, outputs = ([tensor.name for tensor in each] for each in (graph.inputs, graph.outputs))
    ours = pbslim.load(data)
    pbslim.transform(ours, CHAIN + last, inputs, outputs)
    assert [name for name in ours.changed_since(0) if name.split("/")[0] in ours.library.functions]
    results = []
    values = np.random.default_rng(1).normal(size=(3, 40)).astype(np.float32)
    for given in (data, to_bytes(ours)):
        with tf.Graph().as_default() as loaded:
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(given), name="")
            with tf.compat.v1.Session(graph=loaded) as session:
                results.append(session.run(outputs, {inputs[0]: values}))
    for first, second in zip(*results, strict=True):
        tolerance = 0.05 if "quantize" in last else 1e-5
        np.testing.assert_allclose(second, first, rtol=0, atol=tolerance * np.abs(first).max())
