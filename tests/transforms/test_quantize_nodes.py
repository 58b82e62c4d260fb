"""quantize_nodes: what it makes of each op, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.errors import TransformError
from pbslim.ir import ArrayTensor, Graph
from tests.graphs import apply, check_refuses, check_transform, parse, show

CODES = "T1='quint8', T2='quint8'"


def quantized(op: str, *tensors: str) -> str:
    """The nodes that quantize the tensors which `op` reads."""
    lines = []
    for tensor in tensors:
        node, prefix = tensor.partition(":")[0], f"{op}_eightbit/{tensor.replace(':', '__port__')}"
        lines += [
            f"{prefix}/reshape_dims = Const([-1], ^{node}, dtype='int32')",
            f"{prefix}/reduction_dims = Const([0], ^{node}, dtype='int32')",
            f"{prefix}/reshape = Reshape({tensor}, {prefix}/reshape_dims)",
            f"{prefix}/min = Min({prefix}/reshape, {prefix}/reduction_dims, keep_dims=False)",
            f"{prefix}/max = Max({prefix}/reshape, {prefix}/reduction_dims, keep_dims=False)",
            f"{prefix}/quantize = QuantizeV2({tensor}, {prefix}/min, {prefix}/max, mode='MIN_FIRST')",
        ]
    return "\n".join(lines)


def dequantize(name: str, of: str) -> str:
    return f"{name} = Dequantize({of}, {of}:1, {of}:2, mode='MIN_FIRST')"


def requantized(name: str) -> str:
    """What brings the 32 bits of the eight-bit form of `name` down to 8, and back to float."""
    wide, found = f"{name}/eightbit", f"{name}/eightbit/requant_range"
    triple = f"{wide}, {wide}:1, {wide}:2"
    return f"""
{found} = RequantizationRange({triple}, Tinput='qint32')
{wide}/requantize = Requantize({triple}, {found}, {found}:1, Tinput='qint32', out_type='quint8')
{dequantize(name, f"{wide}/requantize")}"""


def check_conversion(before: str, after: str, transforms: str = "quantize_nodes") -> None:
    # `after` is made of pieces that start at the margin, so that it cannot be indented.
    graph, _ = apply(transforms, before)
    assert show(graph) == show(parse(after)[0])


# What it makes


def test_an_op_with_an_eight_bit_result() -> None:
    check_conversion(
        "x = Placeholder()\nr = Relu(x)\ny = Tanh(r)\n-> y",
        f"""x = Placeholder()
{quantized("r", "x")}
r/eightbit = QuantizedRelu(r_eightbit/x/quantize, r_eightbit/x/quantize:1, r_eightbit/x/quantize:2, Tinput='quint8')
{dequantize("r", "r/eightbit")}
y = Tanh(r)
-> y""",
    )


@pytest.mark.parametrize(("op", "result"), [("Add", "Toutput"), ("Mul", "Toutput"), ("BiasAdd", "out_type")])
def test_an_op_with_a_result_of_32_bits(op: str, result: str) -> None:
    x, b = "s_eightbit/x/quantize", "s_eightbit/b/quantize"
    check_conversion(
        f"x = Placeholder(shape=[2, 3])\nb = Const([1, 2, 3])\ns = {op}(x, b)\n-> s",
        f"""x = Placeholder(shape=[2, 3])
b = Const([1, 2, 3])
{quantized("s", "x", "b")}
s/eightbit = Quantized{op}({x}, {b}, {x}:1, {x}:2, {b}:1, {b}:2, {CODES}, {result}='qint32')
{requantized("s")}
-> s""",
    )


def test_concat_passes_all_lower_bounds_before_all_upper_ones() -> None:
    a, b = "c_eightbit/a/quantize", "c_eightbit/b__port__1/quantize"
    check_conversion(
        "a = Placeholder()\nb = Split(a, a)\naxis = Const(1, dtype='int32')\nc = Concat(axis, a, b:1, N=2)\n-> c",
        f"""a = Placeholder()
