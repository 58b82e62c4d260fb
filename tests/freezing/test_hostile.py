"""Folders that somebody damaged or made to do harm: one line, nothing written."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pbslim
from pbslim.errors import PbslimError
from pbslim.wire import schema, to_bytes
from tests import commands
from tests.freezing.cases import HERE

MODEL = HERE / "tf2_multi_signature" / "saved_model"
BRANCH = HERE / "tf2_gather_in_branch" / "saved_model"
TABLE = HERE / "tf1_string_table" / "saved_model"


def changed(folder: Path, change: Callable[[Any], None], model: Path = MODEL) -> Path:
    """A copy of a model of which the message is changed."""
    shutil.copytree(model, folder / "model")
    message = schema.new("SavedModel")
    message.ParseFromString((model / "saved_model.pb").read_bytes())
    change(message.meta_graphs[0])
    (folder / "model" / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder / "model"


def assert_refused(model: Path, says: str) -> None:
    """Freezing gives one line that says so, and no file."""
    before = sorted(model.parent.rglob("*"))
    done = commands.run("freeze", model, "-o", model.parent / "frozen.pb")
    assert done.refused, done
    assert says in done.err, done.err
    assert sorted(model.parent.rglob("*")) == before


def _copy(folder: Path) -> Path:
    shutil.copytree(MODEL, folder / "model")
    return folder / "model"


def test_a_shard_that_was_cut(tmp_path: Path) -> None:
    model = _copy(tmp_path)
    shard = model / "variables" / "variables.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:20])
    assert_refused(model, "is truncated")


def test_a_flipped_bit(tmp_path: Path) -> None:
    model = _copy(tmp_path)
    shard = model / "variables" / "variables.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[3] ^= 1
    shard.write_bytes(data)
    assert_refused(model, "checksum")


@pytest.mark.parametrize("gone", ["variables/variables.data-00000-of-00001", "variables/variables.index"])
def test_a_file_that_is_missing(gone: str, tmp_path: Path) -> None:
    model = _copy(tmp_path)
    (model / gone).unlink()
    assert_refused(model, "variables")


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "C:\\windows", "a/../../x", "..\\x", "nul\0byte"])
def test_an_asset_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a\nb\n")

    def change(meta: Any) -> None:
        for each in meta.collection_def["saved_model_assets"].any_list.value:
            asset = schema.new("AssetFileDef")
            asset.ParseFromString(each.value)
            asset.filename = name
            each.value = asset.SerializeToString()

    assert_refused(changed(tmp_path, change, TABLE), "is not in the folder")


def test_an_asset_that_is_a_link_out_of_the_folder(tmp_path: Path) -> None:
    shutil.copytree(TABLE, tmp_path / "model")
    (tmp_path / "secret").write_text("a\nb\n")
    [asset] = (tmp_path / "model" / "assets").iterdir()
    asset.unlink()
    asset.symlink_to(tmp_path / "secret")
    assert_refused(tmp_path / "model", "is not in the folder")


def test_a_result_does_not_replace_a_part_of_the_model(tmp_path: Path) -> None:
    model = _copy(tmp_path)
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        done = commands.run("freeze", model, "-o", model / name)
        assert done.refused
        assert "is in the input" in done.err


@pytest.mark.parametrize("name", ["__inference_f_74", "__inference_signature_wrapper_f_85", "cond_true_12"])
@pytest.mark.parametrize(
    ("returned", "says"),
    [("", "is not returned"), ("nowhere:output:0", "'nowhere'"), ("{}:nope:0", "is not an output of")],
)
def test_a_function_that_does_not_return_what_it_says(name: str, returned: str, says: str, tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        [function] = [each for each in meta.graph_def.library.function if each.signature.name == name]
        for key, value in list(function.ret.items()):
            function.ret[key] = returned.format(value.partition(":")[0])
            if not returned:
                del function.ret[key]

    model = changed(tmp_path, change, BRANCH)
    assert_refused(model, f"'{model}' is damaged: function '{name}': ")
    assert says in commands.run("freeze", model, "-o", tmp_path / "frozen.pb").err


def test_an_op_that_nobody_knows_is_no_damage(tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        for function in meta.graph_def.library.function:
            for node in function.node_def if function.signature.name == "cond_true_12" else ():
                node.op = "OpOfNobody" if node.op == "Identity" else node.op

    model = changed(tmp_path, change, BRANCH)
    assert commands.run("freeze", model, "-o", tmp_path / "frozen.pb").code == 0


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if node.op == "StatefulPartitionedCall":
                    node.attr["f"].func.name = function.signature.name

    assert_refused(changed(tmp_path, change), "call each other without end")


def test_branches_that_call_each_other(tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if node.op in ("If", "StatelessIf"):
                    node.attr["then_branch"].func.name = function.signature.name

    model = HERE / "tf2_gather_in_branch" / "saved_model"
    assert_refused(changed(tmp_path, change, model), "call each other without end")


def test_functions_that_double_at_each_level(tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        library = meta.graph_def.library.function
        [wrapper] = [each for each in library if "signature_wrapper_score" in each.signature.name]
        [call] = [node for node in wrapper.node_def if node.op == "StatefulPartitionedCall"]
        called = call.attr["f"].func.name
        for level in range(60):
            function = library.add()
            function.CopyFrom(wrapper)
            function.signature.name = f"level{level}"
            for node in function.node_def:
                if node.op == "StatefulPartitionedCall":
                    node.attr["f"].func.name = called
                    twin = schema.new("NodeDef")
                    twin.CopyFrom(node)
                    twin.name = "twin"
            function.node_def.add().CopyFrom(twin)
            called = function.signature.name
        call.attr["f"].func.name = called

    assert_refused(changed(tmp_path, change), "more nodes")


def test_a_signature_of_what_is_not_there(tmp_path: Path) -> None:
    def change(meta: Any) -> None:
        meta.signature_def["serving_default"].outputs["score"].name = "nothing:0"

    assert_refused(changed(tmp_path, change), "'nothing:0'")


def test_bytes_changed_at_random(tmp_path: Path) -> None:
    chance = random.Random(0)  # noqa: S311
    for trial in range(60):
        model = tmp_path / str(trial)
        shutil.copytree(HERE / "tf2_gather_in_branch" / "saved_model", model)
        target = chance.choice([file for file in sorted(model.rglob("*")) if file.is_file()])
        data = bytearray(target.read_bytes())
        for _ in range(chance.choice([1, 2, 8])):
            data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        target.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        with suppress(PbslimError):  # and no other kind of exception
            to_bytes(pbslim.freeze(model).graph)
