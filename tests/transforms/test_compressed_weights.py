"""Weights in fewer bits, written with stock ops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT, INT32
from pbslim.engines import engine
from pbslim.ir import ArrayTensor, AttrValue, Graph, Value
from pbslim.quant.channels import channel_steps
from pbslim.quant.compensation import Compensation
from pbslim.quant.half import finer
from pbslim.quant.trellis import round_trellis, values
from pbslim.transforms.compressed.groups import write_groups
from pbslim.transforms.compressed.stored import MOST_FOLDED, Stored

STRIDES: dict[str, AttrValue] = {"strides": (1, 1, 1, 1), "padding": b"SAME", "T": FLOAT}
READERS: dict[str, tuple[str, tuple[int, ...], dict[str, AttrValue]]] = {
    "conv": ("Conv2D", (3, 3, 8, 16), STRIDES),
    "depthwise": ("DepthwiseConv2dNative", (3, 3, 32, 2), STRIDES),
    "dense": ("MatMul", (30, 21), {"T": FLOAT}),
    "transposed": ("MatMul", (20, 33), {"T": FLOAT, "transpose_b": True}),
    "table": ("Gather", (70, 5), {"Tparams": FLOAT, "Tindices": INT32}),
    "odd": ("MatMul", (37, 11), {"T": FLOAT}),
}
FORMS = {
    "float16_weights": 3e-4,
    "quantize_weights_per_channel": 0.01,
    "pack_weights(minimum_size=256)": 0.13,
    "pack_weights(levels=5, minimum_size=256)": 0.32,
    "pack_weights(levels=3, minimum_size=256)": 0.48,
    "code_weights": 0.05 / 12**0.5 * 1.1,
    "code_weights(coarseness=0.8)": 0.8 / 12**0.5 * 1.1,
}
"""Each transform, and the rms of what it moves Gaussian weights by, as a part of their own: for a few levels after Max,
Quantizing for minimum distortion (1960), for steps of d the rms d / sqrt(12) of rounding."""


def _network() -> Graph:
    """Weights of each kind, and a bias."""
    random = np.random.default_rng(0)
    graph = Graph()
    x = graph.add("x", "Placeholder", attrs={"dtype": FLOAT}).output()
    ids = graph.add("ids", "Placeholder", attrs={"dtype": INT32}).output()

    def const(name: str, shape: tuple[int, ...]) -> Value:
        values = ArrayTensor(random.standard_normal(shape).astype(np.float32) * 0.1)
        return graph.add(name, "Const", attrs={"dtype": FLOAT, "value": values}).output()

    for name, (op, shape, attrs) in READERS.items():
        weights = const(name, shape)
        graph.add(f"{name}/out", op, [weights, ids] if op == "Gather" else [x, weights], attrs)
    graph.add("bias/out", "BiasAdd", [graph["conv/out"].output(), const("bias", (16,))], {"T": FLOAT})
    return graph


def _values(graph: Graph) -> list[np.ndarray]:
    return engine("builtin").load(graph).run({}, [*READERS])


@pytest.mark.parametrize(("transform", "error"), FORMS.items(), ids=list(FORMS))
def test_weights_keep_name_type_and_shape_and_move_little(transform: str, error: float, tmp_path: Path) -> None:
    graph = _network()
    before = _values(graph)
    pbslim.save(graph, tmp_path / "before.pb")
    pbslim.transform(graph, transform, outputs=[f"{name}/out" for name in (*READERS, "bias")])
    pbslim.save(graph, tmp_path / "after.pb")
    after = _values(graph)
    for name, a, b in zip(READERS, before, after, strict=True):
        assert b.dtype == np.float32
        assert a.shape == b.shape
        assert 0 < np.square(a - b).mean() <= error**2 * np.square(a).mean(), name
    assert all(np.array_equal(a, b) for a, b in zip(after, _values(pbslim.load(tmp_path / "after.pb")), strict=True))


@pytest.mark.parametrize("transform", FORMS)
def test_a_second_time_changes_nothing_more(transform: str) -> None:
    graph = _network()
    outputs = [f"{name}/out" for name in (*READERS, "bias")]
    pbslim.transform(graph, transform, outputs=outputs)
    once = len(graph)
    (again,) = pbslim.transform(graph, transform, outputs=outputs)
    assert len(graph) == once, again.changed


@pytest.mark.parametrize("transform", FORMS)
def test_what_is_kept_is_an_output_or_waits_stays(transform: str) -> None:
    graph = _network()
    graph["dense"].set_controls([graph["x"]])
    step = transform.replace(")", ", keep='co*')") if "(" in transform else f"{transform}(keep='co*')"
    pbslim.transform(graph, step, outputs=["table", "bias", *(f"{name}/out" for name in READERS)])
    assert all(graph[name].op == "Const" for name in ("conv", "dense", "table", "bias"))
    assert graph["transposed"].op != "Const"


def test_values_that_do_not_fit_stay() -> None:
    graph = _network()
    for name, value in (("conv", np.nan), ("dense", np.inf)):
        values = graph[name].tensor().numpy().copy()
        values[1] = value
        graph[name].set_attr("value", ArrayTensor(values))
    pbslim.transform(graph, "code_weights", outputs=[f"{name}/out" for name in (*READERS, "bias")])
    assert [graph[name].op for name in ("conv", "dense", "odd")] == ["Const", "Const", "Mul"]


def test_levels_that_no_byte_holds_are_refused() -> None:
    with pytest.raises(pbslim.errors.TransformError, match="levels must be one of 3, 5, 15, not 16"):
        pbslim.transform(_network(), "pack_weights(levels=16)", outputs=["conv/out"])


def test_a_coded_file_is_as_small_as_its_entropy(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32)
    graph = Graph()
    weights = graph.add("w", "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(values)})
    x = graph.add("x", "Placeholder", attrs={"dtype": FLOAT})
    graph.add("y", "MatMul", [x.output(), weights.output()], {"T": FLOAT})
    pbslim.transform(graph, "code_weights(coarseness=0.25)", outputs=["y"])
    size = pbslim.save(graph, tmp_path / "coded.pb")
    bits = np.log2(np.sqrt(2 * np.pi * np.e) / 0.25)  # of Gaussian weights with steps of a quarter of their rms
    structure, steps = 1500, 2 * 300
    assert size < structure + steps + 1.03 * values.size * bits / 8


@pytest.mark.parametrize("shape", [(1, 1, 1200, 2500), (2600, 1000), (7, MOST_FOLDED // 4)])
@pytest.mark.parametrize("first", [False, True])
def test_large_weights_are_decoded_in_parts_that_are_folded(shape: tuple[int, ...], first: bool) -> None:
    random = np.random.default_rng(0)
    codes = random.integers(-60, 60, shape).astype(np.int8)
    steps = channel_steps(random.standard_normal((3, shape[-2] if first else shape[-1])), 0.1)
    steps = steps[:, None] if first else steps
    graph = Graph()
    graph.add("w", "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(np.zeros(shape, np.float32))})
    graph.add("y", "Neg", [graph["w"].output()], {"T": FLOAT})
    write_groups(graph, [Stored("w", codes, steps)], {})
    program = engine("builtin").load(graph)
    (found,) = program.run({}, ["w"])
    assert np.array_equal(found, codes * steps.astype(np.float32))
    parts = [value.name for value in graph["w"].inputs[:-1]]
    assert len(parts) > 1
    assert all(part.size <= MOST_FOLDED for part in program.run({}, parts))


@pytest.mark.tensorflow
def test_tensorflow_reads_every_form(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    for number, transform in enumerate(FORMS):
        graph = _network()
        pbslim.transform(graph, transform, outputs=[f"{name}/out" for name in (*READERS, "bias")])
        path = tmp_path / f"{number}.pb"
        pbslim.save(graph, path)
        found = engine("tensorflow").load(path).run({}, [*READERS])
        assert all(np.array_equal(a, b) for a, b in zip(found, _values(graph), strict=True)), transform


def test_codes_of_two_bytes_are_decoded_as_they_are() -> None:
    random = np.random.default_rng(0)
    graph = Graph()
    stored = []
    for name, largest in (("w", 3000), ("v", 90), ("u", 8191)):
        codes = random.integers(-largest, largest + 1, (40, 50)).astype(np.int8 if largest < 127 else np.int16)
        stored.append(Stored(name, codes, channel_steps(random.standard_normal((3, 50)), 1e-4)))
        graph.add(name, "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(np.zeros((40, 50), np.float32))})
        graph.add(f"{name}/out", "Neg", [graph[name].output()], {"T": FLOAT})
    write_groups(graph, stored, {})
    found = engine("builtin").load(graph).run({}, [each.name for each in stored])
    assert all(np.array_equal(a, each.codes * each.steps) for a, each in zip(found, stored, strict=True))


@pytest.mark.parametrize("reader", ["builtin", pytest.param("tensorflow", marks=pytest.mark.tensorflow)])
def test_codes_in_another_order_and_finer_vectors_are_decoded_as_they_are(reader: str, tmp_path: Path) -> None:
    if reader == "tensorflow":
        pytest.importorskip("tensorflow")
    random, stored, graph = np.random.default_rng(0), [], Graph()
    scales = {"turned": np.where(np.arange(60) % 2, 0.2, 20), "pruned": np.full(60, 1.0), "plain": np.full(60, 9.0)}
    for name, scale in scales.items():
        codes = np.rint(random.standard_normal((3, 3, 1000, 60)) * scale).clip(-127, 127).astype(np.int8)
        if name == "pruned":
            codes[:, :, random.random(1000) < 0.5] = 0
            codes[..., random.random(60) < 0.3] = 0
        stored.append(Stored(name, codes, channel_steps(random.standard_normal((3, 60)), 0.1)))
    vector = finer(random.standard_normal(100).astype(np.float32), 5)
    for name, shape in [*((each.name, each.codes.shape) for each in stored), ("vector", vector.shape)]:
        graph.add(name, "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(np.zeros(shape, np.float32))})
        graph.add(f"{name}/out", "Neg", [graph[name].output()], {"T": FLOAT})
    write_groups(graph, stored, {"vector": vector})
    assert {"Transpose", "Cumsum", "Pad"} <= {node.op for node in graph}
    pbslim.save(graph, tmp_path / "coded.pb")
    found = engine(reader).load(tmp_path / "coded.pb").run({}, [*scales, "vector/out"])
    assert all(np.array_equal(a, each.codes * each.steps) for a, each in zip(found, stored, strict=False))
    assert np.array_equal(-found[-1], vector)


@pytest.mark.parametrize("reader", ["builtin", pytest.param("tensorflow", marks=pytest.mark.tensorflow)])
def test_codes_along_a_trellis_are_decoded_as_they_are(reader: str, tmp_path: Path) -> None:
    if reader == "tensorflow":
        pytest.importorskip("tensorflow")
    random, stored, graph, expected = np.random.default_rng(0), [], Graph(), {}
    for name, (rows, columns, scale) in {
        "w": (301, 7, 9),
        "v": (40, 50, 2),
        "u": (64, 32, 0.6),
        "t": (90, 60, 9),
    }.items():
        weights = random.standard_normal((rows, columns)).astype(np.float32) * scale
        compensation = Compensation(np.diag(random.random(rows)).astype(np.float32))
        order = None if name == "t" else compensation.order
        codes = np.rint(weights)
        if order is not None:
            codes = round_trellis(compensation, weights, np.zeros((255, columns), np.float32))
        steps = channel_steps(random.standard_normal((3, columns)), 0.1)
        expected[name] = (codes if order is None else values(codes, order)) * steps
        stored.append(Stored(name, codes.astype(np.int8), steps, order=order))
        zeros = ArrayTensor(np.zeros((rows, columns), np.float32))
        graph.add(name, "Const", attrs={"dtype": FLOAT, "value": zeros})
        graph.add(f"{name}/out", "Neg", [graph[name].output()], {"T": FLOAT})
    write_groups(graph, stored, {})
    pbslim.save(graph, tmp_path / "coded.pb")
    found = engine(reader).load(tmp_path / "coded.pb").run({}, [*expected])
    assert all(np.array_equal(a, b) for a, b in zip(found, expected.values(), strict=True))
