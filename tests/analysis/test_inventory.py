"""The ops and types that graphs need."""

from __future__ import annotations

import pbslim
from pbslim.analysis.inventory import OpUse, op_inventory
from tests import functions
from tests.graphs import parse


def test_ops_types_and_releases() -> None:
    graph = parse("x = Placeholder()\nc = Cast(x, SrcT='float', DstT='int32', T='half')\ny = AddV2(x, x)")[0]
    assert op_inventory([graph]) == [
        OpUse("AddV2", 1, ("float",), "1.8"),
        OpUse("Cast", 1, ("float", "int32", "half"), "1.4"),
        OpUse("Placeholder", 1, ("float",), "1.4"),
    ]


def test_graphs_are_summed_and_calls_of_functions_are_no_ops() -> None:
    called = functions.load("x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": "m = Exp(a)\n-> r = m:y:0"})
    plain = parse("x = Placeholder(dtype='int32')\nz = MyOp(x)")[0]
    assert op_inventory([called, plain]) == [
        OpUse("Exp", 1, ("float",), "1.4"),
        OpUse("MyOp", 1, ("float",), None),
        OpUse("Placeholder", 2, ("float", "int32"), "1.4"),
    ]


def test_lists_of_types_and_types_that_nothing_knows() -> None:
    graph = pbslim.load(
        b"node { name: 'n' op: 'IdentityN' attr { key: 'T' value { list { type: [DT_FLOAT, DT_STRING] } } } "
        b"attr { key: 'U' value { type: 99 } } }"
    )
    assert op_inventory([graph]) == [OpUse("IdentityN", 1, ("float", "string"), "1.4")]


def test_no_graph() -> None:
    assert op_inventory([]) == []
