"""The way from a graph to fewer bits, each step on a small network."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pbslim.analysis.weight_sites import find_sites
from pbslim.compression.allocation import Sensitivity, allocate
from pbslim.compression.compressor import Compressor, Way, refine_vectors, replayed, written
from pbslim.compression.cuts import Cutter
from pbslim.compression.effort import EFFORTS
from pbslim.compression.estimate import SEARCHING
from pbslim.compression.evaluation import Evaluator
from pbslim.compression.judge import Judge, Measure
from pbslim.compression.model import Model
from pbslim.compression.patches import sample_rows
from pbslim.compression.rounding import SiteRounder
from pbslim.compression.samples import SampleSets, generated
from pbslim.compression.search import Candidate, Search
from pbslim.dtypes import Shape
from pbslim.engines import engine
from pbslim.errors import CheckError
from pbslim.ir import ArrayTensor, AttrValue, Graph
from pbslim.quant.half import in_halves, joined
from pbslim.verification.metrics import Kind
from tests.compression.networks import classifier, recurrent
from tests.graphs import parse

OUTPUTS = ["scores"]


def _model(graph: Graph) -> Model:
    return Model.of(graph, engine("builtin").load(graph), ["x"], OUTPUTS)


@pytest.fixture(scope="module")
def compressor() -> Compressor:
    graph = classifier()
    return Compressor.of(_model(graph), generated(graph, ["x"]), Way("coded"))


def test_sites_are_the_weights_with_their_kinds_and_biases() -> None:
    sites = {site.name: site for site in find_sites(classifier())}
    assert {name: (site.kind, site.channels, site.bias) for name, site in sites.items()} == {
        "conv/weights": ("conv", 24, "conv/bias"),
        "deep/weights": ("depthwise", 24, "deep/bias"),
        "dense/weights": ("dense", 10, "dense/bias"),
    }


def test_a_matrix_and_back() -> None:
    for site in find_sites(classifier()):
        weights = np.arange(site.size, dtype=np.float32).reshape(site.shape)
        matrix = site.matrix(weights)
        assert matrix.shape == (site.size // site.channels, site.channels)
        assert np.array_equal(site.from_matrix(matrix), weights)
        assert np.broadcast_shapes(site.step_shape, site.shape) == site.shape


def test_the_judge_looks_before_the_softmax() -> None:
    judge = Judge.of(classifier(), OUTPUTS)
    assert judge.kinds == {"logits": Kind.SCORES}


@pytest.mark.parametrize("padding", [b"SAME", b"VALID"])
@pytest.mark.parametrize("layout", [b"NHWC", b"NCHW"])
def test_rows_times_weights_are_the_convolution(padding: bytes, layout: bytes) -> None:
    graph = classifier()
    conv = graph["conv"]
    graph["x"].set_attr("shape", Shape(None))
    strides = (1, 2, 3, 1) if layout == b"NHWC" else (1, 1, 2, 3)
    changed: dict[str, AttrValue] = {"padding": padding, "data_format": layout, "strides": strides}
    for key, value in changed.items():
        conv.set_attr(key, value)
    images = np.random.default_rng(0).standard_normal((2, 9, 11, 3)).astype(np.float32)
    fed = images if layout == b"NHWC" else images.transpose(0, 3, 1, 2)
    rows = sample_rows(conv, fed, (3, 3), 10**6, np.random.default_rng(0))
    weights = graph["conv/weights"].tensor().numpy()
    (expected,) = engine("builtin").load(graph).run({"x": fed}, ["conv"])
    expected = expected if layout == b"NHWC" else expected.transpose(0, 2, 3, 1)
    found = rows.reshape(len(rows), -1) @ weights.reshape(-1, 24)
    np.testing.assert_allclose(found, expected.reshape(-1, 24), rtol=1e-4, atol=1e-5)


def test_moments_are_those_of_all_rows() -> None:
    graph = classifier()
    model = _model(graph)
    batches = [{"x": np.random.default_rng(seed).standard_normal((3, 16, 16, 3)).astype("f4")} for seed in range(4)]
    found = model.moments(batches)
    rows = np.concatenate([model.program.run(batch, ["flat"])[0] for batch in batches])
    np.testing.assert_allclose(found["dense/weights"].mean, rows.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["dense/weights"].second[0], np.cov(rows.T, bias=True), rtol=1e-3, atol=1e-4)
    assert found["dense/weights"].rows == 12
    assert found["deep/weights"].second[0].shape == (24, 25, 25)


def test_cutting_leaves_only_what_depends_on_a_weight() -> None:
    graph = classifier()
    program = engine("builtin").load(graph)
    assert Cutter(graph, ["logits"]).cut(["dense/weights", "dense/bias"]) == ["flat"]
    assert Cutter(graph, ["logits"]).cut(["conv/weights"]) == ["x"]
    x = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype(np.float32)
    flat, logits = program.run({"x": x}, ["flat", "logits"])
    assert np.array_equal(program.run({"flat": flat}, ["logits"])[0], logits)


def test_weights_in_a_loop_are_sites() -> None:
    """What they read has a value for each turn, and the array of tensors must be filled whatever is cut."""
    graph, random = recurrent(), np.random.default_rng(0)
    model = Model.of(graph, engine("builtin").load(graph), ["x"], ["y"])
    assert model.names == ["weights", "last"]
    samples = [{"x": random.standard_normal((3, 32)).astype(np.float32)} for _ in range(6)]
    made = Compressor.of(model, SampleSets(samples[:2], samples[2:4], samples[4:], "noise"), Way("packed"))
    assert made.sensitivities["weights"].noise.all()
    assert made.compress(20.0).snr >= 20


def test_nothing_is_cut_at_a_list_of_tensors() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='float', shape=[3, 2])
            shape = Const([2], dtype='int32')
            scaled = Relu(x)
            list = TensorListFromTensor(scaled, shape, element_dtype='float', shape_type='int32')
            w = Const([[1, 2], [3, 4]])
            item = TensorListGetItem(list, place, shape, element_dtype='float')
            place = Const(1, dtype='int32')
            row = Reshape(item, whole)
            whole = Const([1, 2], dtype='int32')
            y = MatMul(row, w)
            other = TensorListSetItem(list, place, changed, element_dtype='float')
            changed = Mul(item, w)
            stacked = TensorListStack(other, shape, element_dtype='float', num_elements=3)
            -> y, stacked
        """
    )
    assert sorted(Cutter(graph, ["y", "stacked"]).cut(["w"])) == ["item", "row"]


