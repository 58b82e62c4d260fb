from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pbslim
from pbslim.errors import GraphError, UsageError
from pbslim.ir import Graph
from pbslim.ir.order import check
from pbslim.passes.pipeline import StepResult
from tests.graphs import parse, show

CONV = """
    x = Placeholder(shape=[1, 4, 4, 1])
    w = Const([[[[1, -1]]]])
    conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
    relu = Relu(conv)
    y = Softmax(relu)
    -> y
"""
Array = npt.NDArray[Any]


def quantize(text: str, mode: str, **options: Any) -> tuple[Graph, StepResult]:
    graph, outputs = parse(text)
    result = pbslim.quantize_graph(graph, outputs, mode, **options)
    check(graph)
    assert all(output.partition(":")[0] in graph for output in outputs)
    return graph, result


def run(graph: Graph, outputs: list[str], tmp_path: Path, **feeds: Any) -> list[Array]:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    pbslim.save(graph, tmp_path / "graph.pb")
    return tensorflow.run(tmp_path / "graph.pb", {k: np.asarray(v) for k, v in feeds.items()}, outputs)


def assert_close(text: str, tmp_path: Path, share: float = 0.02, **feeds: Any) -> Graph:
    """The graph in eight bits, after it gave what the one of floats gives up to `share` of the largest value."""
    before, outputs = parse(text)
    after, _ = quantize(text, "eightbit")
    assert any(node.op.startswith("Quantized") for node in after)
    floats = {key: np.asarray(value, np.float32) for key, value in feeds.items()}
    for want, got in zip(
        run(before, outputs, tmp_path, **floats), run(after, outputs, tmp_path, **floats), strict=True
    ):
        assert np.abs(got - want).max() <= share * np.abs(want).max()
    return after


def reasons(result: StepResult) -> dict[str, str]:
    return {skipped.node: skipped.reason for skipped in result.skipped}


# weights_rounded


def test_weights_rounded() -> None:
    text = """
        w = Const([0, 0.3, 0.6, 1], device='/gpu:0', note='n')
        one = Const(7)
        n = Const([1, 2], dtype='int32')
        unused = Const([1, 2])
        y = Mystery(w, one, n)
        -> y
    """
    graph, _ = quantize(text, "weights_rounded", bitdepth=1)
    assert show(graph) == show(
        parse("""
            w = Const([0.25, 0.25, 0.75, 0.75])
            one = Const(7)
            n = Const([1, 2], dtype='int32')
            y = Mystery(w, one, n)
        """)[0]
    )


def test_weights_are_computed_when_they_are_written() -> None:
    graph, outputs = parse("w = Const([0, 1])\n-> w")
    read: list[int] = []
    graph["w"].set_attr("value", graph["w"].tensor().mapped(lambda piece: read.append(1) or piece))  # type: ignore[func-returns-value]
    pbslim.quantize_graph(graph, outputs, "weights_rounded")
    looked = len(read)
    assert looked  # for the range, and not again before the values are wanted
    graph["w"].tensor().numpy()
    assert len(read) == looked + 1


@pytest.mark.parametrize("mode", ["weights", "weights_rounded"])
def test_constants_without_a_usable_range_stay(mode: str) -> None:
    text = "a = Const([1e999, 1])\nb = Const([])\nc = Const([-3e38, 3e38])\ny = Mystery(a, b, c)\n-> y"
    graph, result = quantize(text, mode)
    assert show(graph) == show(parse(text)[0])
    assert reasons(result) == {
        "a": "it holds NaN or infinity",
        "b": "it is empty",
        "c": "its range is too wide for a float",
    }


# weights


def test_weights_become_codes() -> None:
    text = "t = NoOp()\nw = Const([0, 1, 2.55], ^t)\nx = Placeholder()\ny = Mul(x, w, ^w)\n-> y"
    graph, _ = quantize(text, "weights")
    assert [node.name for node in graph] == ["w_quint8_const", "w_min", "w_max", "w", "x", "y"]
    assert show(graph) == [
        "w = Dequantize(w_quint8_const, w_min, w_max, mode=b'MIN_COMBINED')",
        "w_max = Const(2.55)",
        "w_min = Const(0.0)",
        "w_quint8_const = Const([0, 100, 255], dtype=quint8)",
        "x = Placeholder()",
        "y = Mul(x, w, ^w)",
    ]


