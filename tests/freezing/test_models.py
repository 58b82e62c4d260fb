"""What is given for a model and is none: one line says what it is, and what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import pbslim
from pbslim.dtypes import STRING
from pbslim.errors import DecodeError, PbslimError
from pbslim.freezing.tables import asset_path
from tests import tables
from tests.graphs import parse
from tests.wire.test_checkpoints import RECORDED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Checkpoints without a graph beside them."""
    for file in RECORDED.iterdir():
        shutil.copy(file, tmp_path)
    graph = tables.strings([b"an object graph"])
    entry = tables.entry(STRING, (), 0, graph.data, checked=graph.checked)
    tables.write_files(
        tmp_path / "objects", [(b"", tables.header()), (b"_CHECKPOINTABLE_OBJECT_GRAPH", entry)], graph.data
    )
    for name in ("whole", "half"):
        (tmp_path / name / "variables").mkdir(parents=True)
        for file in tmp_path.glob("second.*"):
            shutil.copy(file, tmp_path / name / "variables" / file.name.replace("second", "variables"))
    (tmp_path / "whole" / "saved_model.pb").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("second", r"there is no graph beside it \('.*second.meta'\); give the graph and --checkpoint"),
        ("second.index", "there is no graph beside it"),
        ("second.data-00000-of-00002", "there is no graph beside it"),
        ("first", "looks like part of a checkpoint: it holds variables, no graph"),
        ("objects", r"tf.train.Checkpoint\(model=model\).restore\('.*objects'\), model.export\('exported'\)"),
        ("whole/variables", "has the variables of a SavedModel; give the folder of the model, '.*whole'"),
        ("whole/variables/variables.index", "give the folder of the model, '.*whole'"),
        ("whole/variables/variables.data-00001-of-00002", "give the folder of the model, '.*whole'"),
        ("half/variables", "saved_model.pb is missing from '.*half'"),
        ("half", "saved_model.pb is missing from '.*half'"),
        (".", "holds SavedModels, give one of them: whole"),
        ("lost.data-00000-of-00001", "there is no checkpoint '.*lost.data-00000-of-00001': no such file"),
        ("nothing", "cannot read '.*nothing': No such file"),
    ],
)  # fmt: skip
def test_a_checkpoint_holds_no_graph(folder: Path, name: str, message: str) -> None:
    for read in (pbslim.load, pbslim.freeze):
        with pytest.raises(PbslimError, match=message) as error:
            read(folder / name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("prefix", ["second", "first"])
def test_the_latest_without_a_graph(folder: Path, prefix: str) -> None:
    shutil.rmtree(folder / "whole")
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{prefix}"')
    with pytest.raises(PbslimError, match=rf"no graph beside it \('.*{prefix}.meta'\)"):
        pbslim.freeze(folder)


def test_any_damage_is_told_with_the_name_of_the_model(tmp_path: Path) -> None:
    pbslim.to_saved_model(parse("x = Placeholder()\ny = Neg(x)\n-> y")[0], tmp_path / "m")
    file = tmp_path / "m" / "saved_model.pb"
    content = file.read_bytes()
    at = content.index(b"serving_default") + len("serving_default")  # the tag that follows, which is none then
    file.write_bytes(content[:at] + b"\x0b" + content[at + 1 :])
    with pytest.raises(PbslimError, match=rf"'{tmp_path / 'm'}' is damaged: an entry has a field of unknown kind"):
        pbslim.freeze(tmp_path / "m")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_an_asset_is_a_regular_file_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    (folder / "deep").mkdir(parents=True)
    for path in (tmp_path / "outside.txt", folder / "words.txt", folder / "deep" / "words.txt"):
        path.touch()
    (folder / "link").symlink_to(tmp_path / "outside.txt")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    for name in ("words.txt", "deep/words.txt", "absent.txt"):
        assert asset_path(folder, name) == folder / name
    for name in (
        "../outside.txt",
        "deep/../../outside.txt",
        "link",
        "up/outside.txt",
        "C:\\x",
        "a\\..\\..\\x",
        "",
        "x\0",
    ):
        with pytest.raises(DecodeError, match="is not in the folder"):
            asset_path(folder, name)
    with pytest.raises(DecodeError, match="is not in the folder"):
        asset_path(folder, str(tmp_path / "outside.txt"))
    for name in ("pipe", "deep"):
        with pytest.raises(DecodeError, match="is not a regular file"):
            asset_path(folder, name)
