"""Weights of few values as codes, and the way back from codes to floats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.dtypes import FLOAT
from pbslim.engines import engine
from pbslim.ir import ArrayTensor, AttrValue, Graph
from pbslim.quant.palettes import Array
from pbslim.quant.rounding import rounder
from pbslim.transforms.compressed.stored import MOST_FOLDED

SHAPES = {"even": (40, 60), "wide": (70, 33), "uneven": (3, 3, 20, 10), "columns": (64, 50), "deep": (3, 3, 40, 1)}
RANDOM = np.random.default_rng(0)


def _values(name: str, shape: tuple[int, ...]) -> Array:
    if name == "wide":
        return np.resize(np.arange(257, dtype=np.float32) / 2, shape)
    values = RANDOM.standard_normal(shape).astype(np.float32)
    rounded = rounder(values.min(), values.max(), 60)(values)
    if name == "uneven":
        return RANDOM.standard_normal(50).astype(np.float32)[RANDOM.integers(0, 50, shape)]
    if name == "columns":
        rounded *= RANDOM.standard_normal(shape[-1:]).astype(np.float32)
    if name == "deep":
        rounded *= RANDOM.standard_normal((shape[2], 1)).astype(np.float32)
    return rounded


def _network() -> Graph:
    graph = Graph()
    x = graph.add("x", "Placeholder", attrs={"dtype": FLOAT}).output()
    for name, shape in SHAPES.items():
        weights = graph.add(name, "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(_values(name, shape))})
        op = "MatMul" if len(shape) == 2 else "DepthwiseConv2dNative" if name == "deep" else "Conv2D"
        strides: dict[str, AttrValue] = {} if op == "MatMul" else {"strides": (1, 1, 1, 1), "padding": b"SAME"}
        graph.add(f"{name}/out", op, [x, weights.output()], {"T": FLOAT, **strides})
    return graph


OUTPUTS = [f"{name}/out" for name in SHAPES]
TRANSFORMS = ["palettize_weights", "palettize_weights(coded=true)"]


def _run(graph: Graph | Path, kind: str = "builtin") -> list[Array]:
    return engine(kind).load(graph).run({}, [*SHAPES])


def _close(name: str, found: Array, expected: Array) -> bool:
    if name not in ("columns", "deep"):
        return np.array_equal(found, expected)
    largest = np.abs(expected).max(axis=tuple(range(expected.ndim - (1 if name == "columns" else 2))))
    return bool((np.abs(found - expected) <= 2.0**-18 * largest.max()).all())


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_values_come_back(transform: str, tmp_path: Path) -> None:
    graph = _network()
    expected = _run(graph)
    before = pbslim.save(graph, tmp_path / "before.pb")
    pbslim.transform(graph, transform, outputs=OUTPUTS)
    wide = graph["wide"].op != "Const"
    assert wide == ("coded" in transform)  # 257 values fit in no byte
    assert not [name for name in SHAPES if graph[name].op == "Const" and name != "wide"]
    assert graph["uneven"].op == "GatherV2"
    after = pbslim.save(graph, tmp_path / "after.pb")
    assert after < before / (2 if wide else 1.5)
    for name, a, b in zip(SHAPES, _run(tmp_path / "after.pb"), expected, strict=True):
        assert _close(name, a, b), name


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_second_time_changes_nothing_more(transform: str) -> None:
    graph = _network()
    pbslim.transform(graph, transform, outputs=OUTPUTS)
    once = len(graph)
    pbslim.transform(graph, transform, outputs=OUTPUTS)
    assert len(graph) == once


def _many(graph: Graph) -> None:
    values = RANDOM.standard_normal(SHAPES["even"]).astype(np.float32)
    graph["even"].set_attr("value", ArrayTensor(values))


def _few(graph: Graph) -> None:
    graph["even"].set_attr("value", ArrayTensor(np.ones((8, 8), np.float32).cumsum(axis=0, dtype=np.float32)))


def _waits(graph: Graph) -> None:
    graph["even"].set_controls([graph["x"]])


def _not_finite(graph: Graph) -> None:
    values = graph["even"].tensor().numpy().copy()
    values[1, 1] = np.inf
    graph["even"].set_attr("value", ArrayTensor(values))


@pytest.mark.parametrize("change", [_many, _few, _waits, _not_finite])
def test_others_stay(change: Callable[[Graph], None]) -> None:
    graph = _network()
    change(graph)
    for transform in TRANSFORMS:
        pbslim.transform(graph, transform, outputs=OUTPUTS)
    assert graph["even"].op == "Const"
    assert graph["columns"].op != "Const"


def test_what_is_kept_or_an_output_stays() -> None:
    graph = _network()
    pbslim.transform(graph, "palettize_weights(keep='co*')", outputs=["even", *OUTPUTS])
    assert [name for name in SHAPES if graph[name].op == "Const"] == ["even", "wide", "columns"]


@pytest.mark.parametrize("shape", [(2600, 1000), (1, 1, 1200, 2500)])
@pytest.mark.parametrize("factors", [False, True])
@pytest.mark.slow
def test_large_weights_are_decoded_in_parts(shape: tuple[int, ...], factors: bool) -> None:
    steps = RANDOM.standard_normal(shape[-1:] if factors else 1).astype(np.float32)
    values = RANDOM.integers(-7, 8, shape).astype(np.float32) * steps
    graph = Graph()
    weights = graph.add("w", "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(values)})
    graph.add("y", "Neg", [weights.output()], {"T": FLOAT})
    pbslim.transform(graph, "palettize_weights(coded=true)", outputs=["y"])
    program = engine("builtin").load(graph)
    assert np.array_equal(program.run({}, ["w"])[0], values)
    parts = [value.name for value in graph["w"].inputs[:-1]]
    assert len(parts) > 1
    assert all(part.size <= MOST_FOLDED for part in program.run({}, parts))


@pytest.mark.tensorflow
def test_tensorflow_gives_back_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    for transform in TRANSFORMS:
        graph = _network()
        expected = _run(graph)
        pbslim.transform(graph, transform, outputs=OUTPUTS)
        pbslim.save(graph, tmp_path / "out.pb")
        found = _run(tmp_path / "out.pb", "tensorflow")
        assert all(np.array_equal(a, b) for a, b in zip(found, _run(graph), strict=True))
        assert all(_close(name, a, b) for name, a, b in zip(SHAPES, found, expected, strict=True))


STORED = [
    "quantize_weights",
    "float16_weights",
    "quantize_weights_per_channel",
    "pack_weights(minimum_size=256)",
    "code_weights",
    *TRANSFORMS,
]


@pytest.mark.parametrize("transform", STORED)
def test_decoding_is_the_way_back(transform: str) -> None:
    graph = _network()
    pbslim.transform(graph, transform, outputs=OUTPUTS)
    stored = {name for name in SHAPES if graph[name].op != "Const"}
    assert stored
    expected = _run(graph)
    pbslim.transform(graph, "decode_weights", outputs=OUTPUTS)
    assert {graph[name].op for name in SHAPES} == {"Const"}
    assert {node.op for node in graph} == {"Placeholder", "Const", "MatMul", "Conv2D", "DepthwiseConv2dNative"}
    assert all(np.array_equal(a, b) for a, b in zip(_run(graph), expected, strict=True))
    (again,) = pbslim.transform(graph, "decode_weights", outputs=OUTPUTS)
    assert not again.changed


def test_decoding_leaves_alone_what_is_no_weight() -> None:
    graph = _network()
    pbslim.transform(graph, "quantize_weights(minimum_size=16)", outputs=OUTPUTS)
    graph.erase([graph[name] for name in OUTPUTS])
    for name in SHAPES:
        graph.add(f"{name}/out", "Neg", [graph[name].output()], {"T": FLOAT})
    pbslim.transform(graph, "decode_weights", outputs=["even", "wide/out", "x"])
    assert graph["even"].op == "Dequantize"  # an output
    assert graph["wide"].op == "Const"
    assert graph["uneven"].op == "Dequantize"  # nothing needs it


def test_decoding_wants_a_weight() -> None:
    graph = Graph()
    bias = graph.add("bias", "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(np.ones(1000, np.float32))})
    graph.add("y", "Neg", [bias.output()], {"T": FLOAT})
    pbslim.transform(graph, "float16_weights", outputs=["y"])
    pbslim.transform(graph, "decode_weights", outputs=["y"])
    assert graph["bias"].op == "Cast"
