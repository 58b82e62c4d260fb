"""What releases accept, held against the TensorFlow that is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pbslim import ops
from pbslim.dtypes import BFLOAT16, DTYPES, FLOAT, HALF
from pbslim.errors import UsageError
from pbslim.ops.history import accepted, release, releases, releases_with


def test_releases() -> None:
    assert [each.name for each in releases()] == ["1.4", "1.8", "1.12", "1.15", "2.1", "2.4", "2.8", "2.12", "2.21"]
    assert [each.graph_version for each in releases()] == [24, 26, 27, 134, 175, 561, 987, 1395, 2474]
    assert [each.name for each in releases() if each.ignores_unknown_attrs] == ["2.8", "2.12", "2.21"]
    assert releases()[0].types == frozenset(range(1, 22))  # no uint32 and uint64 yet


@pytest.mark.parametrize(
    ("text", "name"),
    [("1.4", "1.4"), ("1.7.1", "1.4"), ("1.15.5", "1.15"), ("2", "1.15"), ("2.3", "2.1"), ("3.0", "2.21")],
)
def test_the_nearest_older_release_is_taken(text: str, name: str) -> None:
    assert release(text).name == name


@pytest.mark.parametrize(
    ("text", "says"), [("1.3", "oldest release is 1.4"), ("new", "not a release"), ("", "not a release")]
)
def test_unknown_releases(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        release(text)


def test_an_op_changes() -> None:
    old, new = accepted("Conv2D", release("1.4").number), accepted("Conv2D", release("1.8").number)
    assert old is not None
    assert new is not None
    assert old.attrs["T"] == (FLOAT, HALF)
    assert BFLOAT16 in new.attrs["T"]
    assert "dilations" not in old.attrs
    assert new.attrs["dilations"] == ()
    assert old.attrs["padding"] == (b"SAME", b"VALID")
    assert old.needed == {"T", "strides", "padding"}
    assert old.refused_from == 0


def test_ops_come_and_go() -> None:
    assert releases_with("AddV2")[0].name == "1.8"
    assert releases_with("BigQueryReader")[-1].name == "1.15"
    assert not releases_with("NoSuchOp")
    assert not releases_with("")
    given_up = accepted("BatchNormWithGlobalNormalization", 0)
    assert given_up is not None
    assert given_up.refused_from == 9


@pytest.mark.tensorflow
def test_the_newest_release_is_what_tensorflow_registers() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_registry

    newest = releases()[-1]
    if not tensorflow.__version__.startswith(f"{newest.name}."):
        pytest.skip("another TensorFlow")
    assert newest.graph_version == tensorflow.version.GRAPH_DEF_VERSION
    checked = 0
    for name in (
        "Conv2D",
        "MatMul",
        "Cast",
        "FusedBatchNormV3",
        "StatelessWhile",
        "PlaceholderV2",
        "Dequantize",
        "Pack",
    ):
        theirs, ours = op_def_registry.get(name), accepted(name, newest.number)
        assert ours is not None
        assert ours.refused_from == theirs.deprecation.version
        assert ours.needed == {a.name for a in theirs.attr if not a.HasField("default_value")}
        allowed = {
            a.name: {*a.allowed_values.list.s, *(DTYPES[t] for t in a.allowed_values.list.type)} for a in theirs.attr
        }
        assert {key: set(values) for key, values in ours.attrs.items()} == allowed
        checked += len(allowed)
    assert checked > 30


def test_the_tables_are_read_on_the_first_question_only() -> None:
    code = (
        "from pbslim.ops import history as h, kernel_classes as k, definitions as d\n"
        "assert not any(each._table.cache_info().currsize for each in (h, k, d))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_tables_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in Path(ops.__file__).parent.glob("*.gz")}
    assert sizes["history.tsv.gz"] <= 40_000
    assert sizes["kernels-1.15.tsv.gz"] + sizes["kernels-2.21.tsv.gz"] <= 120_000
