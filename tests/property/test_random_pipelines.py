"""Random graphs and real models through random pipelines: TensorFlow must still answer as each effect allows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pbslim
import pbslim.transforms
from pbslim.ir.order import check
from pbslim.passes import registry
from tests.graphs import show
from tests.property.random_graphs import RandomGraph
from tests.repeating import seeds
from tests.shared import meta, models, needs_shared

# What can be put anywhere into a pipeline.
STEPS = [
    "add_default_attributes",
    "backport_concatv2",
    "backport_tensor_array_v3",
    "cancel_transposes",
    "decode_weights",
    "drop_idle_controls",
    "flatten_atrous_conv",
    "fold_all_batch_norms",
    "fold_batch_norms",
    "fold_batch_norms(algebraic=true)",
    "fold_constants(ignore_errors=true)",
    "fold_old_batch_norms",
    "fold_subdivmul_batch_norms",
    "fuse_convolutions",
    "fuse_pad_and_conv",
    "fuse_resize_and_conv",
    "fuse_resize_pad_and_conv",
    "inline_partitionedcall",
    "lower_control_flow",
    "merge_duplicate_nodes",
    "obfuscate_names",
    "prune_branches",
    "palettize_weights(minimum_size=8)",
    "remove_attribute(attribute_name=_class)",
    "remove_control_dependencies",
    "remove_default_attributes",
    "remove_device",
    "remove_dropout",
    "remove_idle_nodes",
    "remove_nodes(op=Identity, op=CheckNumerics)",
    "repair_nodes",
    'set_device(device="/cpu:0")',
    "simplify_arithmetic",
    "simplify_reshapes",
    "sort_by_execution_order",
    "strip_unused_nodes",
]
# The others that lose nothing: they rename and mark at the user's word.
AT_WORD = [
    "insert_logging(op=Softmax, first_n=0)",
    "rename_attribute(old_attribute_name=_output_shapes, new_attribute_name=_shapes)",
    "rename_node(old_node_name=Const, new_node_name=renamed/Const)",
    "rename_op(old_op_name=BatchMatMul, new_op_name=BatchMatMulV2)",
    "set_placeholders(name=never_fed, value=1, ignore_errors=true)",
]
LOSSY = ["quantize_weights(minimum_size=8)", "round_weights(num_steps=64)"]
RELATIVE = {"exact": 1e-5, "annotates": 1e-5, "reassociates": 2e-4}


def _effect(step: str) -> str:
    return registry.find(step.partition("(")[0]).effect


def test_nothing_that_loses_nothing_is_left_out() -> None:
    refused = {name for name in registry.names() if registry.find(name).manual.startswith("Not supported")}
    wanted = {name for name in registry.names() if registry.find(name).effect != "lossy"} - refused
    assert {step.partition("(")[0] for step in STEPS + AT_WORD} == wanted


def _run(path: Path, feeds: dict[str, Any], outputs: list[str]) -> list[npt.NDArray[Any]]:
    from pbslim.engines import tensorflow

    return tensorflow.run(path, feeds, outputs)


@pytest.mark.tensorflow
@pytest.mark.parametrize("seed", seeds(30))
def test_a_random_graph_stays_within_the_effects(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    choose = random.Random(seed)  # noqa: S311
    made = RandomGraph(seed)
    outputs = made.outputs()
    pbslim.save(made.graph, tmp_path / "before.pb")
    steps = choose.sample(STEPS, choose.randint(1, 6)) + choose.sample(LOSSY, choose.randint(0, 1))
    graph = pbslim.load(tmp_path / "before.pb")
    pbslim.transform(graph, " ".join(steps), ["image", "rows"], outputs)
    check(graph)
    pbslim.save(graph, tmp_path / "after.pb")
    before = _run(tmp_path / "before.pb", made.feeds, outputs)
    feeds = {name: value for name, value in made.feeds.items() if name in graph}
    after = _run(tmp_path / "after.pb", feeds, outputs)
    effects = {_effect(step) for step in steps}
    for name, was, now in zip(outputs, before, after, strict=True):
        assert was.shape == now.shape
        assert np.isfinite(now).all()
        if "lossy" not in effects:
            limit = max(RELATIVE[effect] for effect in effects) * max(1.0, float(np.abs(was).max()))
            np.testing.assert_allclose(now, was, rtol=0, atol=limit, err_msg=f"{name} after {steps}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(15))
def test_a_second_run_changes_nothing(seed: int) -> None:
    # Matches of these never share a node, so that a second run may find what the first one was in the way of.
    one_at_a_time = {"flatten_atrous_conv", "fold_batch_norms", "fold_old_batch_norms"}
    for step in STEPS + LOSSY[:1]:
        if step in one_at_a_time:
            continue
        made = RandomGraph(seed)
        outputs = made.outputs()
        pbslim.transform(made.graph, step, ["image", "rows"], outputs)
        once = show(made.graph)
        pbslim.transform(made.graph, step, ["image", "rows"], outputs)
        assert show(made.graph) == once, step


@pytest.mark.tensorflow
@needs_shared
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", seeds(1))
def test_models_answer_as_before_in_any_order(seed: int, backwards: bool, tmp_path: Path) -> None:
    """An order and its reverse have each transform before and after each other one."""
    pytest.importorskip("tensorflow")
    for folder in models():
        order = random.Random(f"{seed} {folder.name}")  # noqa: S311 - for each model another one
        steps = order.sample(STEPS + AT_WORD, len(STEPS + AT_WORD))
        if backwards:
            steps.reverse()
        facts = meta(folder)
        outputs = [o["name"] for o in facts["outputs"]]
        graph = pbslim.load(folder / "model.pb")
        pbslim.transform(graph, " ".join(steps), [i["name"] for i in facts["inputs"]], outputs)
        pbslim.save(graph, tmp_path / "out.pb")
        with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
            got = _run(tmp_path / "out.pb", {k: feeds[k] for k in feeds.files}, outputs)
            for name, now in zip(outputs, got, strict=True):
                was = expected[name]
                if name in facts.get("order_sensitive", []):
                    continue
                if was.dtype.kind == "S":
                    assert now.astype("S").tolist() == was.tolist()
                    continue
                limit = 1e-5 + 1e-3 * float(np.abs(was).max(initial=0))
                np.testing.assert_allclose(now, was, rtol=0, atol=limit, err_msg=f"{folder.name}:{name} after {steps}")
