from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim import load
from pbslim.engines import tensorflow
from pbslim.errors import DecodeError, TransformError
from pbslim.ir import ArrayTensor
from pbslim.wire import save
from tests.graphs import apply, check_refuses, check_transform, parse, show
from tests.wire.test_checkpoints import save_variables

SPARSIFY = "sparsify_gather"
INPUTS = ["ids"]
WEIGHTS = """
    ids = Placeholder(dtype='int64')
    w = Const([[0], [1.5], [1e-6], [-2]])
    read = Identity(w)
"""
LOOKUP = "y = Gather(read, ids, Tindices='int64', Tparams='float')\n"
AXIS = "axis = Const(0, dtype='int32')\n"
LOOKUP_V2 = AXIS + "y = GatherV2(read, ids, axis, Tindices='int64', Tparams='float', Taxis='int32')\n"
TABLE = """
    ids = Placeholder(dtype='int64')
    w/indices = Const([1, 3], dtype='int64')
    w/values = Const([1.5, -2])
    w/HashTable = HashTable(key_dtype='int64', value_dtype='float')
    w/InitializeTable = InitializeTable(w/HashTable, w/indices, w/values, Tkey='int64', Tval='float')
    group_deps = NoOp(^w/InitializeTable)
"""


def _lookup(name: str, controls: str = "") -> str:
    return (
        f"""
        {name}/Const = Const(0)
        {name}/LookupTableFind = LookupTableFind(w/HashTable, ids, {name}/Const{controls}, Tin='int64', Tout='float')
        {name}/ExpandDims/Const = Const(-1, dtype='int32')
        {name} = ExpandDims({name}/LookupTableFind, {name}/ExpandDims/Const)
    """.replace("\n    ", "\n").strip("\n ")
        + "\n"
    )


def _lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


@pytest.mark.parametrize("lookup", [LOOKUP, LOOKUP_V2])
def test_a_table_of_what_is_not_about_zero(lookup: str) -> None:
    after = _lines(TABLE + _lookup("y")) + "\n-> y"
    check_transform(SPARSIFY, WEIGHTS + lookup + "-> y", after)
    check_transform(f"{SPARSIFY} {SPARSIFY}", WEIGHTS + lookup + "-> y", after)


@pytest.mark.tensorflow
@pytest.mark.parametrize("lookup", [LOOKUP, LOOKUP_V2])
@pytest.mark.parametrize("shape", [(5,), (2, 3), ()])
def test_the_same_values(lookup: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    ids = {"ids": np.random.default_rng(0).integers(0, 4, shape)}
    graph, outputs = parse(WEIGHTS + lookup + "-> y")
    save(graph, tmp_path / "before.pb")
    save(apply(SPARSIFY, WEIGHTS + lookup + "-> y")[0], tmp_path / "after.pb")
    want, got = (tensorflow.run(tmp_path / f"{name}.pb", ids, outputs)[0] for name in ("before", "after"))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_one_table_for_several_lookups() -> None:
    after = _lines(TABLE + _lookup("y") + _lookup("z")) + "\n-> y, z"
    check_transform(SPARSIFY, WEIGHTS + LOOKUP + LOOKUP.replace("y =", "z =") + "-> y, z", after)
    text = WEIGHTS + LOOKUP_V2 + LOOKUP_V2.replace("y =", "z =").replace(AXIS, "") + "-> y, z"
    check_transform(SPARSIFY, text, after)  # they share the axis


def test_one_that_stays_is_in_nobodys_way() -> None:
    other = "v = Const([[1, 2], [3, 4]])\nvread = Identity(v)\n" + LOOKUP.replace("y = Gather(read", "z = Gather(vread")
    for text in (WEIGHTS + LOOKUP + other, WEIGHTS + other + LOOKUP):  # on the same ids
        graph, results = apply(SPARSIFY, text + "-> y, z")
        assert [graph[name].op for name in ("y", "z")] == ["ExpandDims", "Gather"]
        assert [skipped.node for skipped in results[0].skipped] == ["z"]


def test_control_edges_go_to_the_lookup() -> None:
    text = WEIGHTS + LOOKUP.replace("ids,", "ids, ^a,") + "a = NoOp()\nb = NoOp(^y)\n-> y, b"
    after = _lines(TABLE + _lookup("y", ", ^a")) + "\na = NoOp()\nb = NoOp(^y)\n-> y, b"
    check_transform(SPARSIFY, text, after)


def test_only_what_is_about_zero() -> None:
    graph, _ = apply(SPARSIFY, WEIGHTS.replace("1.5", "0").replace("-2", "-9e-6") + LOOKUP + "-> y")
    assert graph["w/indices"].tensor().numpy().tolist() == [0]
    assert graph["w/values"].tensor().numpy().tolist() == [0]


def test_nan_is_not_about_zero() -> None:
    graph, outputs = parse(WEIGHTS + LOOKUP + "-> y")
    values = np.array([[0], [np.nan], [0], [-2]], np.float32)
    graph["w"].set_attr("value", ArrayTensor(values))
    pbslim.transform(graph, SPARSIFY, INPUTS, outputs)
    assert graph["w/indices"].tensor().numpy().tolist() == [1, 3]


def test_the_init_node_that_is_there() -> None:
    text = WEIGHTS + LOOKUP + "a = NoOp()\ninit = NoOp(^a)\n-> y, init"
    graph, _ = apply(f"{SPARSIFY}(group_init_node=init)", text)
    assert [node.name for node in graph["init"].controls] == ["a", "w/InitializeTable"]
    with pytest.raises(TransformError, match="'y' is a ExpandDims, not a NoOp"):
        apply(f"{SPARSIFY}(group_init_node=y)", text)


def test_without_a_lookup_nothing_changes() -> None:
    text = "x = Placeholder()\ny = Neg(x)\n-> y"
    check_transform(SPARSIFY, text, text)


def test_what_leads_to_no_output_goes() -> None:
    summary = "t = Const('w', dtype='string')\nm = Mean(read, zero)\nzero = Const(0, dtype='int32')\n"
    text = WEIGHTS + LOOKUP + summary + "s = ScalarSummary(t, m)\n-> y"
    check_transform(SPARSIFY, text, _lines(TABLE + _lookup("y")) + "\n-> y")


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (WEIGHTS.replace("[0], [1.5], [1e-6], [-2]", "[1, 2], [3, 4]") + LOOKUP + "-> y", "is float [2, 2], not"),
        (WEIGHTS.replace("]])", "]], dtype='double')") + LOOKUP + "-> y", "is double [4, 1]"),
        (WEIGHTS + LOOKUP.replace("Tindices='int64'", "Tindices='int32'") + "-> y", "its ids are int32"),
        (WEIGHTS + LOOKUP_V2.replace("Const(0", "Const(1") + "-> y", "not the constant 0"),
        (WEIGHTS + LOOKUP_V2.replace("Taxis=", "batch_dims=1, Taxis=") + "-> y", "batch_dims"),
        (WEIGHTS + LOOKUP + "z = Neg(read)\n-> y, z", "'z' (Neg) needs the values of 'w' as well"),
        (WEIGHTS + LOOKUP + "n = Neg(w)\nz = Neg(n)\n-> y, z", "needs the values of 'w' as well"),
        (WEIGHTS + LOOKUP + "-> y, read", "'read' is an input or output"),
        (WEIGHTS + LOOKUP + LOOKUP.replace("y =", "z =").replace("s='int64'", "s='int32'") + "-> y, z", "'z' (Gather)"),
        (WEIGHTS.replace("Const([[0], [1.5], [1e-6], [-2]])", "VariableV2()") + LOOKUP + "-> y", "is a variable"),
    ],
)  # fmt: skip
def test_refuses(graph: str, reason: str) -> None:
    check_refuses(SPARSIFY, graph, reason)