def test_noise_goes_where_weights_are_many() -> None:
    sites = {
        "many": Sensitivity(10_000, 0.2, np.array([1e-2, 1e-4])),
        "few": Sensitivity(100, 0.2, np.array([1e-2, 1e-2])),
        "idle": Sensitivity(100, 0.2, np.array([0.0, 0.0])),
    }
    found = allocate(sites, 1e-3)
    assert found["idle"] == pytest.approx(math.sqrt(12e-3))  # as much noise in itself
    assert found["many"] > 5 * found["few"]
    total = np.sum([(found[name] / 0.2) ** 2 * sites[name].noise for name in ("many", "few")], axis=0)
    assert total.max() == pytest.approx(1e-3, rel=0.02)


@pytest.mark.slow
def test_rounding_with_moments_repairs_the_bias() -> None:
    graph = classifier()
    model = _model(graph)
    samples = generated(graph, ["x"])
    moments = model.moments(samples.calibration)
    measure = Measure(Evaluator(model.program), Judge.of(graph, OUTPUTS), samples.validation)
    for site in model.sites:
        weights = graph[site.name].tensor()
        plain, compensated = (SiteRounder(site, weights, each).round(0.5) for each in (None, moments[site.name]))
        noise = [measure.noise(model.content({site.name: each}, alone=True)) for each in (plain, compensated)]
        assert noise[1] < 0.7 * noise[0], site.name


@pytest.mark.slow
@pytest.mark.parametrize("target", [15.0, 30.0])
def test_the_written_graph_keeps_what_the_search_measured(compressor: Compressor, target: float) -> None:
    candidate = compressor.compress(target)
    assert target <= candidate.snr < target + 3
    model = compressor.model
    for form in ("coded", "codes", "packed", "float"):
        graph = written(model, candidate.rounded, form)
        x = np.random.default_rng(5).uniform(0, 1, (6, 16, 16, 3)).astype(np.float32)
        (found,) = engine("builtin").load(graph).run({"x": x}, ["logits"])
        (expected,) = model.program.run({"x": x, **model.content(candidate.rounded)}, ["logits"])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_replayed_plan_gives_the_same_weights(compressor: Compressor) -> None:
    candidate = compressor.compress(20.0)
    graph = classifier()
    again = replayed(_model(graph), generated(graph, ["x"]), Way("coded"), candidate.coarseness)
    for name, rounded in candidate.rounded.items():
        assert np.array_equal(rounded.codes, again[name].codes)


def test_a_size_that_nothing_fits_is_refused(compressor: Compressor) -> None:
    with pytest.raises(CheckError, match="cannot be made to fit 10 bytes"):
        compressor.fit(10)
    fitted = compressor.fit(2500)
    assert 2000 < fitted.bits / 8 <= 2500


def test_a_bias_beside_which_little_happens_is_stored_finer() -> None:
    """float16 alone would change it by more than all that rounding does."""
    graph = classifier()
    bias = graph["conv/bias"]
    bias.set_attr("value", ArrayTensor(bias.tensor().numpy() + np.float32(100)))
    found = Compressor.of(_model(graph), generated(graph, ["x"]), Way("coded"))
    candidate = found.compress(30.0)
    repaired = found.model.biases(candidate.rounded)["conv/bias"]
    assert not np.array_equal(repaired, repaired.astype(np.float16))
    assert np.array_equal(joined(*in_halves(repaired)), repaired)
    result = written(found.model, candidate.rounded, "coded")
    x = found.samples.validation[0]
    expected = found.model.program.run({**x, **found.model.content(candidate.rounded)}, ["logits"])[0]
    assert np.array_equal(engine("builtin").load(result).run(x, ["logits"])[0], expected)


