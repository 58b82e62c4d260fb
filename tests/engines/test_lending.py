"""Constants that are fed with each run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pbslim.engines import Array, Feeds, Program, engine
from pbslim.engines.lending import LendingProgram, needed_nodes, take_out
from tests.compression.networks import classifier
from tests.graphs import parse

IMAGES = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype(np.float32)


class Seen(Program):
    """A program that shows what it was fed with."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        self.fed = feeds
        return self._program.run(feeds, fetches)


def test_only_what_a_run_needs_is_lent_and_what_is_fed_goes_before_it() -> None:
    graph = classifier()
    plain = engine("builtin").load(classifier())
    constants = take_out(graph)
    assert list(constants) == ["dense/weights"]
    assert graph["dense/weights"].op == "Placeholder"
    seen = Seen(engine("builtin").load(graph))
    program = LendingProgram(seen, graph, constants)
    doubled = {"dense/weights": 2 * constants["dense/weights"]}
    for feeds, fetch in (({"x": IMAGES}, "logits"), ({"x": IMAGES}, "flat"), ({"x": IMAGES, **doubled}, "logits")):
        np.testing.assert_array_equal(program.run(feeds, [fetch])[0], plain.run(feeds, [fetch])[0])
        assert set(seen.fed) == {"x"} | ({"dense/weights"} if fetch == "logits" else set())
    flat = plain.run({"x": IMAGES}, ["flat"])
    assert np.array_equal(program.run({"flat": flat[0]}, ["logits"])[0], plain.run({"x": IMAGES}, ["logits"])[0])


@pytest.mark.parametrize(
    "weights",
    [f"Const({[1.0] * 1023})", f"Const({[1] * 1024}, dtype='int32')", f"Const({[1.0] * 1024}, ^x)", "OpOfNobody()"],
)
def test_small_ones_and_those_that_wait_for_others_stay(weights: str) -> None:
    graph, _ = parse(f"x = Placeholder(dtype='float', shape=[])\nw = {weights}")
    assert take_out(graph) == {}
    assert graph["w"].op != "Placeholder"


def test_lent_arrays_are_copies_that_begin_where_an_engine_takes_them_as_they_are() -> None:
    for array in take_out(classifier()).values():
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous


def test_what_is_needed_ends_at_what_is_fed() -> None:
    graph, _ = parse("x = Placeholder()\ny = Neg(x)\nz = Neg(y, ^side)\nside = NoOp()\n-> z")
    assert {node.name for node in needed_nodes(graph, ["z"], ["y"])} == {"z", "side"}
    assert needed_nodes(graph, ["y"], ["y"]) == set()
