"""What the TensorFlow engine takes, and what it tells."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pbslim.engines import engine, runtime
from pbslim.engines.tensorflow import ENGINE
from pbslim.errors import PbslimError
from pbslim.wire import save
from tests.compression.networks import classifier, recurrent
from tests.graphs import parse

tf = pytest.importorskip("tensorflow")


def test_the_text_form(tmp_path: Path) -> None:
    save(parse("x = Placeholder(shape=[2])\ny = Neg(x)\n-> y")[0], tmp_path / "g.pbtxt", as_text=True)
    with ENGINE.load(tmp_path / "g.pbtxt") as program:
        assert program.run({"x": np.ones(2, np.float32)}, ["y"])[0].tolist() == [-1, -1]


def test_the_reason_is_told_with_its_node() -> None:
    text = "x = Placeholder(shape=[2, -1])\nw = Const([[1], [2]])\nmine = MatMul(x, w)\n-> mine"
    with ENGINE.load(parse(text)[0]) as program, pytest.raises(PbslimError) as raised:
        program.run({"x": np.ones((2, 3), np.float32)}, ["mine"])
    assert str(raised.value).startswith("TensorFlow cannot run the graph: node 'mine': Matrix size-incompatible")
    assert "\n" not in str(raised.value)


def test_an_open_program_leaves_the_default_graph_alone() -> None:
    with ENGINE.load(parse("x = Placeholder()\ny = Neg(x)\n-> y")[0]):
        assert tf.executing_eagerly()
    assert tf.executing_eagerly()


def test_threads_share_a_program_whatever_they_feed_and_fetch() -> None:
    images = np.random.default_rng(0).standard_normal((8, 16, 16, 3)).astype(np.float32)
    weights = classifier()["dense/weights"].tensor().numpy()
    with ENGINE.load(classifier()) as program:
        runs: list[tuple[dict[str, np.ndarray], str]] = [
            ({"x": images}, "logits"),
            ({"x": images}, "flat"),
            ({"x": images, "dense/weights": 2 * weights}, "dense"),
            ({"flat": np.ones((2, 384), np.float32)}, "dense"),
        ] * 8
        one_by_one = [program.run(feeds, [fetch])[0] for feeds, fetch in runs]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda run: program.run(run[0], [run[1]])[0], runs))
    for one, other in zip(found, one_by_one, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(found[3], np.ones((2, 384)) @ weights, rtol=1e-4, atol=1e-5)


def test_loops_run_in_the_thread_that_asks() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)
    (expected,) = engine("builtin").load(recurrent()).run({"x": rows}, ["y"])
    with ENGINE.load(recurrent()) as program:
        np.testing.assert_allclose(program.run({"x": rows}, ["y"])[0], expected, rtol=1e-4, atol=1e-5)


def test_a_part_of_tensorflow_runs_graphs_and_the_whole_can_still_be_imported() -> None:
    program = """
import sys
from pbslim.engines.tensorflow import ENGINE, warm_up
warm_up()
assert "tensorflow" not in sys.modules and "tensorflow.python.client.session" in sys.modules
assert "tensorflow.python.data" not in sys.modules
from tests.graphs import parse
graph, _ = parse("x = Placeholder(shape=[2])\\ny = Neg(x)\\n-> y")
with ENGINE.load(graph) as before:
    import tensorflow as tf
    assert tf.function(lambda x: x + 1)(tf.constant(1)).numpy() == 2
    assert tf.data.Dataset.range(3).reduce(tf.constant(0, tf.int64), lambda x, y: x + y).numpy() == 3
    assert before.run({"x": [1, 2]}, ["y"])[0].tolist() == [-1, -2]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_threads_import_all_of_tensorflow_meanwhile() -> None:
    program = """
import threading
from pbslim.engines.tensorflow import warm_up
def use():
    import tensorflow as tf
    print(tf.constant(1).numpy())
thread = threading.Thread(target=use)
thread.start()
warm_up()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_release_that_is_laid_out_otherwise_is_imported_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere() -> runtime.Runtime:
        raise ImportError("No module named 'tensorflow.python.client'")

    monkeypatch.setattr(runtime, "_inner", elsewhere)
    runtime.runtime.cache_clear()
    try:
        with ENGINE.load(parse("x = Placeholder(shape=[2])\ny = Neg(x)\n-> y")[0]) as program:
            assert program.run({"x": np.ones(2, np.float32)}, ["y"])[0].tolist() == [-1, -1]
        assert runtime.runtime().session is tf.compat.v1.Session
    finally:
        runtime.runtime.cache_clear()