def test_a_constant_in_a_loop_stays_in_its_frame() -> None:
    graph, _ = quantize("e = Enter(p)\np = Placeholder()\nw = Const([1], ^e)\ny = Mul(e, w)\n-> y", "weights")
    for name in ("w_quint8_const", "w_min", "w_max"):
        assert [node.name for node in graph[name].controls] == ["e"]


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "values",
    [[-2, -1.5, -1], [0, 0.0005, 0.001], [0.001], [-0.4, -0.4], [-0.001], [3, 4], [0, 0], [1e-38], [-1e-7]],
    ids=str,
)
@pytest.mark.parametrize("mode", ["weights", "eightbit"])
def test_ranges_that_the_reference_decodes_wrongly(values: list[float], mode: str, tmp_path: Path) -> None:
    graph, _ = quantize(
        f"w = Const({values})\ny = BiasAdd(w, w)\n-> w" if mode == "eightbit" else f"w = Const({values})\n-> w", mode
    )
    (got,) = run(graph, ["w"], tmp_path)
    step = max(*values, 0) - min(*values, 0)
    assert np.abs(got - np.array(values)).max() <= step / 255 + 1e-30


def test_names_that_are_taken_get_a_number() -> None:
    graph, _ = quantize("w_min = Const([1, 2])\nw = Const([0, 1])\ny = Add(w, w_min)\n-> y", "weights")
    assert graph["w"].inputs[1].name == "w_min_1"


# round


def test_round_says_that_nothing_can_run_it() -> None:
    text = "x = Placeholder()\nn = NoOp()\ny = MatMul(x, x, ^n, device='/cpu:0', transpose_b=True)\nz = Relu(y)\n-> z"
    graph, result = quantize(text, "round", bitdepth=3)
    assert [node.name for node in graph] == ["x", "n", "y_original", "y_round_depth", "y", "z"]
    assert show(graph) == [
        "n = NoOp()",
        "x = Placeholder()",
        "y = RoundToSteps(y_original, y_round_depth)",
        "y_original = MatMul(x, x, ^n, transpose_b=True, @/cpu:0)",
        "y_round_depth = Const(8, dtype=int32)",
        "z = Relu(y)",
    ]
    assert "weights_rounded" in result.notes[0]


# eightbit


def test_the_chain_of_the_original() -> None:
    graph, _ = quantize(CONV, "eightbit")
    assert [f"{node.name} = {node.op}({', '.join(v.name for v in node.inputs)})" for node in graph] == [
        "x = Placeholder()",
        "w_quint8_const = Const()",
        "w_min = Const()",
        "w_max = Const()",
        "conv_eightbit_reshape_dims = Const()",
        "conv_eightbit_reduction_dims = Const()",
        "conv_eightbit_reshape_x = Reshape(x, conv_eightbit_reshape_dims)",
        "conv_eightbit_min_x = Min(conv_eightbit_reshape_x, conv_eightbit_reduction_dims)",
        "conv_eightbit_max_x = Max(conv_eightbit_reshape_x, conv_eightbit_reduction_dims)",
        "conv_eightbit_quantize_x = QuantizeV2(x, conv_eightbit_min_x, conv_eightbit_max_x)",
        "conv_eightbit_quantized_conv = QuantizedConv2D(conv_eightbit_quantize_x, w_quint8_const, "
        "conv_eightbit_quantize_x:1, conv_eightbit_quantize_x:2, w_min, w_max)",
        "conv_eightbit_requant_range = RequantizationRange(conv_eightbit_quantized_conv, "
        "conv_eightbit_quantized_conv:1, conv_eightbit_quantized_conv:2)",
        "conv_eightbit_requantize = Requantize(conv_eightbit_quantized_conv, conv_eightbit_quantized_conv:1, "
        "conv_eightbit_quantized_conv:2, conv_eightbit_requant_range, conv_eightbit_requant_range:1)",
        "relu_eightbit_quantized = QuantizedRelu(conv_eightbit_requantize, conv_eightbit_requantize:1, "
        "conv_eightbit_requantize:2)",
        "relu = Dequantize(relu_eightbit_quantized, relu_eightbit_quantized:1, relu_eightbit_quantized:2)",
        "y = Softmax(relu)",
    ]


@pytest.mark.tensorflow
def test_without_stripping_every_op_quantizes_for_itself(tmp_path: Path) -> None:
    graph, outputs = parse(CONV)
    pbslim.quantize_graph(graph, outputs, "eightbit", strip_redundant_quantization=False)
    assert [node.op for node in graph].count("QuantizeV2") == 3
    image = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    want, got = (run(g, outputs, tmp_path, x=image)[0] for g in (parse(CONV)[0], graph))
    assert np.abs(got - want).max() < 0.02