b = Split(a, a)
axis = Const(1, dtype='int32')
{quantized("c", "a", "b:1")}
c/eightbit = QuantizedConcat(axis, {a}, {b}, {a}:1, {b}:1, {a}:2, {b}:2, N=2)
{dequantize("c", "c/eightbit")}
-> c""",
    )


def test_a_tensor_that_is_read_twice_is_quantized_once() -> None:
    x = "y_eightbit/x/quantize"
    check_conversion(
        "x = Placeholder()\ny = Mul(x, x)\n-> y",
        f"""x = Placeholder()
{quantized("y", "x")}
y/eightbit = QuantizedMul({x}, {x}, {x}:1, {x}:2, {x}:1, {x}:2, {CODES}, Toutput='qint32')
{requantized("y")}
-> y""",
    )


def test_adjacent_ops_pass_codes() -> None:
    graph, _ = apply(
        "quantize_nodes strip_unused_nodes",
        """
        x = Placeholder()
        w = Const([[1, 2], [3, 4]])
        m = MatMul(x, w, transpose_b=True)
        y = Relu(m)
        -> y
        """,
    )
    relu, product = graph["y/eightbit"], graph["m/eightbit"]
    assert [value.name for value in relu.inputs] == [f"m/eightbit/requantize{port}" for port in ("", ":1", ":2")]
    assert product.attrs["transpose_b"] is True
    assert "transpose_a" not in product.attrs
    assert "m" not in graph


def test_a_result_that_is_read_as_float_too_stays() -> None:
    text = "x = Placeholder()\nr = Relu(x)\ny = Relu6(r)\nz = Tanh(r)\n-> y, z"
    graph, _ = apply("quantize_nodes strip_unused_nodes", text)
    assert graph["r"].op == "Dequantize"
    assert graph["y/eightbit"].inputs[0].name == "r/eightbit"
    graph, _ = apply("quantize_nodes strip_unused_nodes", text.replace("y, z", "y, r"))
    assert graph["r"].op == "Dequantize"


def test_one_tensor_for_two_ops_is_quantized_once() -> None:
    graph, _ = apply("quantize_nodes", "x = Placeholder()\na = Relu(x)\nb = Relu6(x)\n-> a, b")
    assert sum(node.op == "QuantizeV2" for node in graph) == 1


def test_control_edges_are_kept() -> None:
    graph, _ = apply("quantize_nodes", "x = Placeholder()\nc = Placeholder()\nr = Relu(x, ^c)\ny = Tanh(x, ^r)\n-> y")
    assert graph["r/eightbit"].controls == (graph["c"],)
    assert graph["r"].controls == ()
    assert graph["y"].controls == (graph["r"],)


def test_what_an_eight_bit_op_knows_as_well_is_kept() -> None:
    graph, _ = apply(
        "quantize_nodes",
        """
        x = Placeholder()
        size = Const([2, 2], dtype='int32')
        dims = Const([-1], dtype='int64')
        r = ResizeBilinear(x, size, half_pixel_centers=True)
        y = Reshape(r, dims, Tshape='int64')
        -> y
        """,
    )
    assert graph["r/eightbit"].attrs["half_pixel_centers"] is True
    assert "align_corners" not in graph["r/eightbit"].attrs
    assert graph["y/eightbit"].dtype_attr("Tshape").name == "int64"  # type: ignore[union-attr]


@pytest.mark.parametrize("op", ["Relu", "Relu6"])
def test_ignored_ops_stay(op: str) -> None:
    graph, results = apply(
        f"quantize_nodes(ignore_op={op}, ignore_op=Tanh)", "x = Placeholder()\na = Relu(x)\nb = Relu6(a)\n-> b"
    )
    assert [node.op for node in graph if node.op in ("Relu", "Relu6")] == [op]
    assert results[0].notes == ["ignore_op=Tanh: quantize_nodes converts no such op anyway"]


def test_a_fallback_range() -> None:
    graph, _ = apply("quantize_nodes(fallback_min=-1, fallback_max=2.5)", "x = Placeholder()\ny = Add(x, x)\n-> y")
    bounds = graph["y/eightbit/requantize"].inputs[3:]
    assert [float(value.node.tensor().numpy()) for value in bounds] == [-1, 2.5]
    assert [value.name for value in bounds] == ["y/eightbit/fallback_min", "y/eightbit/fallback_max"]
    assert not any(node.op == "RequantizationRange" for node in graph)


LOOP = """
    x = Placeholder()
    n = Const([3])
    enter = Enter(x, frame_name='loop')
    top = Enter(n, frame_name='loop', is_constant=True)
    merge = Merge(enter, next)
    less = Less(merge, top)
    cond = LoopCond(less)
    switch = Switch(merge, cond)
    one = Const([1], ^switch)
    sum = Add(switch:1, one)
    next = NextIteration(sum)
    exit = Exit(switch)
    y = Mul(exit, exit)
    -> y