VARIABLE = """
    ids = Placeholder(dtype='int64')
    save/Const = Const('model', dtype='string')
    names = Const(['other', 'w', 'w'], dtype='string')
    parts = Const(['', '6 1 0,2:0,1', '6 1 2,4:0,1'], dtype='string')
    save/RestoreV2 = RestoreV2(save/Const, names, parts)
    w/part_1 = VariableV2(dtype='float', shape=[4, 1])
    zeros = Const([[0], [0], [0], [0]])
    w/part_1/Assign = Assign(w/part_1, zeros)
    save/Assign_1 = Assign(w/part_1, save/RestoreV2:2)
    save/restore_all = NoOp(^save/Assign_1)
    read = Identity(w/part_1)
    group_deps = NoOp(^w/part_1/Assign)
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize("partitioned", [False, True])
def test_variables_come_from_the_checkpoint(partitioned: bool, tmp_path: Path) -> None:
    whole = np.array([[7], [8], [0], [1.5], [1e-6], [-2]], np.float32)
    other = np.zeros(3, np.float32)
    if partitioned:
        slices = {"w#0": "6 1 0,2:0,1", "w#1": "6 1 2,4:0,1"}
        prefix = save_variables(tmp_path / "model", {"other": other, "w#0": whole[:2], "w#1": whole[2:]}, slices)
    else:
        prefix = save_variables(tmp_path / "model", {"other": other, "w": whole})
    transform = f'{SPARSIFY}(input_checkpoint="{prefix}")'
    graph, _ = apply(transform, VARIABLE + LOOKUP + "-> y", INPUTS)
    wanted = (TABLE + _lookup("y")).replace("w/", "w/part_1/")
    restore = (" names =", " parts =", " save/Const =", " save/RestoreV2 =")
    kept = [line for line in VARIABLE.splitlines() if any(start in line for start in restore)]
    assert show(graph) == show(parse(_lines(wanted + "\n".join(kept)))[0])
    save(graph, tmp_path / "after.pb")
    assert load(tmp_path / "after.pb")["group_deps"].controls[0].name == "w/part_1/InitializeTable"


@pytest.mark.tensorflow
def test_what_is_wrong_with_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"sparsify_gather: there is no checkpoint '.*nothing'"):
        apply(f'{SPARSIFY}(input_checkpoint="{tmp_path}/nothing")', VARIABLE + LOOKUP + "-> y")
    transform = f'{SPARSIFY}(input_checkpoint="{save_variables(tmp_path / "model", {"v": np.zeros(3, np.float32)})}")'
    check_refuses(transform, VARIABLE + LOOKUP + "-> y", "has no 'w'")
    behind = VARIABLE.replace("parts = Const", "parts = Identity(p)\np = Const")
    check_refuses(transform, VARIABLE.replace("'w'", "'v'") + LOOKUP + "-> y", "has 2 dimensions, not 1")
    check_refuses(transform, VARIABLE.replace("6 1 2,4", "6 1 2.4") + LOOKUP + "-> y", "names no part")
    check_refuses(transform, behind + LOOKUP + "-> y", "is not a constant")
    check_refuses(transform, VARIABLE.replace("save/RestoreV2:2)", "zeros)") + LOOKUP + "-> y", "no RestoreV2 gives")
    check_refuses(transform, VARIABLE + LOOKUP + "z = Neg(w/part_1)\n-> y, z", "'z' (Neg) needs")
