"""Processes that run one graph after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.engines.apart import ProgramApart
from pbslim.errors import PbslimError
from pbslim.verification.running import Setting, Side, run_both, spare_processes, spared
from tests.graphs import parse


@pytest.mark.usefixtures("apart")
def test_a_process_that_is_spared_runs_the_next_graph(tmp_path: Path) -> None:
    for name in ("Neg", "Square"):
        pbslim.save(parse(f"x = Placeholder(shape=[])\ny = {name}(x)\n-> y")[0], tmp_path / name)
    with spared() as spare:
        setting = Setting("builtin", spare=spare)
        found = []
        for name in ("Neg", "Square"):
            with setting.started(tmp_path / name, name) as program:
                found.append((program, *program.run({"x": np.full((), 3, np.float32)}, ["y"])))
            assert spare == [program]
            with pytest.raises(PbslimError, match="no graph is loaded"):
                program.run({}, ["y"])
        assert found == [(program, -3), (program, 9)]
        with pytest.raises(PbslimError, match="other"), setting.started(tmp_path / "none", "other") as program:
            program.wait()
        assert not spare  # what became of it nobody knows


@pytest.mark.usefixtures("apart")
def test_a_process_of_which_no_more_is_asked_runs_the_next_graph(tmp_path: Path) -> None:
    graphs = [parse(f"x = Placeholder(shape=[])\ny = {name}(x)\n-> y")[0] for name in ("Neg", "Square", "Abs")]
    pbslim.save(graphs[2], tmp_path / "in.pb")
    with spared() as spare:
        setting = Setting("builtin", spare=spare)
        with closing(setting.edited(graphs, "in.pb")) as programs:
            first = next(programs)
            assert next(programs) is first
        assert spare == [first]
        with setting.started(tmp_path / "in.pb", "in.pb") as program:
            assert program is first
            assert program.run({"x": np.full((), -3, np.float32)}, ["y"]) == [3]


def test_an_engine_that_starts_at_once_needs_none_before(tmp_path: Path) -> None:
    with spare_processes("builtin", tmp_path / "none.pb") as spare:
        assert spare == []


@pytest.mark.tensorflow
def test_two_begin_to_load_and_end_with_the_context(tmp_path: Path) -> None:
    pbslim.save(parse("x = Placeholder(shape=[])\ny = Neg(x)\n-> y")[0], tmp_path / "in.pb")
    with spare_processes("tensorflow", tmp_path / "in.pb") as spare:
        assert len(spare) == 2


def test_huge_graphs_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Neg", "Square"):
        pbslim.save(parse(f"x = Placeholder(shape=[-1])\ny = {name}(x)\n-> y")[0], tmp_path / name)
    sides = (
        Side(tmp_path / "Neg", pbslim.load(tmp_path / "Neg")),
        Side(tmp_path / "Square", pbslim.load(tmp_path / "Square")),
    )
    batches = [{"x": np.arange(count, dtype=np.float32)} for count in (3, 2, 1)]
    running: list[tuple[str, ...]] = []

    class Noted(Setting):
        @contextmanager
        def running(self, side: Side) -> Iterator[ProgramApart]:
            running.append((*(running[-1] if running else ()), side.path.name))
            with super().running(side) as program:
                yield program
            running.append(running[-1][:-1])

    for huge, most in ((1 << 28, 2), (0, 1)):
        monkeypatch.setattr("pbslim.verification.running._HUGE", huge)
        running.clear()
        found = run_both(Noted("builtin"), sides, (["y"], ["y"]), batches, lambda done, *_: done == 2)
        assert max(map(len, running)) == most
        assert found.sizes == [3, 2]
        assert np.array_equal(found.first["y"].stacked(found.sizes), [0, -1, -2, 0, -1])
        assert np.array_equal(found.second["y"].stacked(found.sizes), [0, 1, 4, 0, 1])


@pytest.mark.usefixtures("apart")
def test_what_is_not_needed_any_more_may_fail(tmp_path: Path) -> None:
    graph = parse("x = Placeholder(shape=[-1])\nl = Log(x)\ny = CheckNumerics(l)\n-> y")[0]
    pbslim.save(graph, tmp_path / "in.pb")
    side = Side(tmp_path / "in.pb", graph)
    batches = [{"x": np.full(2, value, np.float32)} for value in (1, 2, -1)]
    with spared() as spare:
        setting = Setting("builtin", spare=spare)
        for _ in range(2):  # the second time in the processes of the first
            found = run_both(setting, (side, side), (["y"], ["y"]), batches, lambda done, *_: done == 2)
            assert found.sizes == [2, 2]
            assert len(spare) == 2
        with pytest.raises(PbslimError, match="infinities"):
            run_both(setting, (side, side), (["y"], ["y"]), batches)


@pytest.mark.usefixtures("apart")
def test_a_process_that_died_meanwhile_is_not_used(tmp_path: Path) -> None:
    pbslim.save(parse("x = Placeholder(shape=[])\ny = Neg(x)\n-> y")[0], tmp_path / "in.pb")
    with spared() as spare:
        setting = Setting("builtin", spare=spare)
        with setting.started(tmp_path / "in.pb", "in.pb") as first:
            first.wait()
        first.close()
        with setting.started(tmp_path / "in.pb", "in.pb") as second:
            assert second.run({"x": np.full((), 3, np.float32)}, ["y"]) == [-3]
        assert spare == [second]
