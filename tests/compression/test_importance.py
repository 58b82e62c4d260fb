"""Which channels matter: as much as the outputs move when they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.compression.compressor import Compressor, Way
from pbslim.compression.importance import channel_importance
from pbslim.compression.model import Model
from pbslim.compression.rounding import SiteRounder
from pbslim.compression.samples import SampleSets, generated
from pbslim.dtypes import FLOAT, Shape
from pbslim.engines import engine
from pbslim.ir import ArrayTensor, AttrValue, Graph
from tests.compression.networks import Builder, classifier

_SAMPLES = [{"x": np.random.default_rng(seed).standard_normal((1, 12, 12, 3)).astype(np.float32)} for seed in range(40)]


def _sets(samples: Sequence[dict[str, np.ndarray]]) -> SampleSets:
    return SampleSets(samples, samples[:8], samples[:8], "numbers")


def _model(graph: Graph, *outputs: str) -> Model:
    return Model.of(graph, engine("builtin").load(graph), ["x"], outputs)


def _two_layers(between: str = "Identity", layout: bytes = b"NHWC") -> tuple[Graph, np.ndarray]:
    """Two convolutions of 1x1, and how much each channel between them adds to the output."""
    build = Builder(1)
    strides: dict[str, AttrValue] = {"strides": (1, 1, 1, 1), "padding": b"VALID", "data_format": layout}
    x = build.graph.add("x", "Placeholder", attrs={"dtype": FLOAT, "shape": Shape((-1, -1, -1, -1))}).output()
    first = build.op("first", "Conv2D", x, build.const("first/weights", (5, 5, 3, 24), 0.3), **strides)
    last = build.const("last/weights", (1, 1, 24, 16), 0.2)
    scale = np.geomspace(0.1, 10, 24, dtype=np.float32)[:, None]
    last.node.set_attr("value", ArrayTensor(last.node.tensor().numpy() * scale))
    build.op("y", "Conv2D", build.op("between", between, first), last, **strides)
    return build.graph, np.square(last.node.tensor().numpy()[0, 0], dtype=np.float64).sum(axis=1)


def test_importance_is_the_power_of_the_gradients() -> None:
    graph, power = _two_layers()
    found = channel_importance(_model(graph, "y"), _sets(_SAMPLES), 32)
    assert found.keys() == {"first/weights", "last/weights"}
    np.testing.assert_allclose(found["first/weights"] / found["first/weights"].sum(), power / power.sum(), rtol=0.2)
    last = found["last/weights"]
    np.testing.assert_allclose(last / last.mean(), 1, rtol=0.2)  # each is a number of the output


def test_channels_may_come_first() -> None:
    graph, power = _two_layers(layout=b"NCHW")
    turned = [{"x": np.ascontiguousarray(sample["x"].transpose(0, 3, 1, 2))} for sample in _SAMPLES]
    found = channel_importance(_model(graph, "y"), _sets(turned), 32)["first/weights"]
    np.testing.assert_allclose(found / found.sum(), power / power.sum(), rtol=0.2)


def test_it_is_the_same_each_time() -> None:
    graph, _ = _two_layers("Relu")
    first, second = (channel_importance(_model(graph, "y"), _sets(_SAMPLES), 8) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_nothing_is_known_before_an_op_without_gradient() -> None:
    graph, _ = _two_layers("Erf")
    assert channel_importance(_model(graph, "y"), _sets(_SAMPLES), 8).keys() == {"last/weights"}


def test_nothing_is_known_without_inputs_or_where_none_are_to_be_traced() -> None:
    model = _model(_two_layers()[0], "y")
    assert channel_importance(model, _sets([]), 8) == {}
    assert channel_importance(model, _sets(_SAMPLES), 0) == {}


def test_a_channel_that_matters_more_gets_finer_steps() -> None:
    graph, power = _two_layers()
    model = _model(graph, "y")
    rounders = model.rounders({}, {"first/weights": power})
    steps = next(each for each in rounders if each.site.name == "first/weights").round(0.1).steps
    assert steps is not None
    assert steps[:4].min() > 2 * steps[-4:].max()


def test_sites_that_get_far_coarser_steps_are_tried_again() -> None:
    graph = classifier()
    model = _model(graph, "scores")
    compressor = Compressor.of(model, generated(graph, ["x"]), Way("coded"))
    found = compressor.compress(8.0)
    rounders = {each.site.name: each for each in compressor.rounders}
    tried = {name: each.coarseness for name, each in compressor.sensitivities.items()}
    assert max(tried.values()) > 0.4  # the first time it was 0.2
    for name, coarseness in found.coarseness.items():
        assert isinstance(rounders[name], SiteRounder)
        assert coarseness < 4 * tried[name]
