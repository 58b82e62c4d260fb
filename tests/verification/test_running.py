"""Processes that run one graph after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.engines.apart import ProgramApart
from pbslim.errors import PbslimError
from pbslim.verification.running import Setting, spare_processes
from tests.graphs import parse


@pytest.mark.usefixtures("apart")
def test_a_process_that_is_spared_runs_the_next_graph(tmp_path: Path) -> None:
    for name in ("Neg", "Square"):
        pbslim.save(parse(f"x = Placeholder(shape=[])\ny = {name}(x)\n-> y")[0], tmp_path / name)
    spare: list[ProgramApart] = []
    setting = Setting("builtin", spare=spare)
    try:
        found = []
        for name in ("Neg", "Square"):
            with setting.started(tmp_path / name, name) as program:
                found.append((program, *program.run({"x": np.full((), 3, np.float32)}, ["y"])))
            assert spare == [program]
        assert found == [(program, -3), (program, 9)]
        with pytest.raises(PbslimError, match="other"), setting.started(tmp_path / "none", "other") as program:
            program.wait()
        assert not spare  # what became of it nobody knows
    finally:
        for each in spare:
            each.close()


def test_an_engine_that_starts_at_once_needs_none(tmp_path: Path) -> None:
    with spare_processes("builtin", tmp_path / "none.pb") as spare:
        assert spare is None


@pytest.mark.tensorflow
def test_two_begin_to_load_and_end_with_the_context(tmp_path: Path) -> None:
    pbslim.save(parse("x = Placeholder(shape=[])\ny = Neg(x)\n-> y")[0], tmp_path / "in.pb")
    with spare_processes("tensorflow", tmp_path / "in.pb") as spare:
        assert spare is not None
        assert len(spare) == 2