@pytest.mark.tensorflow
def test_one_tensor_twice_is_quantized_once(tmp_path: Path) -> None:
    graph = assert_close("x = Placeholder()\ny = MatMul(x, x, transpose_b=True)\n-> y", tmp_path, x=[[1, 2], [-3, 0.5]])
    assert [node.op for node in graph].count("QuantizeV2") == 1
    concat = "a = Const(0, dtype='int32')\nx = Placeholder()\nz = Neg(x)\ny = Concat(a, z, x, x, N=3)\n-> y"
    assert_close(concat, tmp_path, x=[[1, 2], [-3, 0.5]])


@pytest.mark.tensorflow
def test_control_edges_are_kept(tmp_path: Path) -> None:
    text = """
        x = Placeholder()
        ready = NoOp()
        w = Const([[1, 2], [3, -4]])
        m = MatMul(x, w, ^ready)
        i = Identity(m)
        done = NoOp(^m)
        y = Neg(i, ^done)
        -> y
    """
    graph = assert_close(text, tmp_path, x=[[1, 2], [-3, 0.5]])
    assert [node.name for node in graph["m_eightbit_quantized_mat_mul"].controls] == ["ready"]
    assert [node.name for node in graph["y"].controls] == ["done"]
    assert graph["y"].inputs[0].name == "m"


@pytest.mark.tensorflow
def test_outputs_that_are_identities_or_constants_stay(tmp_path: Path) -> None:
    text = "x = Placeholder()\nw = Const([1, 2])\nb = BiasAdd(x, w)\ni = Identity(b)\n-> i, w"
    graph = assert_close(text, tmp_path, x=[[1, 2]])
    assert graph["i"].op == "Identity"


@pytest.mark.tensorflow
def test_reshape_by_wide_integers(tmp_path: Path) -> None:
    text = "x = Placeholder()\ns = Const([4], dtype='int64')\ny = Reshape(x, s, Tshape='int64')\nz = Relu(y)\n-> z"
    text = text.replace("Tshape='int64'", "")
    graph, outputs = parse(text)
    graph["y"].set_attr("Tshape", graph["s"].tensor().dtype)
    pbslim.quantize_graph(graph, outputs, "eightbit")
    (got,) = run(graph, outputs, tmp_path, x=np.array([[1, -2], [3, 4]], np.float32))
    assert np.abs(got - [1, 0, 3, 4]).max() < 0.05


@pytest.mark.tensorflow
def test_pools_and_relu6(tmp_path: Path) -> None:
    text = """
        x = Placeholder()
        m = MaxPool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='VALID')
        a = AvgPool(m, ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding='SAME')
        y = Relu6(a)
        -> y
    """
    graph = assert_close(text, tmp_path, x=np.linspace(-2, 9, 64).reshape(1, 8, 8, 1))
    assert [n.op for n in graph if n.op.startswith("Quantized")] == [
        "QuantizedMaxPool",
        "QuantizedAvgPool",
        "QuantizedRelu6",
    ]


@pytest.mark.tensorflow
def test_a_relu_of_one_negative_number(tmp_path: Path) -> None:
    graph, outputs = parse("w = Const([-0.5, -0.5])\ny = Relu(w)\n-> y")
    pbslim.quantize_graph(graph, outputs, "eightbit")
    assert run(graph, outputs, tmp_path)[0].tolist() == [0, 0]


def test_a_constant_takes_the_form_that_its_first_reader_wants() -> None:
    for first, quantized in (("y, z", True), ("z, y", False)):
        text = f"x = Placeholder()\nb = Const([1, 2])\ny = BiasAdd(x, b)\nz = Neg(b)\n-> {first}"
        graph, _ = quantize(text, "eightbit")
        assert (graph["b"].op == "Dequantize") is quantized


def test_the_name_of_a_port_is_as_the_file_spells_it(tmp_path: Path) -> None:
    graph, outputs = parse(
        "a = Const(0, dtype='int32')\nx = Placeholder()\ns = Split(a, x, num_split=2)\ny = Relu(s:1)\n-> y"
    )
    pbslim.save(graph, tmp_path / "in.pb")
    graph = pbslim.load(tmp_path / "in.pb")
    pbslim.quantize_graph(graph, outputs, "eightbit")
    assert "y_eightbit_quantize_s__port__1" in graph


FAKE = """
    x = Placeholder()
    b = Const([1, 2])
    mid = BiasAdd(x, b)
    low = Const({low})
    high = Const({high})
    f = FakeQuantWithMinMaxVars(mid, low, high{more})
    y = Relu(f)
    -> {outputs}
"""


def fake(low: float = -4, high: float = 6, more: str = "", outputs: str = "y") -> str:
    return FAKE.format(low=low, high=high, more=more, outputs=outputs)