"""


def test_a_fallback_range_in_a_loop_belongs_to_it() -> None:
    graph, _ = apply("quantize_nodes(fallback_min=-1, fallback_max=1)", LOOP)
    assert graph["sum/eightbit/fallback_min"].controls == (graph["sum/eightbit"],)
    assert graph["y/eightbit/fallback_min"].controls == ()


def test_names_that_are_taken() -> None:
    graph, _ = apply("quantize_nodes", "x = Placeholder()\ny/eightbit = Neg(x)\ny = Relu(y/eightbit)\n-> y")
    assert graph["y"].inputs[0].name == "y/eightbit_1"


# Placeholders


def test_placeholders_take_codes() -> None:
    check_transform(
        "quantize_nodes(input_min=-1, input_max=3)",
        "x = Placeholder()\ny = Neg(x, ^x)\n-> y",
        """
        x = Placeholder(dtype='quint8')
        x_eightbit/min = Const(-1)
        x_eightbit/max = Const(3)
        x_eightbit/dequantize = Dequantize(x, x_eightbit/min, x_eightbit/max, mode='MIN_FIRST')
        y = Neg(x_eightbit/dequantize, ^x)
        -> y
        """,
    )


def test_an_op_reads_the_codes_of_a_placeholder() -> None:
    graph, _ = apply(
        "quantize_nodes(input_min=-1, input_max=3) strip_unused_nodes", "x = Placeholder()\ny = Relu(x)\n-> y"
    )
    assert [value.name for value in graph["y/eightbit"].inputs] == ["x", "x_eightbit/min", "x_eightbit/max"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = Placeholder(dtype='bool')\n-> x", "its type is bool, only float is quantized"),
        ("x = Placeholder()\n-> x", "it is an output of the graph and keeps its type"),
    ],
)
def test_other_placeholders_stay(text: str, reason: str) -> None:
    check_refuses("quantize_nodes(input_min=0, input_max=1)", text, reason)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("input_min=0", "input_min and input_max must be given together"),
        ("fallback_max=1", "fallback_min and fallback_max must be given together"),
        ("input_min=1, input_max=0", "input_min=1 and input_max=0 are not a range of finite numbers"),
        ("input_min=nan, input_max=0", "input_min=nan and input_max=0 are not a range of finite numbers"),
        ("fallback_min=-1e39, fallback_max=0", "fallback_min=-1e[+]39 and fallback_max=0 are not a range"),
        ("fallback_min=1, fallback_max=2", "fallback_min=1 must not be above 0, Requantize refuses such a range"),
    ],
)
def test_bounds_must_be_a_range(arguments: str, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        apply(f"quantize_nodes({arguments})", "x = Placeholder()\ny = Relu(x)\n-> y")


# Fake quantizations


FAKE_QUANT = """
    x = Placeholder()
    b = Const([1, 2])
    low = Const({low})
    high = Const({high})
    s = BiasAdd(x, b)
    {steps}
    q = FakeQuantWithMinMaxVars({last}, low, high)
    y = Tanh(q)
    -> y
