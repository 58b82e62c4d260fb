"""Models of all kinds, made here by TensorFlow 2: frozen, they answer as it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import pbslim
from pbslim.freezing.naming import Naming

pytestmark = pytest.mark.tensorflow


class Saved(NamedTuple):
    """A model on disk, what it is fed with, and what it answers."""

    path: Path
    feeds: Mapping[str, Any]
    expected: Mapping[str, Any]

    def check(self, found: pbslim.Frozen) -> None:
        """The frozen graph answers as the model."""
        fed = {found.signature.inputs[key]: value for key, value in self.feeds.items()}
        names = {key: found.signature.outputs[key] for key in self.expected}
        results = pbslim.run(found.graph, fed, list(names.values()), engine="builtin")
        for key, name in names.items():
            np.testing.assert_allclose(results[name], self.expected[key], rtol=1e-5, atol=1e-6)


Save = Callable[..., Saved]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a module with its function ``f``, and ask that for an answer."""
    tf = pytest.importorskip("tensorflow")

    def saved(module: Any, feeds: Mapping[str, Any], *, signature: bool = True) -> Saved:
        tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.f if signature else None)
        answer = module.f(**{key: tf.constant(value) for key, value in feeds.items()})
        answer = answer if isinstance(answer, dict) else {"output_0": answer}
        return Saved(tmp_path / "model", feeds, {key: value.numpy() for key, value in answer.items()})

    return saved


def _words() -> tuple[Any, list[Any]]:
    import tensorflow as tf

    return tf, [tf.TensorSpec([None], tf.string, name="w")]


def test_a_table_of_constants(save: Save) -> None:
    tf, spec = _words()
    module = tf.Module()
    entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
    module.table = tf.lookup.StaticHashTable(entries, -1)
    module.f = tf.function(lambda w: {"y": module.table.lookup(w)}, input_signature=spec)
    model = save(module, {"w": np.array([b"b", b"q"])})
    found = pbslim.freeze(model.path)
    model.check(found)
    assert len(found.initializers) == 1


def test_a_table_of_an_asset_file(save: Save, tmp_path: Path) -> None:
    tf, spec = _words()
    (tmp_path / "words.txt").write_text("red\t7\ngreen\t8\n")
    entries = tf.lookup.TextFileInitializer(str(tmp_path / "words.txt"), tf.string, 0, tf.int64, 1)
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(entries, -1)
    module.f = tf.function(lambda w: {"y": module.table.lookup(w)}, input_signature=spec)
    model = save(module, {"w": np.array([b"green", b"q"])})
    (tmp_path / "words.txt").unlink()
    model.check(pbslim.freeze(model.path))


def test_a_table_that_the_checkpoint_holds(save: Save) -> None:
    tf, spec = _words()
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    module.table.insert(tf.constant(["x", "y"]), tf.constant([5, 6], tf.int64))
    module.f = tf.function(lambda w: {"y": module.table.lookup(w)}, input_signature=spec)
    model = save(module, {"w": np.array([b"x", b"q"])})
    model.check(pbslim.freeze(model.path))


def test_functions_without_a_signature(save: Save) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.kernel, module.bias = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="k"), tf.Variable([5.0, 6.0], name="k")
    module.scale = tf.constant([7.0, 8.0])
    module.f = tf.function(lambda x: tf.matmul(x, module.kernel) + module.bias * module.scale)
    module.g = tf.function(lambda x: x + module.bias)
    module.g.get_concrete_function(tf.TensorSpec([2], tf.float32))
    module.f.get_concrete_function(tf.TensorSpec([None, 2], tf.float32))
    model = save(module, {"x": np.ones((1, 2), np.float32)}, signature=False)
    with pytest.raises(pbslim.UsageError, match="choose with 'pbslim freeze --signature': f, g"):
        pbslim.freeze(model.path)
    model.check(pbslim.freeze(model.path, signature="f"))


def test_a_model_that_counts(save: Save) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.count, module.calls = tf.Variable(3.0), tf.Variable(0.0)

    def f(x: Any) -> Any:
        module.calls.assign_add(1.0)
        return {"y": x + module.count}

    module.f = tf.function(f, input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    model = save(module, {"x": np.float32(1)})
    model.check(pbslim.freeze(model.path))  # what it counts nobody reads


def test_a_model_that_reads_what_it_counts(save: Save) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.count = tf.Variable(3.0)

    def f(x: Any) -> Any:
        before = module.count.read_value()
        module.count.assign_add(1.0)
        return {"y": x + before}

    module.f = tf.function(f, input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    model = save(module, {"x": np.float32(1)})
    with pytest.raises(pbslim.UsageError, match=r"AssignAddVariableOp.*changes 'Variable'.*--drop-updates"):
        pbslim.freeze(model.path)
    found = pbslim.freeze(model.path, drop_updates=True)
    assert pbslim.run(found.graph, {"x": np.array(1, np.float32)})["Identity"] == 4


def test_loops_and_branches_kept_and_lowered(save: Save) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(np.random.default_rng(0).random((3, 3), np.float32))

    def f(x: Any, n: Any) -> Any:
        for _ in tf.range(n):
            x = tf.matmul(x, module.kernel)
            if tf.reduce_max(x) > 2.0:
                x = x / 2.0 + tf.gather(module.kernel, [0])
        return {"y": x}

    spec = [tf.TensorSpec([None, 3], tf.float32, name="x"), tf.TensorSpec([], tf.int32, name="n")]
    module.f = tf.function(f, input_signature=spec)
    model = save(module, {"x": np.ones((2, 3), np.float32), "n": np.int32(4)})
    kept, lowered = pbslim.freeze(model.path), pbslim.freeze(model.path, lower=True)
    model.check(kept)
    model.check(lowered)
    assert kept.graph.library.functions
    assert not lowered.graph.library.functions


def test_names(save: Save) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.x, module.score = tf.Variable(2.0, name="x"), tf.Variable(3.0, name="score")
    spec = [tf.TensorSpec([None], tf.float32, name="x")]
    module.f = tf.function(lambda x: {"score": x * module.x, "b": x + module.score}, input_signature=spec)
    model = save(module, {"x": np.ones(2, np.float32)})
    cases: list[tuple[Naming, dict[str, str], dict[str, str]]] = [
        ("function", {"x": "x"}, {"b": "Identity", "score": "Identity_1"}),
        ("signature", {"x": "x"}, {"b": "b", "score": "score"}),
        ("graph", {"x": "serving_default_x"}, {"b": "StatefulPartitionedCall", "score": "StatefulPartitionedCall:1"}),
    ]
    for names, inputs, outputs in cases:
        found = pbslim.freeze(model.path, names=names)
        assert (dict(found.signature.inputs), dict(found.signature.outputs)) == (inputs, outputs)
        model.check(found)
