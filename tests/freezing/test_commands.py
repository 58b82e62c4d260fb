"""Commands take the folder of a SavedModel, or a checkpoint with its graph, wherever they take a graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pbslim
from tests import commands
from tests.freezing.cases import HERE
from tests.shared import SHARED

MODEL = HERE / "tf2_multi_signature" / "saved_model"
CHECKPOINT = HERE / "tf1_sharded" / "model.meta"
GRAPH = HERE / "tf1_checkpoint_v1" / "graph.pb"


def test_shrink_and_verify(tmp_path: Path) -> None:
    small = tmp_path / "small.pb"
    done = commands.run("shrink", MODEL, "-o", small, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["signature"]["outputs"] == {"score": "Identity"}
    assert commands.run("verify", MODEL, small).code == 0
    assert commands.run("verify", small, MODEL).code == 0
    assert commands.run("diff", MODEL, MODEL).code == 0


def test_inspect_and_run(tmp_path: Path) -> None:
    found = json.loads(commands.run("inspect", MODEL, "--json").out)
    assert [each["name"] for each in found["inputs"]] == ["left", "right"]
    assert found["size"] == pbslim.save(pbslim.load(MODEL), tmp_path / "frozen.pb")
    np.savez(tmp_path / "feeds.npz", left=np.ones((1, 4), np.float32), right=np.ones((1, 4), np.float32))
    assert commands.run("run", MODEL, "--feeds", tmp_path / "feeds.npz").code == 0


@pytest.mark.parametrize(
    ("model", "says"),
    [(MODEL, "1 variable turned into a constant"), (CHECKPOINT, "4 variables turned into constants")],
)
def test_the_variables_are_counted(model: Path, says: str, tmp_path: Path) -> None:
    assert f", {says}, " in commands.run("freeze", model, "-o", tmp_path / "frozen.pb").out


def test_the_reference_tools(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    asked = "--inputs=x", "--outputs=y", "--transforms=fold_constants"
    assert commands.run("transform_graph", f"--in_graph={CHECKPOINT}", f"--out_graph={out}", *asked).code == 0
    assert commands.run("summarize_graph", f"--in_graph={CHECKPOINT}").code == 0
    frozen = tmp_path / "frozen.pb"
    flags = f"--input_graph={GRAPH}", f"--input_checkpoint={GRAPH.parent / 'old.ckpt'}", f"--output_graph={frozen}"
    done = commands.run("freeze_graph", *flags, "--output_node_names=y,z")
    assert done == (0, "56 ops in the final graph.\n", "")
    again = f"--input_graph={frozen}", flags[1]
    assert "cannot freeze a graph twice" in commands.run("freeze_graph", *again, "--output_node_names=y,z").err
    assert "--output_node_names" in commands.run("freeze_graph", *again).err


def test_variables_that_are_left() -> None:
    checkpoint = GRAPH.parent / "old.ckpt"
    whole = pbslim.freeze_graph("y", input_graph=GRAPH, input_checkpoint=checkpoint).graph
    found = pbslim.freeze_graph(
        "y", input_graph=GRAPH, input_checkpoint=checkpoint, variable_names_blacklist="w/part_0"
    )
    part = found.graph
    assert {node.name: node.op for node in part if node.op != whole[node.name].op} == {"w/part_0": "VariableV2"}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    done = commands.run("freeze", GRAPH, "-o", tmp_path / "x.pb", "--outputs=y")
    assert done.refused
    assert "--checkpoint" in done.err
    other = GRAPH.parents[1] / "tf1_sharded" / "model"
    done = commands.run("freeze", GRAPH, "-o", tmp_path / "x.pb", "--outputs=y", "--checkpoint", other)
    assert done.refused
    assert "has no values for" in done.err
    (tmp_path / "empty").mkdir()
    assert "is a directory" in commands.run("freeze", tmp_path / "empty", "-o", tmp_path / "x.pb").err
    assert not (tmp_path / "x.pb").exists()


@pytest.mark.skipif(not SHARED.exists(), reason="the golden cases are not here")
def test_the_latest_checkpoint_of_a_folder() -> None:
    folder = SHARED / "golden_saved_model" / "tf1_checkpoint_meta"
    latest, older = pbslim.load(folder), pbslim.load(folder / "model.ckpt-10")
    same = pbslim.load(folder / "model.ckpt-20.meta")
    assert pbslim.diff(latest, same).equal
    assert not pbslim.diff(latest, older).equal
