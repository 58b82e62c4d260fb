"""How long graphs take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pbslim
from pbslim.errors import UsageError
from pbslim.verification.benchmark import benchmark
from tests import commands
from tests.graphs import parse
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"


@pytest.mark.usefixtures("apart")
def test_figures_are_plausible(tmp_path: Path) -> None:
    parts = "\n".join(f"m{i + 1} = MatMul(m{i}, w)" for i in range(8))
    weights = [[0.01] * 128] * 128
    graph, _ = parse(f"m0 = Placeholder(shape=[4096, 128])\nw = Const({weights})\n{parts}\n-> m8")
    pbslim.save(graph, tmp_path / "heavy.pb")
    light, heavy = benchmark([DIGITS, tmp_path / "heavy.pb"], engines=["builtin"], runs=5)
    for found in (light, heavy):
        assert (found.engine, found.runs, found.problem) == ("builtin", 5, "")
        assert 0 < found.quickest <= found.median <= found.slowest
        assert found.load > 0
        assert found.first > 0
    assert heavy.quickest > light.quickest


def test_a_graph_that_cannot_run_has_a_reason(tmp_path: Path) -> None:
    graph, _ = parse("x = Placeholder(shape=[2])\ny = Bessel(x)\n-> y")
    pbslim.save(graph, tmp_path / "in.pb")
    done = commands.run("benchmark", tmp_path / "in.pb", DIGITS, "--engine=builtin", "--runs=1", "--json")
    refused, ran = json.loads(done.out)
    assert (done.code, refused["median"], ran["problem"]) == (0, 0, "")
    assert "Bessel" in refused["problem"]
    assert "Bessel" in done.err


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown engine 'abacus'"):
        benchmark([DIGITS], engines=["abacus"])