"""


def fake_quant(steps: str = "", last: str = "s", low: str = "0", high: str = "6") -> str:
    return FAKE_QUANT.format(steps=steps, last=last, low=low, high=high)


def test_a_fake_quantization_gives_the_range() -> None:
    graph, _ = apply("quantize_nodes strip_unused_nodes", fake_quant())
    requantize = graph["q_eightbit/requantize"]
    assert [value.name for value in requantize.inputs] == ["s/eightbit", "s/eightbit:1", "s/eightbit:2", "low", "high"]
    assert graph["q"].op == "Dequantize"
    assert not any(node.op in ("FakeQuantWithMinMaxVars", "RequantizationRange") for node in graph)


@pytest.mark.parametrize("steps", [["Relu"], ["Relu", "Identity"], ["Relu", "Squeeze", "Identity"], ["Relu"] * 5])
def test_a_fake_quantization_is_moved_up_to_its_op(steps: list[str]) -> None:
    lines = [f"s{i} = {op}({f's{i - 1}' if i else 's'})" for i, op in enumerate(steps)]
    graph, _ = apply("quantize_nodes strip_unused_nodes", fake_quant("\n    ".join(lines), f"s{len(steps) - 1}"))
    (requantize,) = (node for node in graph if node.op == "Requantize")
    assert requantize.inputs[0].name == "s/eightbit"
    assert [value.name for value in requantize.inputs[3:]] == ["low", "high"]


@pytest.mark.parametrize("op", ["Tanh", "Neg", "Sigmoid", "Elu", "Exp"])
def test_a_fake_quantization_does_not_cross_an_op_that_changes_values(op: str) -> None:
    graph, _ = apply("quantize_nodes", fake_quant(f"t = {op}(s)", "t"))
    assert graph["q_eightbit/quantize"].inputs[0].node.op == op


def test_a_step_that_is_read_elsewhere_stays_before_a_fake_quantization() -> None:
    text = fake_quant("r = Relu(s)\n    p = Identity(r)\n    z = Neg(r)", "p").replace("-> y", "-> y, z")
    graph, results = apply("quantize_nodes", text)
    assert graph["z"].inputs[0].name == "r"
    assert graph["r/eightbit"].op == "QuantizedRelu"
    assert graph["q"].op == "Identity"  # one step farther up than it was
    text = fake_quant("r = Relu(s)\n    z = Neg(r)", "r").replace("-> y", "-> y, z")
    graph, results = apply("quantize_nodes", text)
    assert ("q", "'r' is read by 'z' as well") in [(s.node, s.reason) for s in results[0].skipped]
    assert graph["q_eightbit/quantize"].inputs[0].name == "r"


def test_an_output_before_a_fake_quantization_stays() -> None:
    text = fake_quant("r = Relu(s)", "r").replace("-> y", "-> y, r, s")
    graph, results = apply("quantize_nodes strip_unused_nodes", text)
    assert "'r' is an output of the graph" in [s.reason for s in results[0].skipped]
    assert graph["s"].op == "Dequantize"


def test_what_a_fake_quantization_waits_for_stays_before_it() -> None:
    text = fake_quant("c = Neg(x)\n    r = Relu(s)", "r").replace("r, low, high", "r, low, high, ^r_late")
    text = text.replace("    y =", "    r_late = Neg(s)\n    y =")
    graph, _ = apply("quantize_nodes(ignore_op=Relu)", text)
    assert graph["q"].controls == (graph["r_late"],)
    assert graph["q"].op == "Relu"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (fake_quant(low="1"), "its range from 1 to 6 does not hold zero, as Requantize demands"),
        (fake_quant(low="[0, 1]"), "'low' is not one float"),
        (
            fake_quant("l = Neg(low)").replace("s, low", "s, l"),
            "its range is not constant; run fold_constants or remove_nodes(op=Identity) before",
        ),
    ],
)
def test_fake_quantizations_that_stay(text: str, reason: str) -> None:
    check_refuses("quantize_nodes(ignore_op=BiasAdd)", text, reason)


def test_two_fake_quantizations_of_one_range() -> None:
    text = fake_quant("p = FakeQuantWithMinMaxVars(x, low, high)").replace("-> y", "-> y, p")
    graph, results = apply("quantize_nodes(ignore_op=BiasAdd)", text)
    reason = "it shares its input or range with another one; run quantize_nodes again to convert it"
    assert [s.reason for s in results[0].skipped] == [reason]
    assert sum(node.op == "FakeQuantWithMinMaxVars" for node in graph) == 1
    pbslim.transform(graph, "quantize_nodes(ignore_op=BiasAdd)", ["x"], ["y", "p"])
    assert not any(node.op == "FakeQuantWithMinMaxVars" for node in graph)


# What stays

CONV = "x = Placeholder(shape=[1, 4, 4, 2])\nw = Const([[[[1], [2]]]])\ny = Conv2D(x, w, {})\n-> y"
SAME = "strides=[1, 1, 1, 1], padding='SAME'"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CONV.format(SAME + ", data_format='NCHW'"), "its data_format is NCHW, which QuantizedConv2D does not support"),
        (
            CONV.format(SAME + ", dilations=[1, 2, 2, 1]"),
            "its dilations are [1, 2, 2, 1], QuantizedConv2D supports 1 only",
        ),
        (CONV.format("strides=[1, 1, 2, 1], padding='SAME'"), "its strides are [1, 1, 2, 1]"),
        (CONV.format("strides=[1, 1, 1, 1], padding='EXPLICIT'"), "its padding is EXPLICIT"),
        (CONV.format("padding='SAME'"), "it has no 'strides'"),
        (CONV.format(SAME).replace("4, 2]", "4, 8]"), "its weights are for groups of 2 channels of 8"),
        (CONV.format(SAME).replace("w = Const([[[[1], [2]]]])", "w = Const([[[[1], [1e999]]]])"), "'w': it holds NaN"),
        (
            CONV.format(SAME).replace("[[[[1], [2]]]]", "[[[[-3e38], [3e38]]]]"),
            "'w': its range is too wide for a float",
        ),
        ("x = Const([])\ny = Relu(x)\n-> y", "'x' is empty, so it has no range"),
        ("x = Placeholder(shape=[0, 3])\ny = Relu(x)\n-> y", "'x' is empty, so it has no range"),
        ("x = Placeholder(dtype='int32')\ny = Add(x, x, T='int32')\n-> y", "it works on int32, only float"),
        ("x = Placeholder(dtype='half')\ny = Relu(x, T='half')\n-> y", "it works on half, only float"),
        ("x = Placeholder()\ny = Add(x)\n-> y", "its attributes or inputs are not those of a Add"),
        (
            "a = Const(-1, dtype='int32')\nx = Placeholder()\ny = Concat(a, x, x, N=2)\n-> y",
            "its axis is -1, QuantizedConcat does not support a negative one",
        ),
        (
            "x = Placeholder()\ny = MaxPool(x, ksize=[1, 1, 2, 2], strides=[1, 1, 1, 1], padding='VALID', "
            "data_format='NCHW')\n-> y",
            "its data_format is NCHW, which QuantizedMaxPool does not support",
        ),
    ],
)
def test_ops_that_have_no_eight_bit_form_stay(text: str, reason: str) -> None:
    check_refuses("quantize_nodes", text, reason)


BROADCAST = "a = Placeholder(shape={})\nb = Placeholder(shape={})\ny = {}(a, b)\n-> y"


@pytest.mark.parametrize("op", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("a", "b"), [([2, 3], [2, 1]), ([2, 1], [1, 3]), ([-1, 4, 4, 3], [-1, 4, 4, 1]), ([2, 4, 4, 3], [2, 1, 1, 3])]
)
def test_broadcasts_that_the_kernels_do_wrongly_stay(op: str, a: list[int], b: list[int]) -> None:
    for shapes in ((a, b), (b, a)):
        check_refuses("quantize_nodes", BROADCAST.format(*shapes, op), f"Quantized{op} cannot broadcast")


@pytest.mark.parametrize(
    ("a", "b"),
    [([2, 3], [3]), ([2, 3], []), ([-1, 4, 4, 3], [-1, 1, 1, 3]), (None, [2, 1]), ([1, 4, 1, 3], [5, 4, 1, 3])],
)
def test_broadcasts_that_the_kernels_do_or_may_do(a: list[int] | None, b: list[int]) -> None:
    for shapes in ((a, b), (b, a)):
        graph, _ = apply("quantize_nodes", BROADCAST.format(*shapes, "Mul"))
        assert graph["y/eightbit"].op == "QuantizedMul"


# Round trips

WAY = "Dequantize(q, q:1, q:2, "
ROUND_TRIP = """
    x = Placeholder()
    z = Placeholder()
    low = Const(-1)
    high = Const(1)
    q = QuantizeV2(x, low, high, T='quint8', mode='MIN_FIRST')
    d = Dequantize(q, q:1, q:2, T='quint8', mode='MIN_FIRST')
    axis = Const([0], dtype='int32')
    least = Min(d, axis)
    most = Max(d, axis)
    r = QuantizeV2(d, least, most, T='quint8', mode='MIN_FIRST')
    y = Dequantize(r, r:1, r:2, T='quint8', mode='MIN_FIRST')
    -> y
