"""`TransformGraph`: what it takes, what it gives, and that it lives beside TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pbslim
from pbslim import TransformGraph
from pbslim.errors import DecodeError, PbslimError, TransformSyntaxError, UsageError
from pbslim.ir import Graph
from pbslim.wire import schema, to_bytes
from tests.graphs import parse, show

BEFORE = "x = Placeholder()\ni = Identity(x)\ny = Relu(i)\nunused = Relu(x)\n-> y"
AFTER = show(parse("x = Placeholder()\ny = Relu(x)\n-> y")[0])
STEPS = ["strip_unused_nodes", "remove_nodes(op=Identity)"]


def data() -> bytes:
    return to_bytes(parse(BEFORE)[0])


def message() -> Any:
    found = schema.new("GraphDef")
    found.ParseFromString(data())
    return found


def test_bytes_give_bytes() -> None:
    result = TransformGraph(data(), ["x"], ["y"], STEPS)
    assert isinstance(result, bytes)
    assert show(pbslim.load(result)) == AFTER


def test_a_message_gives_a_message_and_stays_as_it_is() -> None:
    given = message()
    result = TransformGraph(given, ["x"], ["y"], STEPS)
    assert type(result) is type(given)
    assert show(pbslim.load(result.SerializeToString())) == AFTER
    assert given == message()


def test_a_graph_gives_a_new_graph() -> None:
    given = parse(BEFORE)[0]
    result = TransformGraph(given, ["x"], ["y"], STEPS)
    assert show(result) == AFTER
    assert show(given) == show(parse(BEFORE)[0])
    assert not given.journal


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_gives_a_graph(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "g.pb"
    path.write_bytes(data())
    result = TransformGraph(kind(path), ["x"], ["y"], STEPS)
    assert isinstance(result, Graph)
    assert show(result) == AFTER
    assert path.read_bytes() == data()


def test_no_transforms_give_the_same_bytes() -> None:
    assert TransformGraph(data(), [], [], []) == data()


def test_a_copy_of_a_changed_graph_is_written_as_changed() -> None:
    graph = pbslim.load(data())
    graph["y"].set_device("/cpu:0")
    copy = TransformGraph(graph, [], [], [])
    assert to_bytes(copy) == to_bytes(graph) != data()
    copy["y"].set_device("")
    assert graph["y"].device == "/cpu:0"


@pytest.mark.parametrize(
    ("inputs", "outputs", "transforms"),
    [
        ("x", "y", "strip_unused_nodes remove_nodes(op=Identity)"),
        (["x"], ["y"], ["strip_unused_nodes", "remove_nodes(op=Identity)"]),
        ([b"x"], (b"y",), [b"strip_unused_nodes", "remove_nodes(op=Identity)"]),
        (b" x ", "y", b"strip_unused_nodes remove_nodes(op=Identity)"),
        (("x:0" for _ in range(1)), ["y"], ["strip_unused_nodes remove_nodes(", "op=Identity)"]),
        (["x"], ["y"], "strip_unused_nodes\nremove_nodes(op=Identity)"),
    ],
)
def test_names_and_transforms_in_every_spelling(inputs: Any, outputs: Any, transforms: Any) -> None:
    result = TransformGraph(data(), inputs, outputs, transforms)
    assert show(pbslim.load(result)) == AFTER


def test_several_names_in_one_text() -> None:
    result = TransformGraph(data(), "x", "y, unused", "strip_unused_nodes")
    assert show(pbslim.load(result)) == show(parse(BEFORE)[0])
    assert TransformGraph(data(), ["x"], ["y", b"unused"], "strip_unused_nodes") == result


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((b"junk" * 9, [], [], []), DecodeError, "is not a frozen graph"),
        (("/no/such/file.pb", [], [], []), DecodeError, "cannot read '/no/such/file.pb'"),
        ((17, [], [], []), UsageError, "a graph must be a GraphDef, bytes, a path or a pbslim.Graph, not int"),
        ((Graph, [], [], []), UsageError, "not type"),
        ((None, ["x", ""], [], []), UsageError, "there is an empty name among the inputs"),
        ((None, "x,", [], []), UsageError, "there is an empty name among the inputs"),
        ((None, ["x"], [3], []), UsageError, "outputs must be text, not int"),
        ((None, None, [], []), UsageError, "inputs must be text or a list of texts, not NoneType"),
        ((None, [b"\xff"], [], []), UsageError, "is not UTF-8 text"),
        ((None, [], [], "no_such_transform"), TransformSyntaxError, "unknown transform 'no_such_transform'"),
        ((None, [], ["nope"], "strip_unused_nodes"), PbslimError, "strip_unused_nodes: output 'nope' is not in"),
    ],
)
def test_refusals(arguments: Sequence[Any], error: type[PbslimError], text: str) -> None:
    given, *rest = arguments
    with pytest.raises(error, match=text):
        TransformGraph(given or data(), *rest)


def test_another_message_is_refused() -> None:
    with pytest.raises(UsageError, match="not NodeDef"):
        TransformGraph(schema.new("NodeDef"), [], [], [])


OURS_FIRST = """
from pbslim import TransformGraph
small = TransformGraph(data, ["x"], ["y"], steps)
import tensorflow as tf
"""
THEIRS_FIRST = """
import tensorflow as tf
from pbslim import TransformGraph
small = TransformGraph(data, ["x"], ["y"], steps)
"""


@pytest.mark.tensorflow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
@pytest.mark.parametrize("imports", [OURS_FIRST, THEIRS_FIRST], ids=["pbslim first", "tensorflow first"])
def test_pbslim_and_tensorflow_in_one_process(imports: str) -> None:
    program = f"""
data, steps = {data()!r}, {STEPS!r}
{imports}
given = tf.compat.v1.GraphDef.FromString(data)
result = TransformGraph(given, ["x"], ["y"], steps)
assert type(result) is tf.compat.v1.GraphDef
assert result.SerializeToString() == tf.compat.v1.GraphDef.FromString(small).SerializeToString()
with tf.Graph().as_default() as graph:
    tf.import_graph_def(result, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        print(session.run("y:0", {{"x:0": [-1.0, 2.0]}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[0. 2.]\n", done.stderr


def test_the_messages_live_in_a_pool_of_their_own() -> None:
    program = """
from google.protobuf import descriptor_pool
from pbslim.wire import schema
schema.new("GraphDef")
try:
    descriptor_pool.Default().FindMessageTypeByName("tensorflow.GraphDef")
except KeyError:
    print("private")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "private\n", done.stderr


def test_the_signature_of_old_answers_by_keyword() -> None:
    result = TransformGraph(input_graph_def=data(), inputs=["x"], outputs=["y"], transforms=STEPS)
    assert show(pbslim.load(result)) == AFTER