@pytest.mark.tensorflow
def test_a_fake_quant_gives_its_range_and_its_name(tmp_path: Path) -> None:
    graph = assert_close(fake(outputs="f"), tmp_path, x=[[1, 2], [-3, 0.5]])
    assert [value.name for value in graph["mid_eightbit_requantize"].inputs[3:]] == ["low", "high"]
    assert graph["f"].op == "Dequantize"
    assert "mid" not in graph
    graph = assert_close(fake(), tmp_path, x=[[1, 2], [-3, 0.5]])
    assert graph["y_eightbit_quantized"].inputs[0].name == "mid_eightbit_requantize"


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (fake(outputs="y, mid"), "'mid' before it is read elsewhere or an output"),
        (fake(more=", num_bits=4"), "other levels than 0 to 255"),
        (fake(more=", narrow_range=True"), "other levels than 0 to 255"),
        (fake(low=1), "does not hold zero"),
        (fake().replace("BiasAdd(x, b)", "Relu(x)"), "not known to be that of 'mid'"),
    ],
)
def test_a_fake_quant_that_cannot_be_merged_stays(text: str, reason: str, tmp_path: Path) -> None:
    graph, result = quantize(text, "eightbit")
    assert graph["f"].op == "FakeQuantWithMinMaxVars"
    assert reason in reasons(result)["f"]
    assert_close(text, tmp_path, 0.03, x=[[1, 2], [-3, 0.5]])


@pytest.mark.tensorflow
def test_a_quantized_input(tmp_path: Path) -> None:
    text = """
        x = Placeholder()
        n = Placeholder(dtype='int32')
        b = Const([1, 2])
        y = BiasAdd(x, b)
        z = Neg(x)
        m = Neg(n, T='int32')
        -> y, z, m
    """
    graph, result = quantize(text, "eightbit", quantized_input_range=(-1, 1))
    assert str(graph["x"].attrs["dtype"]) == "quint8"
    assert graph["z"].inputs[0].name == "x_dequantize"
    assert [v.name for v in graph["y_eightbit_quantized_bias_add"].inputs[:1]] == ["x"]
    assert reasons(result) == {"n": "its type is int32, only float can be given as codes"}
    codes = np.array([[0, 255]], np.uint8)
    tensorflow = pytest.importorskip("tensorflow")
    fed = codes.astype(tensorflow.quint8.as_numpy_dtype)
    y, z, _ = run(graph, ["y", "z", "m"], tmp_path, x=fed, n=np.int32(1))
    assert np.abs(y - [[0, 3]]).max() < 0.05
    assert np.abs(z - [[1, -1]]).max() < 0.01


def test_helpers_of_a_quantized_input_have_its_name() -> None:
    text = "x = Placeholder()\nb = Const([1, 2])\ny = BiasAdd(x, b)\n-> y"
    graph, _ = quantize(text, "eightbit", quantized_input_range=(-1, 1), strip_redundant_quantization=False)
    assert [value.name for value in graph["y_eightbit_quantize_x"].inputs] == [
        "x_dequantize",
        "y_eightbit_min_x",
        "y_eightbit_max_x",
    ]


def test_a_quantized_input_that_is_an_output_is_given_as_codes() -> None:
    graph, _ = quantize("x = Placeholder()\n-> x", "eightbit", quantized_input_range=(-1, 1))
    assert str(graph["x"].attrs["dtype"]) == "quint8"
    assert graph["x_dequantize"].inputs[0].name == "x"


@pytest.mark.tensorflow
def test_a_fallback_range(tmp_path: Path) -> None:
    text = "x = Placeholder()\nb = Const([1, 2])\ny = BiasAdd(x, b)\n-> y"
    graph, _ = quantize(text, "eightbit", fallback_quantization_range=(-1, 4))
    assert "RequantizationRange" not in {node.op for node in graph}
    assert [node.name for node in graph][-2:] == ["fallback_quantization_min_value", "fallback_quantization_max_value"]
    (y,) = run(graph, ["y"], tmp_path, x=np.array([[1, 5]], np.float32))
    assert np.abs(y - [[2, 4]]).max() < 0.05  # 7 is beyond the range


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("padding='SAME'", "padding='SAME', data_format='NCHW'"), "data_format is NCHW"),
        (("padding='SAME'", "padding='EXPLICIT'"), "padding is EXPLICIT"),
        (("padding='SAME'", "padding='SAME', dilations=[1, 2, 2, 1]"), "dilations are [1, 2, 2, 1]"),
        (("strides=[1, 1, 1, 1]", "strides=[1, 1, 2, 1]"), "strides are [1, 1, 2, 1]"),
        (("padding='SAME'", "padding='SAME', T='half'"), "it works on half"),
        (("[[[[1, -1]]]]", "[[[[1, 1e999]]]]"), "'w': it holds NaN or infinity"),
        (("(x, w,", "(x,"), "inputs are not those of a Conv2D"),
    ],
)
def test_what_has_no_eight_bit_form_stays(change: tuple[str, str], reason: str) -> None:
    graph, result = quantize(CONV.replace(*change), "eightbit")
    assert graph["conv"].op == "Conv2D"
    assert graph["relu"].op == "Dequantize"
    assert reason in reasons(result)["conv"]