"""


def test_a_way_to_float_and_back_is_bypassed() -> None:
    graph, _ = apply("quantize_nodes", ROUND_TRIP)
    assert [value.name for value in graph["y"].inputs] == ["q", "q:1", "q:2"]
    assert "d" not in graph
    assert "least" not in graph


def test_all_ways_back_from_one_dequantize_are_bypassed() -> None:
    again = "s = QuantizeV2(d, least, most, T='quint8', mode='MIN_FIRST', round_mode='HALF_AWAY_FROM_ZERO')"
    text = ROUND_TRIP.replace("    -> y", f"    {again}\n    o = Dequantize(s, s:1, s:2, T='quint8')\n    -> y, o")
    graph, _ = apply("quantize_nodes", text)
    for name in ("y", "o"):
        assert [value.name for value in graph[name].inputs] == ["q", "q:1", "q:2"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Min(d", "Min(z", "its range comes from another tensor by 'least'"),
        ("QuantizeV2(d, least, most, T='quint8'", "QuantizeV2(d, least, most, T='qint8'", "its T differs"),
        (f"d = {WAY}T='quint8', mode='MIN_FIRST'", f"d = {WAY}T='quint8', mode='SCALED'",
         "its codes, or those it comes from, are SCALED"),
        (f"d = {WAY}", f"d = {WAY}axis=0, ", "its axis differs"),
        ("-> y", "-> y, r", "it is an output of the graph"),
        ("y = Dequantize(r, r:1, r:2, ", "y = Dequantize(r, r:1, r:2, ^r, ", "'y' waits for it"),
    ],
)  # fmt: skip
def test_ways_back_that_stay(old: str, new: str, reason: str) -> None:
    assert old in ROUND_TRIP
    check_refuses("quantize_nodes", ROUND_TRIP.replace(old, new), reason)


def test_a_float_tensor_that_is_fed_is_read() -> None:
    graph, (result,) = apply("quantize_nodes", ROUND_TRIP, ["d"])
    assert show(graph) == show(parse(ROUND_TRIP)[0])
    assert [s.reason for s in result.skipped] == ["'d' is an input of the graph"]


# Again, and for real

NET = """
    x = Placeholder(shape=[1, 4, 4, 2])
    w = Const(0)
    b = Const([0.5, -1, 0.25])
    conv = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')
    bias = BiasAdd(conv, b)
    relu = Relu(bias)
    pool = MaxPool(relu, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='VALID')
    low = Const(0)
    high = Const(8)
    quant = FakeQuantWithMinMaxVars(pool, low, high)
    dims = Const([1, 12], dtype='int32')
    y = Reshape(quant, dims)
    -> y
