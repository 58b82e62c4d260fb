"""Frozen graphs as SavedModels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Tensor
from pbslim.wire import schema
from pbslim.wire.sources import open_source
from pbslim.wire.varint import LEN, VARINT, fields, read_varint
from tests import commands
from tests.graphs import parse
from tests.shared import ROOT, SHARED, needs_shared

DIGITS = ROOT / "examples" / "digits.pb"
TWO_ENDS = """
    x = Placeholder(dtype='float', shape=[-1, 2])
    a/odd*name = Placeholder(dtype='float', shape=None)
    keep = PlaceholderWithDefault(one, dtype='float', shape=[])
    one = Const(1)
    sum = AddV2(x, a/odd*name)
    y = Mul(sum, keep)
    halves = Split(axis, y, num_split=2)
    axis = Const(1, dtype='int32')
"""
TABLES = """
    words = Placeholder(dtype='string', shape=[-1])
    keys = Const(['a', 'b'], dtype='string')
    values = Const([7, 8], dtype='int64')
    none = Const(-1, dtype='int64')
    table = HashTableV2(key_dtype='string', value_dtype='int64', shared_name='first')
    fill = LookupTableImportV2(table, keys, values, Tin='string', Tout='int64')
    ids = LookupTableFindV2(table, words, none, Tin='string', Tout='int64')
    file = Const('/somewhere/words.txt', dtype='string')
    lines = HashTableV2(key_dtype='string', value_dtype='int64', shared_name='second')
    initialize = InitializeTableFromTextFileV2(lines, file, key_index=-2, value_index=-1, offset=0)
    places = LookupTableFindV2(lines, words, none, Tin='string', Tout='int64')
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing half done may be left."""
    yield tmp_path
    assert not list(tmp_path.rglob(".pbslim*"))


def content(path: Path) -> tuple[bytes, dict[int, list[bytes]]]:
    """The graph in a SavedModel, and the fields of its MetaGraphDef."""
    source = open_source(path / "saved_model.pb")
    (number, kind, at, stop), (second, _, start, end) = fields(source, 0, len(source), "a SavedModel")
    assert (number, kind, read_varint(source, at, stop)[0], second, end) == (1, VARINT, 1, 2, len(source))
    found: dict[int, list[bytes]] = {}
    for each, inner, first, last in fields(source, start, end, "a meta graph"):
        assert inner == LEN
        found.setdefault(each, []).append(bytes(source[first:last]))
    return found[2][0], found


def test_the_graph_is_there_byte_for_byte(folder: Path) -> None:
    found = pbslim.to_saved_model(DIGITS, folder / "served" / "1")
    graph, rest = content(folder / "served" / "1")
    assert graph == DIGITS.read_bytes()
    assert rest.keys() == {1, 2, 5}
    assert found.size == (folder / "served" / "1" / "saved_model.pb").stat().st_size
    assert {key: str(info.shape) for key, info in found.inputs.items()} == {"input": "[?,8,8,1]"}
    assert {key: (info.name, str(info.dtype)) for key, info in found.outputs.items()} == {"class": ("class:0", "int64")}


@pytest.mark.parametrize(
    ("options", "inputs", "outputs"),
    [
        ({}, {"x": "x:0", "a_odd_name": "a/odd*name:0"}, {"halves": "halves:0"}),
        ({"outputs": "halves:1"}, {"x": "x:0", "a_odd_name": "a/odd*name:0"}, {"halves_1": "halves:1"}),
        ({"outputs": ["first=halves:0", "halves:1"]}, None, {"first": "halves:0", "halves_1": "halves:1"}),
        ({"inputs": {"sum": "sum"}, "outputs": {"y": "y"}}, {"sum": "sum:0"}, {"y": "y:0"}),
        ({"inputs": ["x", "keep"], "outputs": "y"}, {"x": "x:0", "keep": "keep:0"}, {"y": "y:0"}),
    ],
)
def test_keys_of_the_signature(
    folder: Path, options: dict[str, Any], inputs: dict[str, str] | None, outputs: dict[str, str]
) -> None:
    found = pbslim.to_saved_model(parse(TWO_ENDS + "-> halves")[0], folder / "m", **options)
    if inputs is not None:
        assert {key: info.name for key, info in found.inputs.items()} == inputs
    assert {key: info.name for key, info in found.outputs.items()} == outputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "halfs"}, "has no node 'halfs', did you mean 'halves'"),
        ({"outputs": "halves:2"}, r"'halves:2' is not there: 'halves' \(Split\) gives 2 tensors"),
        ({"outputs": "halves:x"}, "a number must follow the colon"),
        ({"outputs": ["a=halves:0", "a=halves:1"]}, "two outputs of the signature are called 'a'"),
        ({"inputs": "x,"}, "empty name among the inputs"),
        ({"tags": ""}, "needs a tag"),
        ({"signature": ""}, "a name for its signature"),
        ({"assets": [DIGITS]}, "no lookup table of the graph is filled from '.*digits.pb'"),
        ({"assets": ["nowhere.txt"]}, "the asset 'nowhere.txt' is not a file"),
    ],
)
def test_what_is_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pbslim.to_saved_model(parse(TWO_ENDS + "-> halves")[0], folder / "m", **options)
    assert not list(folder.iterdir())


def test_variables_have_no_values(folder: Path) -> None:
    graph = parse("w = VariableV2(dtype='float', shape=[2])\ny = Neg(w)\n-> y")[0]
    with pytest.raises(UsageError, match="not frozen: 1 variable without values here, such as 'w'"):
        pbslim.to_saved_model(graph, folder / "m")


def test_only_a_saved_model_is_replaced_and_only_if_asked(folder: Path) -> None:
    pbslim.to_saved_model(DIGITS, folder / "m")
    graph = parse("x = Placeholder()\ny = Neg(x)\n-> y")[0]
    with pytest.raises(PbslimError, match=r"a SavedModel is there; --force, or replace=True in Python, replaces it"):
        pbslim.to_saved_model(graph, folder / "m")
    assert content(folder / "m")[0] == DIGITS.read_bytes()
    (folder / "m" / "variables").mkdir()
    pbslim.to_saved_model(graph, folder / "m", replace=True)
    assert [path.name for path in (folder / "m").iterdir()] == ["saved_model.pb"]
    (folder / "m" / "notes.txt").touch()
    with pytest.raises(PbslimError, match="the folder holds other files"):
        pbslim.to_saved_model(graph, folder / "m", replace=True)
    (folder / "file").touch()
    with pytest.raises(PbslimError, match="it is not a folder"):
        pbslim.to_saved_model(graph, folder / "file", replace=True)
    (folder / "empty").mkdir()
    pbslim.to_saved_model(graph, folder / "empty")


def test_a_failure_leaves_what_was_there(folder: Path) -> None:
    pbslim.to_saved_model(DIGITS, folder / "m")
    before = content(folder / "m")

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pbslim.to_saved_model(DIGITS, folder / "m", signature="other", replace=True, progress=fail)
    assert content(folder / "m") == before
    with pytest.raises(KeyboardInterrupt):
        pbslim.to_saved_model(DIGITS, folder / "n", progress=fail)
    assert [path.name for path in folder.iterdir()] == ["m"]


def test_tables_are_filled_when_the_model_is_loaded(folder: Path) -> None:
    graph = parse(TABLES + "-> ids, places")[0]
    found = pbslim.to_saved_model(graph, folder / "without")
    assert found.initializers == ["fill", "initialize"]
    assert [note.partition(" when")[0] for note in found.notes] == ["'initialize' reads '/somewhere/words.txt'"]
    words = folder / "words.txt"
    words.write_text("a\nb\n")
    found = pbslim.to_saved_model(graph, folder / "with", assets=[words])
    assert not found.notes
    assert (folder / "with" / "assets" / "words.txt").read_text() == "a\nb\n"
    message = schema.new("GraphDef")
    message.ParseFromString(content(folder / "with")[0])
    assert message.node[-1].name == "initialize_1"
    assert list(message.node[-1].input) == ["^fill", "^initialize"]
    assert "initialize_1" not in {node.name for node in graph}


def test_the_command_line(folder: Path) -> None:
    done = commands.run("to-saved-model", DIGITS, folder / "m", "--output", "c=class", "--tag", "serve", "--tag", "cpu")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith(f"{folder / 'm'} written, signature 'serving_default', ")
    assert done.out.splitlines()[1:] == ["input input = input:0 float [?,8,8,1]", "output c = class:0 int64 [?]"]
    assert commands.run("to-saved-model", DIGITS, folder / "m").refused
    done = commands.run("to_saved_model", DIGITS, folder / "m", "--force", "--json")
    assert json.loads(done.out)["outputs"] == {"class": "class:0"}


@pytest.mark.tensorflow
def test_tensorflow_runs_the_signature(folder: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    (folder / "words.txt").write_text("b\na\n")
    graph = parse(TABLES + "-> ids, places")[0]
    pbslim.to_saved_model(graph, folder / "tables", assets=[folder / "words.txt"], outputs={"id": "ids", "p": "places"})
    (folder / "words.txt").unlink()
    words = np.array([b"a", b"b", b"c"])
    run = tf.saved_model.load(str(folder / "tables")).signatures["serving_default"]
    found = {key: value.numpy().tolist() for key, value in run(words=tf.constant(words)).items()}
    assert found == {"id": [7, 8, -1], "p": [1, 0, -1]}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder / "tables"))
        names = {key: info.name for key, info in loaded.signature_def["serving_default"].outputs.items()}
        found = {key: value.tolist() for key, value in session.run(names, {"words:0": words}).items()}
    assert found == {"id": [7, 8, -1], "p": [1, 0, -1]}
    pbslim.to_saved_model(DIGITS, folder / "digits")
    run = tf.saved_model.load(str(folder / "digits")).signatures["serving_default"]
    images = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    expected = pbslim.run(DIGITS, {"input": images}, ["class"])["class"]
    np.testing.assert_array_equal(run(input=tf.constant(images))["class"].numpy(), expected)
    assert run.structured_input_signature[1]["input"].shape.as_list() == [None, 8, 8, 1]


@needs_shared
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["tf1_string_table", "tf2_gather_in_branch", "tf2_keras_export", "tf2_while_if"])
def test_a_model_comes_back_with_its_signature(folder: Path, name: str) -> None:
    tf = pytest.importorskip("tensorflow")
    model = SHARED / "golden_saved_model" / name
    case = json.loads((model / "case.json").read_text())["signatures"]["serving_default"]
    pbslim.to_saved_model(model / "saved_model", folder / "m")
    run = tf.saved_model.load(str(folder / "m")).signatures["serving_default"]
    with np.load(model / case["feeds"]) as feeds, np.load(model / case["expected"]) as expected:
        found = run(**{key: tf.constant(feeds[key]) for key in feeds})
        assert found.keys() == set(expected)
        for key in expected:
            np.testing.assert_allclose(found[key].numpy(), expected[key], rtol=1e-5)


def test_shrink_gives_a_model_for_a_model(folder: Path) -> None:
    pbslim.to_saved_model(DIGITS, folder / "model", inputs="image=input", outputs="digit=class")
    arguments = ["shrink", folder / "model", "--as", "saved_model", "--recipe", "round", "--no-verify", "-o"]
    assert commands.run(*arguments, folder / "small").code == 0
    assert [path.name for path in (folder / "small").iterdir()] == ["saved_model.pb"]
    found = pbslim.freeze(folder / "small").signature
    assert (found.name, dict(found.inputs), dict(found.outputs)) == (
        "serving_default",
        {"image": "input"},
        {"digit": "class"},
    )
    weights = pbslim.load(folder / "small")["logits/kernel"].attrs["value"]
    assert isinstance(weights, Tensor)
    assert len(np.unique(weights.numpy())) <= 256
    assert commands.run(*arguments, folder / "small").refused
    assert commands.run(*arguments, folder / "small", "--force").code == 0
    assert commands.run(*arguments, folder / "model", "--force").refused
    assert commands.run(*arguments, "-").refused
    assert sorted(path.name for path in folder.iterdir()) == ["model", "small"]


def test_shrink_names_what_nobody_has_named(folder: Path) -> None:
    place = folder / "small"
    done = commands.run("shrink", DIGITS, "--as", "saved_model", "--recipe", "round", "--no-verify", "-o", place)
    assert done.code == 0
    found = pbslim.freeze(place).signature
    assert (dict(found.inputs), dict(found.outputs)) == ({"input": "input"}, {"class": "class"})
