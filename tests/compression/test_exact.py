"""Weights that were rounded before are stored as they are where rounding saves little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.analysis.weight_sites import find_sites
from pbslim.compression.compressor import Compressor, Way, written
from pbslim.compression.exact import OrExact, inexact, or_exact
from pbslim.compression.model import Model
from pbslim.compression.promises import Promise
from pbslim.compression.rounding import SiteRounder
from pbslim.compression.samples import generated
from pbslim.compression.schemes import Stepwise
from pbslim.engines import engine
from pbslim.errors import CheckError
from pbslim.ir import Graph
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.shrink import shrink
from tests.compression.networks import classifier

OUTPUTS = ["scores"]


def rounded(steps: int) -> Graph:
    graph = classifier()
    pbslim.transform(graph, f"round_weights(num_steps={steps})", outputs=OUTPUTS)
    return graph


def rounders(graph: Graph, form: str) -> dict[str, OrExact]:
    model = Model.of(graph, engine("builtin").load(graph), ["x"], OUTPUTS)
    found = {}
    for each in model.rounders({}):
        rounder = or_exact(Stepwise(each) if form == "packed" else each, each.matrix, form)
        assert isinstance(rounder, OrExact)
        found[each.site.name] = rounder
    return found


@pytest.mark.parametrize("form", ["coded", "codes", "packed"])
def test_few_values_stay_where_rounding_saves_little(form: str) -> None:
    graph = rounded(14)
    for name, rounder in rounders(graph, form).items():
        fine, coarse = rounder.round(0.02), rounder.round(2.5)
        assert fine.palette is not None
        assert coarse.palette is None
        assert coarse.bits < fine.bits
        assert rounder.coarseness(fine) == 0 < rounder.coarseness(coarse)
        assert np.array_equal(rounder.site.from_matrix(fine.weights), graph[name].tensor().numpy())


def test_the_noise_of_a_weight_is_worth_a_part_of_a_bit() -> None:
    rounder = rounders(rounded(64), "coded")["dense/weights"]
    exact = rounder.round(1e-3)
    for coarseness in np.geomspace(0.02, 1, 40):
        plain, found = inexact([rounder])[0].round(coarseness), rounder.round(coarseness)
        assert (found is exact) == (exact.bits <= plain.bits + 0.7213 * rounder.site.size)


def test_many_values_and_plain_floats_are_rounded_alone() -> None:
    for graph, form in ((classifier(), "coded"), (rounded(64), "float")):
        for site in find_sites(graph):
            rounder = SiteRounder(site, graph[site.name].tensor(), None)
            assert or_exact(rounder, rounder.matrix, form) is rounder


@pytest.mark.parametrize("form", ["coded", "codes", "packed"])
def test_what_was_rounded_is_written_as_it_was(form: str) -> None:
    graph = rounded(14)
    model = Model.of(graph, engine("builtin").load(graph), ["x"], OUTPUTS)
    compressor = Compressor.of(model, generated(graph, ["x"]), Way(form))
    assert all(each.noise.any() for each in compressor.sensitivities.values())  # of rounding
    found = compressor.compress(40.0)
    assert all(each.palette for each in found.rounded.values())
    program = engine("builtin").load(written(model, found.rounded, form))
    for name, values in zip(model.names, program.run({}, model.names), strict=True):
        assert np.array_equal(values, graph[name].tensor().numpy()), name


def test_any_promise_can_be_kept() -> None:
    """Where codes and float16 are too coarse, weights and vectors stay floats."""
    graph = classifier()
    pbslim.transform(graph, "quantize_weights", outputs=OUTPUTS)
    pbslim.transform(graph, "decode_weights", outputs=OUTPUTS)
    model = Model.of(graph, engine("builtin").load(graph), ["x"], OUTPUTS)
    compressor = Compressor.of(model, generated(graph, ["x"]), Way("coded"))
    found = compressor.compress(110.0)
    assert found.snr >= 110
    assert found.rounded["dense/weights"].palette
    assert any(each.stays for each in found.rounded.values())
    assert model.exact_vectors
    assert len(written(model, found.rounded, "coded")) > 0


def test_nothing_is_written_in_as_many_bits() -> None:
    graph = classifier()
    model = Model.of(graph, engine("builtin").load(graph), ["x"], OUTPUTS)
    compressor = Compressor.of(model, generated(graph, ["x"]), Way("coded"))
    with pytest.raises(CheckError, match="no weights in fewer bits keep 190"):
        compressor.compress(190.0)


def test_a_quantized_model_becomes_smaller_and_stays_the_same(tmp_path: Path) -> None:
    graph = classifier()
    pbslim.transform(graph, "quantize_weights(minimum_size=256)", outputs=OUTPUTS)
    before = pbslim.save(graph, tmp_path / "in.pb")
    options = CompressionOptions(Promise(100.0, 1.0))
    result = shrink(tmp_path / "in.pb", tmp_path / "out.pb", options=options, proof=Proof())
    assert result.after.size < before
    assert result.verification
    assert result.verification.snr >= 100
    assert result.plan
    assert {choice.form for choice in result.plan.choices} == {"exact"}
    assert all("few values" in choice.why and choice.noise == 0 for choice in result.plan.choices)
    (tmp_path / "plan.json").write_text(result.plan.to_json())
    plan = type(result.plan).read(tmp_path / "plan.json")
    assert json.loads(plan.to_json()) == json.loads(result.plan.to_json())
    shrink(tmp_path / "in.pb", tmp_path / "again.pb", options=CompressionOptions(plan=plan))
    assert (tmp_path / "again.pb").read_bytes() == (tmp_path / "out.pb").read_bytes()
