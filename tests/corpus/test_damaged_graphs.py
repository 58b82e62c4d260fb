"""Damaged graphs through every command: a result or one clear line, no hang, no memory to speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbslim import save
from tests import functions
from tests.corpus.reading import read_damaged
from tests.property.random_graphs import RandomGraph
from tests.repeating import TIMES
from tests.shared import SHARED

COUNT = 75 * TIMES
LARGEST = 40_000  # larger ones only take longer

CALLS = """
    x = Placeholder(shape=[2])
    t = PartitionedCall(x, f='Twice', Tin=['float'], Tout=['float'])
    w = StatelessWhile(t, cond='Small', body='Twice', T=['float'])
    -> w
"""
FUNCTIONS = {
    "Twice(a: float)": """
        k = Const(2)
        y = Mul(a, k:output:0)
        -> result = y:z:0
    """,
    "Small(a: float)": """
        i = Const([0], dtype='int32')
        s = Sum(a, i:output:0, Tidx='int32')
        k = Const(9)
        y = Less(s:output:0, k:output:0)
        -> result: bool = y:z:0
    """,
}


@pytest.mark.slow
def test_damaged_graphs(tmp_path: Path) -> None:
    for seed in range(5):
        save(RandomGraph(seed).graph, tmp_path / f"random-{seed}.pb")
    save(functions.load(CALLS, FUNCTIONS), tmp_path / "functions.pb")
    for file in (SHARED / "golden").glob("*/*/in.pb"):
        if file.stat().st_size < LARGEST:
            (tmp_path / f"{file.parent.parent.name}-{file.parent.name}.pb").write_bytes(file.read_bytes())
    found = read_damaged("graphs", tmp_path, COUNT)
    assert found["refused"] > COUNT / 10, "or the seeds do no damage"
    assert found["a graph"] > COUNT / 3, "or nothing gets further than reading"
