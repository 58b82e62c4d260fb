"""What ``import pbslim`` gives."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import pbslim
from tests import public_api
from tests.graphs import parse

FUNCTIONS = [name for name in dir(pbslim) if inspect.isfunction(getattr(pbslim, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_typed_and_documented(name: str) -> None:
    function = getattr(pbslim, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    assert inspect.getdoc(function)
    signature = inspect.signature(function)
    assert signature.empty not in [signature.return_annotation, *(p.annotation for p in signature.parameters.values())]


def test_nothing_is_loaded_before_it_is_used() -> None:
    code = "import sys, pbslim; print(sorted({'numpy', 'google.protobuf', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert callable(pbslim.verify)  # as long as no module has this name
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        pbslim.nope  # type: ignore[attr-defined]  # noqa: B018


def test_the_small_tools() -> None:
    graph, _ = parse("x = Placeholder()\nw = Const([1, 2])\ny = AddV2(x, w)")
    other, _ = parse("x = Placeholder()\nw = Const([1, 3])\ny = AddV2(x, w)")
    assert [terminal.name for terminal in pbslim.summarize_graph(graph).inputs] == ["x"]
    assert len(list(pbslim.compare_graphs(graph, other))) == 1
    assert pbslim.diff(graph, other).changed[0].largest_difference == 1
    assert '"x" -> "y";' in pbslim.graph_to_dot(graph)
    assert [use.op for use in pbslim.op_inventory([graph, other])] == ["AddV2", "Const", "Placeholder"]
    assert [found.node for found in pbslim.incompatibilities(graph, "1.4")] == ["y"]
    header, unknown = pbslim.selective_registration_header([graph])
    assert ("BinaryOp<CPUDevice, functor::add<float>>" in header, unknown) == (True, [])


def test_names_and_signatures_change_only_on_purpose() -> None:
    assert public_api.lines() == public_api.FILE.read_text().splitlines(), "run: python -m tests.public_api"


def test_all_names_can_be_had() -> None:
    code = "from pbslim import *; print(sorted({'PbslimError', 'RECIPES', 'ShrinkResult', 'load'} - set(globals())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert set(pbslim.RECIPES) == {"optimize", "round", "eight-bit", "round-legacy", "eight-bit-legacy"}
    for error in (pbslim.UsageError, pbslim.DecodeError, pbslim.GraphError, pbslim.TransformError):
        assert issubclass(error, pbslim.PbslimError)
    assert issubclass(pbslim.TransformSyntaxError, pbslim.UsageError)
