"""What a graph may take that nobody asked to run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from pbslim.engines import engine
from pbslim.engines.allowance import AllowedProgram
from pbslim.engines.protocol import Array, Feeds, Program
from pbslim.errors import PbslimError
from pbslim.ir import Graph
from tests.functions import load
from tests.graphs import parse

FEEDS = {"x": np.ones((), np.float32)}
LARGE = """
    x = Placeholder(shape=[])
    dims = Const([100000000], dtype='int32')
    one = Const(1)
    fill = Fill(dims, one, index_type='int32')
    y = Add(x, fill)
    -> y
"""
SLOW = """
    x = Placeholder(shape=[])
    rows = Const([1500, 1500], dtype='int32')
    one = Const(1, dtype='int32')
    a = Fill(rows, one, T='int32', index_type='int32')
    p = MatMul(a, a, T='int32', transpose_a=False, transpose_b=False)
    f = Cast(p, SrcT='int32', DstT='float')
    y = Add(x, f)
    -> y
"""
DOUBLING = {"F0(a: float)": "n = Neg(a)\n-> y = n:y:0"} | {
    f"F{level}(a: float)": f"b = F{level - 1}(a)\nc = F{level - 1}(b:y:0)\n-> y = c:y:0" for level in range(1, 40)
}


def run(graph: Graph, file_bytes: int = 1000) -> np.ndarray:
    program = AllowedProgram(engine("builtin").load(graph), file_bytes)
    return program.run(FEEDS, ["y"])[0]


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited here")
def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr("os.cpu_count", lambda: 1)  # each core may take some
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(PbslimError, match=r"Unable to allocate|it takes more than"):
        run(parse(LARGE)[0])
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert run(parse(LARGE.replace("100000000", "100000"))[0]).sum() == 200000
    assert run(parse(LARGE.replace("100000000", "20000000"))[0], 100_000_000).size == 20_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited here")
@pytest.mark.parametrize("cores", [1, 16])
def test_threads_take_memory_of_their_own(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    graph = parse(LARGE.replace("100000000", "70000000"))[0]
    if cores == 1:
        with pytest.raises(PbslimError, match=r"Unable to allocate|it takes more than"):
            run(graph)
    else:
        assert run(graph).size == 70_000_000


class _Waiting(Program):
    """Runs until it is told to end."""

    def __init__(self) -> None:
        self.started, self.end = threading.Event(), threading.Event()

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:  # noqa: ARG002 - the interface
        self.started.set()
        assert self.end.wait(30)
        return []


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited here")
def test_no_limit_is_left_by_programs_that_run_at_the_same_time() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    programs = [_Waiting(), _Waiting()]
    threads = [threading.Thread(target=AllowedProgram(each, 10**10).run, args=({}, [])) for each in programs]
    for thread, program in zip(threads, programs, strict=True):
        thread.start()
        assert program.started.wait(30)
    assert resource.getrlimit(resource.RLIMIT_DATA) != before
    for thread, program in zip(threads, programs, strict=True):  # the first to start is the first to end
        program.end.set()
        thread.join()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_time() -> None:
    with pytest.raises(PbslimError, match="it would take too long"):
        run(parse(SLOW)[0])
    assert run(parse(SLOW.replace("1500", "15"))[0])[0, 0] == 16


def test_calls_within_calls() -> None:
    main = "x = Placeholder(shape=[])\ny = F{}(x)\n-> y"
    with pytest.raises(PbslimError, match="it would take too long"):
        run(load(main.format(39), DOUBLING))
    assert run(load(main.format(5), DOUBLING)) == 1


@pytest.mark.parametrize("turns", [10, 10**9])
def test_loops(turns: int) -> None:
    graph, _ = parse(f"""
        x = Placeholder(shape=[])
        start = Const(0, dtype='int32')
        enter = Enter(start, T='int32', frame_name='w')
        merge = Merge(enter, next, T='int32', N=2)
        limit = Const({turns}, ^merge, dtype='int32')
        less = Less(merge, limit, T='int32')
        cond = LoopCond(less)
        switch = Switch(merge, cond, T='int32')
        one = Const(1, ^switch, dtype='int32')
        more = Add(switch:1, one, T='int32')
        next = NextIteration(more, T='int32')
        exit = Exit(switch, T='int32')
        f = Cast(exit, SrcT='int32', DstT='float')
        y = Add(x, f)
        -> y
    """)
    if turns > 10:
        with pytest.raises(PbslimError, match="it would take too long"):
            run(graph)
    else:
        assert run(graph) == 11
