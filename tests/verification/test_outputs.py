"""Where outputs are judged."""

from __future__ import annotations

from typing import Any

import pytest

from pbslim.ir.order import ancestors
from pbslim.verification import outputs
from pbslim.verification.outputs import before_selections, how_to_judge
from tests.graphs import parse


def test_thousands_of_selections_are_found_in_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def counted(*args: Any) -> Any:
        looks.append(args)
        return ancestors(*args)

    links = 2000
    lines = ["x = Placeholder(dtype='float', shape=[-1, 4])", "h0 = Relu(x)", "axis = Const(1, dtype='int32')"]
    for number in range(links):
        lines += [
            f"best{number} = ArgMax(h{number}, axis)",
            f"place{number} = Cast(best{number}, SrcT='int64', DstT='float')",
            f"h{number + 1} = Mul(h{number}, place{number})",
        ]
    graph, _ = parse("\n".join([*lines, f"-> h{links}"]))
    monkeypatch.setattr(outputs, "ancestors", counted)
    assert how_to_judge(graph, f"h{links}").is_ordered
    assert len(looks) == 1
    assert before_selections(graph, [f"h{links}"]) == ["h0"]
    assert len(looks) == 3


def test_selections_in_a_loop() -> None:
    graph, _ = parse(
        """
            x = Placeholder(dtype='float', shape=[-1, 4])
            zero = Const(0, dtype='int32')
            start = Enter(zero, T='int32', frame_name='loop')
            number = Merge(start, next, T='int32')
            boxes = Enter(x, frame_name='loop', is_constant=True)
            limit = Const(3, dtype='int32', ^number)
            more = Less(number, limit, T='int32')
            go = LoopCond(more)
            switch = Switch(number, go, T='int32')
            step = Const(1, dtype='int32', ^switch)
            kept = NonMaxSuppression(boxes, boxes, step)
            sum = Add(switch:1, step, T='int32')
            next = NextIteration(sum, T='int32', ^kept)
            done = Exit(switch, T='int32')
            y = Cast(done, SrcT='int32', DstT='float')
            -> y
        """
    )
    assert how_to_judge(graph, "y").is_ordered
    assert before_selections(graph, ["y"]) == ["x"]
