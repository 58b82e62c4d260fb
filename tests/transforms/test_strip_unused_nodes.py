from __future__ import annotations

import pytest

from pbslim.errors import PbslimError
from tests.graphs import apply, check_transform

BEFORE = """
    file = Placeholder()
    decoded = DecodeJpeg(file)
    y = Neg(decoded)
    summary = HistogramSummary(y)
    -> y
"""


def test_cuts_at_the_input_and_drops_the_rest() -> None:
    after = "decoded = Placeholder(shape=[1, 4])\ny = Neg(decoded)\n-> y"
    check_transform('strip_unused_nodes(shape="1,4")', before=BEFORE, after=after, inputs=["decoded"])


def test_an_existing_placeholder_keeps_its_shape() -> None:
    before = "x = Placeholder(shape=[2])\ny = Neg(x)\n-> y"
    check_transform('strip_unused_nodes(shape="256*64")', before=before, after=before)


@pytest.mark.parametrize(
    ("text", "dims"), [("256*64", (256, 64)), ("1, 2,3", (1, 2, 3)), ("-1,8", (-1, 8)), ("7", (7,))]
)
def test_shapes(text: str, dims: tuple[int, ...]) -> None:
    graph, results = apply(f'strip_unused_nodes(shape="{text}")', BEFORE, ["decoded"])
    assert graph["decoded"].shape_attr("shape").dims == dims
    assert bool(results[0].notes) == ("*" in text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('shape="1,b"', 'shape "1,b" is not a list of whole numbers such as "1,224,224,3"'),
        ('shape=""', 'shape "" is not a list of whole numbers such as "1,224,224,3"'),
        ("type=floaty", "unknown data type 'floaty'"),
        ("name=decoded", "name, type_for_name and shape_for_name must be given equally often"),
    ],
)
def test_errors(arguments: str, message: str) -> None:
    with pytest.raises(PbslimError) as caught:
        apply(f"strip_unused_nodes({arguments})", BEFORE, ["decoded"])
    assert message in str(caught.value)


def test_an_unknown_output_is_an_error() -> None:
    with pytest.raises(PbslimError, match="output 'nope' is not in the graph"):
        apply("strip_unused_nodes", BEFORE.replace("-> y", "-> nope"))


def test_what_an_output_waits_for_stays_and_twice_is_once() -> None:
    before = (
        "x = Placeholder()\nc = Const(3, dtype='int32')\nn = NoOp(^c)\ns = Split(c, x, ^n, num_split=2)\nz = Neg(s)\n"
    )
    graph, results = apply("strip_unused_nodes strip_unused_nodes", before + "-> s:1")
    assert {node.name for node in graph} == {"x", "c", "n", "s"}
    assert not results[1].changed
