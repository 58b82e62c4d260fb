"""Transforms as typed objects: what users build in Python is what the text of ``--transforms`` is read as."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages

import pytest

import pbslim
from pbslim import transforms
from pbslim.errors import GraphError, UsageError
from pbslim.passes import pipeline, registry
from pbslim.passes.registry import Step, Transform, find
from pbslim.transforms import (
    add_default_attributes,
    fold_constants,
    remove_nodes,
    round_weights,
    set_device,
    strip_unused_nodes,
)
from pbslim.wire import to_bytes
from tests.functions import load
from tests.graphs import apply, parse, show

TEXT = """
    x = Placeholder()
    c = Const([1, 2])
    d = Const([3, 4])
    s = Add(c, d)
    y = Mul(x, s)
    -> y
"""


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (fold_constants(), "fold_constants"),
        (round_weights(num_steps=64), "round_weights(num_steps=64)"),
        (round_weights(num_steps=64).with_options(functions=True), "round_weights(num_steps=64, functions=true)"),
        (fold_constants(exclude_op=("Add", "Mul")), "fold_constants(exclude_op=Add, exclude_op=Mul)"),
        (remove_nodes(op=("Identity",)), "remove_nodes(op=Identity)"),
        (strip_unused_nodes(type="float"), "strip_unused_nodes(type=float)"),
        (set_device(device="/cpu:0"), 'set_device(device="/cpu:0")'),
        (fold_constants(clear_output_shapes=False), "fold_constants(clear_output_shapes=false)"),
    ],
)
def test_text_is_read_as_the_same_step(step: Step, text: str) -> None:
    assert pipeline.plan(text).steps == (step,)
    assert str(step) == text


def test_ignored_errors_are_an_option_of_the_step() -> None:
    step = round_weights(num_steps=0).with_options(ignore_errors=True)
    assert pipeline.plan("round_weights(num_steps=0, ignore_errors=true)").steps == (step,)
    graph, _ = parse(TEXT)
    results = pbslim.transform(graph, [step], ["x"], ["y"])
    assert results[0].error == "num_steps must be at least 1, not 0"


def test_steps_and_texts_do_the_same() -> None:
    wanted = to_bytes(apply("fold_constants(max_growth_in_bytes=100) round_weights(num_steps=4)", TEXT)[0])
    several: list[pipeline.Transforms] = [
        [fold_constants(max_growth_in_bytes=100), round_weights(num_steps=4)],
        ["fold_constants(max_growth_in_bytes=100)", round_weights(num_steps=4)],
        iter(["fold_constants(max_growth_in_bytes=100)", "round_weights(num_steps=4)"]),
    ]
    for given in several:
        graph, _ = parse(TEXT)
        pbslim.transform(graph, given, ["x"], ["y"])
        assert to_bytes(graph) == wanted
    graph, _ = parse(TEXT)
    pbslim.transform(graph, fold_constants(), ["x"], ["y"])
    assert len(graph) == 3


def test_bodies_of_functions_are_an_option_of_the_run() -> None:
    main = "x = Placeholder()\ny = F(x)\n-> y"
    functions = {"F(a: float)": "i = Identity(a)\nu = Neg(i:output:0)\n-> y = u:y:0"}
    for options in ({}, {"functions": True}):
        graph = load(main, functions)
        pbslim.transform(graph, [strip_unused_nodes(), remove_nodes(op=("Identity",))], ["x"], ["y"], **options)
        body = show(graph.library.functions["F"].body().graph)
        assert ("u = Neg(a)" in body) is bool(options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: find("round_weights")(num_step=7),
            "round_weights has no parameter 'num_step', did you mean 'num_steps'?",
        ),
        (lambda: find("round_weights")(num_steps="7"), "'num_steps' must be a whole number, not '7'"),
        (lambda: find("round_weights")(num_steps=True), "'num_steps' must be a whole number, not True"),
        (lambda: find("round_weights")(num_steps=None), "'num_steps' must be a whole number, not None"),
        (lambda: find("round_weights")(7), "round_weights takes its parameters by name"),
        (
            lambda: find("fold_constants")(clear_output_shapes=1),
            "'clear_output_shapes' must be True or False, not 1",
        ),
        (lambda: find("remove_nodes")(op=[1]), "'op' must be text, not 1"),
        (lambda: find("strip_unused_nodes")(type=1.5), "'type' must be text, not 1.5"),
        (lambda: find("rename_op")(old_op_name="A"), "rename_op needs 'new_op_name'"),
    ],
)
def test_wrong_parameters(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        make()
    assert str(error.value) == message


def test_parameters_are_lenient_where_nothing_can_be_meant_but_one_thing() -> None:
    assert find("remove_nodes")(op="Identity") == remove_nodes(op=("Identity",))
    assert fold_constants(max_growth_in_bytes=None) == fold_constants()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([round_weights], "round_weights is a transform, not a step; write round_weights()"),
        ([5], "transforms are texts or steps, not int"),
    ],
)
def test_what_is_no_step(given: list[object], message: str) -> None:
    graph, _ = parse(TEXT)
    with pytest.raises(UsageError) as error:
        pbslim.transform(graph, given, ["x"], ["y"])  # type: ignore[arg-type]
    assert str(error.value) == message


def test_editors_and_help_see_the_parameters() -> None:
    assert str(inspect.signature(round_weights)).startswith("(*, num_steps: 'int' = 256")
    assert "Round every float Const" in (inspect.getdoc(round_weights) or "")
    assert "round_weights" in dir(transforms)
    assert repr(round_weights) == "<transform round_weights>"


def test_the_table_has_every_transform() -> None:
    found = {}
    for module in walk_packages(transforms.__path__, "pbslim.transforms."):
        for each in vars(import_module(module.name)).values():
            if isinstance(each, Transform):
                found[each.name] = each
    assert sorted(found) == registry.names() == dir(transforms), "name it in src/pbslim/transforms/__init__.pyi"
    for name, each in found.items():
        assert each is getattr(transforms, name) is find(name)
        assert each.function.__module__.rpartition(".")[2] == name


def test_a_broken_graph_is_found_though_nothing_changes() -> None:
    graph, _ = parse(TEXT)
    graph["y"].set_input(0, graph.missing_node("gone").output())
    with pytest.raises(GraphError, match="'gone', which is not in the graph"):
        pbslim.transform(graph, [add_default_attributes().with_options()], ["x"], ["y"])


def test_the_list_needs_no_import_before() -> None:
    code = (
        "from pbslim.passes import registry\n"
        "assert registry.find('round_weights') and 'fold_constants' in registry.names()\n"
        "import pbslim\n"
        "print(pbslim.transforms.round_weights(num_steps=3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "round_weights(num_steps=3)\n"
