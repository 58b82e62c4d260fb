"""Results are for those who read them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.analysis.endpoints import find_names
from pbslim.compression.promises import Promise
from pbslim.compression.writing import TARGETS
from pbslim.ir import Graph
from pbslim.ir.tensors import Array
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.readers import RELEASES, fit
from pbslim.shrinking.shrink import shrink
from tests.compression.networks import classifier
from tests.graphs import parse

TENSORFLOW_1 = os.environ.get("PBSLIM_TENSORFLOW_1", "")
CHEAP = {"effort": "low", "promise": Promise(12.0, 0.5)}
IMAGES = np.random.default_rng(3).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
LOAD = """
import sys, numpy as np, tensorflow as tf
graph_def = tf.GraphDef()
graph_def.ParseFromString(open(sys.argv[1], "rb").read())
with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name="")
    np.save(sys.argv[3], session.run("scores:0", {"x:0": np.load(sys.argv[2])}))
"""


def modern() -> Graph:
    """The classifier with what a recent TensorFlow writes: AddV2, and attributes at their default."""
    graph = classifier()
    graph["logits"].set_op("AddV2")
    for name in ("conv", "deep"):
        graph[name].set_attr("dilations", (1, 1, 1, 1))
        graph[name].set_attr("explicit_paddings", ())
    graph["dense"].set_attr("grad_a", False)
    return graph


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pbslim.save(modern(), tmp_path / "model.pb")
    return tmp_path / "model.pb"


def small(model: Path, **options: object) -> Path:
    out = model.with_name("out.pb")
    shrink(model, out, options=CompressionOptions(**{**CHEAP, **options}))  # type: ignore[arg-type]
    return out


def scores(path: Path) -> Array:
    return pbslim.run(pbslim.load(path), {"x": IMAGES})["scores"]


@pytest.mark.parametrize("prefer", ["speed", "ram"])
@pytest.mark.parametrize("target", RELEASES)
def test_a_release_accepts_all_of_it(model: Path, target: str, prefer: str) -> None:
    assert pbslim.incompatibilities(model, "1.4")
    out = small(model, target=target, prefer=prefer)
    assert pbslim.incompatibilities(out, RELEASES[target]) == []
    assert np.abs(scores(out) - scores(model)).max() < 0.2
    assert ("DecodeCompressed" in {node.op for node in pbslim.load(out)}) == (TARGETS[target] == "coded")


@pytest.mark.parametrize("target", ["tf1.4", "tf1.15"])
@pytest.mark.parametrize("prefer", ["speed", "ram"])
@pytest.mark.skipif(not TENSORFLOW_1, reason="no PBSLIM_TENSORFLOW_1")
def test_an_old_tensorflow_runs_it(model: Path, target: str, prefer: str, tmp_path: Path) -> None:
    if target == "tf1.15" and "tf14" in TENSORFLOW_1:
        pytest.skip("1.4 is older")
    out = small(model, target=target, prefer=prefer)
    np.save(tmp_path / "x.npy", IMAGES)
    arguments = [TENSORFLOW_1, "-c", LOAD, str(out), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), scores(out), rtol=1e-4, atol=1e-5)


def test_opencv_runs_it(model: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    out = small(model, target="opencv")
    net = cv2.dnn.readNetFromTensorflow(str(out))
    net.setInput(np.ascontiguousarray(IMAGES[:1].transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(net.forward(), scores(out)[:1], rtol=1e-3, atol=1e-4)


def test_openvino_runs_it(model: Path) -> None:
    openvino = pytest.importorskip("openvino")
    for goal in ("raw", "zip"):
        out = small(model, target="openvino", goal=goal)
        compiled = openvino.compile_model(openvino.convert_model(str(out)), "CPU")
        (found,) = compiled([IMAGES]).values()
        np.testing.assert_allclose(found, scores(out), rtol=1e-2, atol=2e-3)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")  # the converter and its interpreter warn of much
def test_the_tflite_converter_reads_it(model: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    out = small(model, target="tflite")
    shape = {"x": [1, 16, 16, 3]}
    convert = tensorflow.compat.v1.lite.TFLiteConverter.from_frozen_graph(str(out), ["x"], ["scores"], shape)
    interpreter = tensorflow.lite.Interpreter(model_content=convert.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], IMAGES[:1])
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, scores(out)[:1], rtol=1e-3, atol=1e-4)


def test_decoders_that_stay_are_no_inputs(model: Path) -> None:
    out = small(model, prefer="ram")
    graph = pbslim.load(out)
    assert "PlaceholderWithDefault" in {node.op for node in graph}
    assert find_names(graph) == (["x"], ["scores"])
    quick = small(model, prefer="speed").read_bytes()
    assert "PlaceholderWithDefault" not in {node.op for node in pbslim.load(quick)}


@pytest.mark.usefixtures("apart")
def test_time_and_memory_are_told_where_they_are_chosen(model: Path) -> None:
    result = shrink(model, model.with_name("out.pb"), options=CompressionOptions(effort="low", prefer="speed"))
    assert [each.problem for each in result.measurements] == ["", ""]
    assert all(each.load > 0 and each.median > 0 for each in result.measurements)
    assert not shrink(model, model.with_name("out.pb"), options=CompressionOptions(effort="least")).measurements


def test_only_what_computes_the_same_is_renamed() -> None:
    graph, _ = parse("""
        x = Placeholder(shape=[1, 4, 4, 2])
        v = Const([1, 2])
        a = FusedBatchNormV3(x, v, v, v, v, T='float', U='float', is_training=False)
        b = FusedBatchNormV3(a, v, v, v, v, T='float', U='float', is_training=False)
        c = Add(b, b:5)
        y = Cumulative(c)
        -> y
    """)
    told = fit(graph, "tf1.4")
    assert [graph[name].op for name in "ab"] == ["FusedBatchNorm", "FusedBatchNormV3"]
    assert "U" not in graph["a"].attrs
    assert any("no FusedBatchNormV3" in text for text in told)
    assert any("Cumulative" in text for text in told)
    assert fit(graph, "tf2") == []