def test_vectors_that_would_cost_much_have_more_bits() -> None:
    graph = classifier()
    model = _model(graph)
    refine_vectors(model, generated(graph, ["x"]).probes)
    assert all(vector.dtype == np.float16 for vector in model.vectors.values())
    bias = graph["conv/bias"]
    bias.set_attr("value", ArrayTensor(bias.tensor().numpy() + 2500 * np.arange(24, dtype=np.float32)))
    model = _model(graph)
    refine_vectors(model, generated(graph, ["x"]).probes)
    exact = bias.tensor().numpy()
    assert np.abs(model.vectors["conv/bias"] - exact).max() < 0.1 * np.abs(exact.astype(np.float16) - exact).max()


def test_weights_that_are_quieter_without_a_search(compressor: Compressor) -> None:
    found = compressor.compress(20.0)
    quieter = compressor.quieter(found, 6.0)
    assert quieter.snr == pytest.approx(found.snr + 6, abs=2)
    assert quieter.bits > found.bits


def test_a_search_ends_with_what_is_good_enough_when_the_time_is_up(compressor: Compressor) -> None:
    tried: list[float] = []

    def on_try(candidate: Candidate) -> bool:
        tried.append(candidate.snr)
        return True

    search = Search(
        compressor.model,
        compressor.rounders,
        compressor.sensitivities,
        Measure(Evaluator(compressor.model.program), compressor.model.judge, compressor.samples.validation),
        on_try,
    )
    found = search.find(20.0)
    assert found is not None
    assert all(snr < 20 for snr in tried[:-1])
    assert found.snr == tried[-1] >= 20


def test_a_high_effort_codes_along_a_trellis() -> None:
    graph, found = classifier(classes=200), {}
    samples = generated(graph, ["x"])
    for trellis in (False, True):
        effort = replace(EFFORTS["normal"], trellis=trellis, close=0.05)
        found[trellis] = Compressor.of(_model(graph), samples, Way("coded", effort)).compress(20.0)
    plain, best = found[False], found[True]
    assert best.rounded["dense/weights"].order is not None
    assert best.rounded["deep/weights"].order is None
    assert best.snr >= 20
    assert best.bits < plain.bits
    model, x = _model(graph), samples.validation[0]
    expected = model.program.run({**x, **model.content(best.rounded)}, ["logits"])[0]
    result = written(model, best.rounded, "coded")
    assert np.array_equal(engine("builtin").load(result).run(x, ["logits"])[0], expected)
    again = replayed(model, samples, Way("coded", effort), best.coarseness, trellis=True)
    assert all(np.array_equal(again[name].codes, each.codes) for name, each in best.rounded.items())


def test_nothing_more_is_searched_where_no_weight_suits_a_trellis() -> None:
    graph = classifier()
    samples = generated(graph, ["x"])

    def searched(trellis: bool) -> tuple[int, Candidate]:
        told: list[str] = []
        way = Way("coded", replace(EFFORTS["normal"], trellis=trellis, close=0.05))
        compressor = Compressor.of(_model(graph), samples, way, lambda what, *_: told.append(what))
        found = compressor.compress(20.0)
        return told.count(SEARCHING), found

    (tries, plain), (others, found) = searched(False), searched(True)
    assert tries == others > 0
    assert all(np.array_equal(found.rounded[name].codes, each.codes) for name, each in plain.rounded.items())


def test_nothing_is_placed_where_a_node_is_gone() -> None:
    """A vector is read where it is decoded, and TensorFlow refuses a node that is colocated with one that is gone."""
    graph = classifier()
    graph["conv/add"].set_attr("_class", (b"loc:@conv/bias", b"loc:@conv/weights"))
    model = _model(graph)
    rounded = {site.name: each.round(0.2) for site, each in zip(model.sites, model.rounders({}), strict=True)}
    result = written(model, rounded, "coded")
    assert "conv/bias" not in result
    assert result["conv/add"].attrs["_class"] == (b"loc:@conv/weights",)


def test_weights_that_overflow_are_refused_in_a_line() -> None:
    graph = classifier()
    weights = graph["dense/weights"]
    weights.set_attr("value", ArrayTensor(np.sign(weights.tensor().numpy()) * np.float32(3e38)))
    model = _model(graph)
    compressor = Compressor.of(model, generated(graph, ["x"]), Way("coded"))
    with pytest.raises(CheckError, match="no weights in fewer bits"):
        compressor.compress(20.0)