LOOP = """
    x = Placeholder()
    enter = Enter(x, frame_name='loop')
    merge = Merge(enter, next, N=2)
    axes = Const([0, 1], ^merge, dtype='int32')
    highest = Max(merge, axes, keep_dims=False)
    limit = Const(9, ^merge)
    below = Less(highest, limit)
    goes_on = LoopCond(below)
    switch = Switch(merge, goes_on)
    body = Identity(switch:1)
    step = Const([1, 2], ^body)
    add = BiasAdd(body, step)
    clipped = Relu(add)
    next = NextIteration(clipped)
    exit = Exit(switch)
    y = Relu(exit)
    -> y
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize("fallback", [None, (-1, 20)])
def test_ops_in_a_loop(fallback: tuple[float, float] | None, tmp_path: Path) -> None:
    graph, _ = parse(LOOP)
    graph["goes_on"].remove_attr("T")
    pbslim.quantize_graph(graph, ["y"], "eightbit", fallback_quantization_range=fallback)
    assert [node.name for node in graph["add_eightbit_reshape_dims"].controls] == ["body"]
    assert [node.name for node in graph["step_quint8_const"].controls] == ["body"]
    assert ("add_eightbit_fallback_min" in graph) is bool(fallback)
    assert graph["clipped_eightbit_quantized"].inputs[0].name == "add_eightbit_requantize"
    (y,) = run(graph, ["y"], tmp_path, x=np.array([[1, 0]], np.float32))
    assert np.abs(y - [[6, 10]]).max() < 0.5


def test_integers_are_left_alone() -> None:
    text = "a = Const(0, dtype='int32')\nx = Placeholder(dtype='int32')\ny = Concat(a, x, x, N=2, T='int32')\n-> y"
    graph, result = quantize(text, "eightbit")
    assert show(graph) == show(parse(text)[0])
    assert not result.skipped


def test_running_it_again_changes_nothing_more() -> None:
    graph, outputs = parse(CONV)
    pbslim.quantize_graph(graph, outputs, "eightbit")
    first = show(graph)
    pbslim.quantize_graph(graph, outputs, "eightbit")
    assert show(graph) == first


# Mistakes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "sixbit"}, "mode is 'sixbit', not one of round, weights, weights_rounded, eightbit"),
        ({"mode": "weight"}, "not one of"),
        ({"mode": ""}, "not one of"),
        ({"mode": "test"}, "not one of"),
        ({"mode": "quantize"}, "'eightbit' does what it was meant to"),
        ({"mode": "round", "bitdepth": 31}, "bitdepth must be 0 to 30"),
        ({"mode": "weights", "quantized_input_range": (0, 1)}, "mode eightbit only, not with weights"),
        ({"mode": "weights", "fallback_quantization_range": (0, 1)}, "mode eightbit only"),
        ({"mode": "eightbit", "quantized_input_range": (1, 1)}, "quantized_input_range: 1 is not below 1"),
        ({"mode": "eightbit", "quantized_input_range": (0, float("inf"))}, "is not below inf"),
        ({"mode": "eightbit", "fallback_quantization_range": (1, 2)}, "must not begin above 0, as at 1"),
    ],
)
def test_mistakes(options: dict[str, Any], says: str) -> None:
    graph, outputs = parse(CONV)
    with pytest.raises(UsageError, match=says):
        pbslim.quantize_graph(graph, outputs, **options)
    assert show(graph) == show(parse(CONV)[0])


def test_outputs_and_inputs_that_are_not_there() -> None:
    graph, _ = parse("x = Placeholder()\ny = Neg(gone)")
    for outputs, says in (
        (["nope"], "no node 'nope'"),
        (["x:0"], "output 'x:0' is a tensor; name the node 'x'"),
        ([], "at least one output"),
    ):
        with pytest.raises(UsageError, match=says):
            pbslim.quantize_graph(graph, outputs, "weights")
    with pytest.raises(GraphError, match="'y' reads 'gone'"):
        pbslim.quantize_graph(graph, ["x"], "eightbit")