"""


def net() -> Graph:
    graph, _ = parse(NET)
    weights = np.random.default_rng(3).normal(size=(3, 3, 2, 3)).astype(np.float32)
    graph["w"].set_attr("value", ArrayTensor(weights))
    return graph


@pytest.mark.parametrize("strip", ["", " strip_unused_nodes"])
@pytest.mark.parametrize("weights", ["", "quantize_weights(minimum_size=16) "])
def test_twice_is_once(weights: str, strip: str) -> None:
    graph = net()
    pbslim.transform(graph, f"{weights}quantize_nodes{strip}", ["x"], ["y"])
    once = show(graph)
    pbslim.transform(graph, f"quantize_nodes{strip}", ["x"], ["y"])
    assert show(graph) == once


@pytest.mark.tensorflow
@pytest.mark.parametrize("arguments", ["", "(input_min=-4, input_max=4)", "(fallback_min=-40, fallback_max=40)"])
def test_results_are_near_those_of_floats(arguments: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    x = np.random.default_rng(4).uniform(-4, 4, (1, 4, 4, 2)).astype(np.float32)
    graph = net()
    pbslim.save(graph, tmp_path / "float.pb")
    (wanted,) = tensorflow.run(tmp_path / "float.pb", {"x": x}, ["y"])
    transforms = f"quantize_weights(minimum_size=16) quantize_nodes{arguments} strip_unused_nodes"
    pbslim.transform(graph, transforms, ["x"], ["y"])
    assert not {node.op for node in graph} & {"Conv2D", "BiasAdd", "Relu", "MaxPool"}
    pbslim.save(graph, tmp_path / "codes.pb")
    feed = x
    if "input" in arguments:
        import tensorflow as tf

        feed = np.clip(np.rint(x * 255 / 8) + 128, 0, 255).astype(np.uint8).astype(tf.quint8.as_numpy_dtype)
    (got,) = tensorflow.run(tmp_path / "codes.pb", {"x": feed}, ["y"])
    # Rounding to steps of s is an error of s²/12 in the mean square: in both operands of 18 products, in the two sums
    # (ranges of ±10, or the fallback's), in the offsets and in the levels of the fake quantization.
    weights = graph["w_quantized_max"].tensor().numpy() - graph["w_quantized_min"].tensor().numpy()
    sums = 80 if "fallback" in arguments else 20
    squares = 18 * (np.square(8 * 1.0) + np.square(weights * 4 / 3**0.5)) + 2 * sums**2 + 2**2 + 8**2
    deviation = np.sqrt(squares / 12) / 255
    assert np.abs(got - wanted).max() < 4 * deviation < np.ptp(wanted) / 8


TWICE = """
    b = QuantizedBiasAdd(x, o, low, high, low, high, T1='quint8', T2='quint8', out_type='qint32')
    x = Placeholder(dtype='quint8')
    o = Placeholder(dtype='quint8')
    low = Const(0)
    high = Const(255)
    found = RequantizationRange(b, b:1, b:2, Tinput='qint32')
    first = Requantize(b, b:1, b:2, found, found:1, Tinput='qint32', out_type='quint8')
    float = Dequantize(first, first:1, first:2, T='quint8', mode='MIN_FIRST')
    zero = Const(0)
    top = Const({top})
    again = QuantizeV2(float, zero, top, T='qint32', mode='MIN_FIRST')
    zero2 = Const(0)
    top2 = Const(6)
    last = Requantize(again, again:1, again:2, zero2, top2, Tinput='qint32', out_type='quint8')
    y = Dequantize(last, last:1, last:2, T='quint8', mode='MIN_FIRST')
    z = Neg({read})
    -> y, z
"""


@pytest.mark.parametrize("read", ["y", "top"])
def test_two_requantizations_to_ranges_of_equal_values_are_merged(read: str) -> None:
    graph, _ = apply("quantize_nodes", TWICE.format(top=6, read=read))
    assert [value.name for value in graph["last"].inputs[:3]] == ["b", "b:1", "b:2"]
    assert len(graph) == 9
    assert not any(node.op in ("QuantizeV2", "RequantizationRange") for node in graph)


def test_requantizations_to_different_ranges_are_not() -> None:
    graph, _ = apply("quantize_nodes", TWICE.format(top=7, read="y"))
    assert graph["last"].inputs[0].node.op == "QuantizeV2"
